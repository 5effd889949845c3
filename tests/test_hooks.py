"""Every hook is documented, and does its work: a stranger's plugin that has all of them, met by the command line."""

import json
from hashlib import sha256
from pathlib import Path

import pytest
from plugin_site import Site
from portraits import portrait

from kinblend import hookspecs, load_latent
from kinblend.cli.demo import FATHER, MOTHER

HOOKS = sorted(name for name in vars(hookspecs) if name.startswith("kinblend_"))

ALL = '''
import json
from pathlib import Path

from pydantic import BaseModel

import kinblend
import kinblend.face_interfaces
from kinblend.datasets import Family, KinshipSet, Person
from kinblend.packs import PackSource, write_description

HERE = Path(__file__).parent


def log(*record):
    with (HERE / "log.jsonl").open("a") as file:
        file.write(json.dumps(record) + "\\n")


class Gain(BaseModel):
    gain: float = 1.0


class Encoder(kinblend.Encoder):
    """The mean colour of the face, in the first dimensions of each layer."""

    input_size = 64

    def encode(self, images):
        codes = images.new_zeros(len(images), 2, 8)
        codes[:, :, :3] = images.mean(dim=(2, 3))[:, None] * self.options.gain
        return codes


class Projector(kinblend.Projector):
    """A picture of that colour."""

    resolution = 64
    noise_kinds = ("none",)

    def synthesize(self, codes, *, noise=None, seed=0, size=None):
        self.choose_noise(noise)
        return codes[:, 0, :3, None, None].expand(-1, -1, 64, 64) * self.options.gain


class Editor(kinblend.Editor):
    def attributes(self):
        return {"red": "more of it"}

    def edit(self, codes, strengths):
        moved = codes.clone()
        moved[:, :, 0] += strengths.get("red", 0.0)
        return moved


class Failing(kinblend.Blender):
    def weights(self, father, mother, seed):
        raise ValueError("inside")


def train(options, out, progress):
    import torch
    from safetensors.torch import save_file

    out.mkdir(parents=True, exist_ok=True)
    save_file({"gain": torch.tensor([options.gain])}, out / "generator.safetensors")
    description = {"name": "flat", "encoder": "flat", "projector": "flat", "layers": 2, "dim": 8, "resolution": 64}
    write_description(out, {**description, "generator": "generator.safetensors"}, ["generator.safetensors"])
    progress("trained")
    return out


def convert(checkpoint, out, name):
    return train(Gain(), out, print) if checkpoint.read_bytes() == b"FLAT" else None


def hello(name: str) -> None:
    print(f"hello {name}")


def families(path):
    """A text with a name and a picture in each line: families of one."""
    if path.suffix != ".names":
        return None
    rows = [line.split(" ", 1) for line in path.read_text().splitlines()]
    people = [Person(name, None, (Path(picture),)) for name, picture in rows]
    return KinshipSet(path, tuple(Family(p.name, {p.name: p}, ()) for p in people), ())


def brightness(crops):
    import numpy as np

    return [{"age": float(np.asarray(crop.convert("L")).mean())} for crop in crops]


def paint(backbone, batch, precision):
    import torch

    from kinblend.errors import UnsupportedError

    if precision != "fp32":
        raise UnsupportedError("it paints in fp32 alone")
    codes = torch.zeros(batch, backbone.space.layers, backbone.space.dim)
    return lambda: log("painted", *backbone.projector.synthesize(codes).shape)


class Middle(kinblend.face_interfaces.FaceDetector):
    """One face, in the middle of every picture."""

    def detect(self, images):
        import numpy as np

        log("detected", len(images))
        shares = np.array([[0.4, 0.45], [0.6, 0.45], [0.5, 0.55], [0.42, 0.65], [0.58, 0.65]])
        return [[self._face(np, image, shares)] for image in images]

    def _face(self, np, image, shares):
        size = np.array(image.size)
        box = (0.25 * size[0], 0.2 * size[1], 0.75 * size[0], 0.8 * size[1])
        return kinblend.face_interfaces.Detection(box, 1.0, shares * size)


class Circle(kinblend.face_interfaces.Landmarker):
    """The points of a usual face in the box."""

    def predict(self, image, box):
        import numpy as np

        log("landmarks")
        left, top, right, bottom = box
        shares = np.full((68, 2), 0.5)
        shares[36:42], shares[42:48], shares[48:] = (0.3, 0.4), (0.7, 0.4), (0.5, 0.75)
        shares[48], shares[54] = (0.35, 0.75), (0.65, 0.75)
        return shares * [right - left, bottom - top] + [left, top]

    def predict_in_crop(self, image):
        return self.predict(image, (0.2 * image.width, 0.2 * image.height, 0.8 * image.width, 0.9 * image.height))


class Colours(kinblend.IdentityNetwork):
    """Who has the same mean colour is the same."""

    embedding_size, input_side = 3, 32

    def embed_pictures(self, pictures):
        log("embedded", len(pictures))
        return pictures.mean((2, 3))


class Twice(kinblend.face_interfaces.Upscaler):
    factor = 2

    def upscale(self, images):
        log("enlarged", len(images))
        return [image.resize((2 * image.width, 2 * image.height)) for image in images]


def counted(faces: Path, quiet: bool = False):
    """How many files."""
    print(len(list(faces.iterdir())))


def spec(name, target, options=None):
    return kinblend.PluginSpec(name, "a test", f"all_plugin:{target}", options)


@kinblend.hookimpl
def kinblend_register_encoders(register):
    register(spec("flat", "Encoder", Gain))


@kinblend.hookimpl
def kinblend_register_projectors(register):
    register(spec("flat", "Projector", Gain))


@kinblend.hookimpl
def kinblend_register_editors(register):
    register(spec("shift", "Editor"))


@kinblend.hookimpl
def kinblend_register_blenders(register):
    register(spec("failing", "Failing"))


@kinblend.hookimpl
def kinblend_register_trainers(register):
    register(spec("flat", "train", Gain))


@kinblend.hookimpl
def kinblend_register_importers(register):
    register(spec("flat", "convert"))


@kinblend.hookimpl
def kinblend_register_datasets(register):
    register(spec("names", "families"))


@kinblend.hookimpl
def kinblend_register_analysers(register):
    register(spec("brightness", "brightness"))


@kinblend.hookimpl
def kinblend_register_detectors(register):
    register(spec("middle", "Middle"))


@kinblend.hookimpl
def kinblend_register_landmarkers(register):
    register(spec("circle", "Circle"))


@kinblend.hookimpl
def kinblend_register_identity_networks(register):
    register(spec("colours", "Colours"))


@kinblend.hookimpl
def kinblend_register_upscalers(register):
    register(spec("twice", "Twice"))


@kinblend.hookimpl
def kinblend_register_evaluations(register):
    register(spec("counted", "counted"))


@kinblend.hookimpl
def kinblend_register_benchmarks(register):
    register(spec("paint", "paint"))


@kinblend.hookimpl
def kinblend_register_commands(register):
    register(spec("hello", "hello"))


@kinblend.hookimpl
def kinblend_register_packs(register):
    register(PackSource("shipped", "a test", folder=HERE / "shipped"))


@kinblend.hookimpl
def kinblend_before_stage(stage, run):
    log("before", stage, run["backbone"]["name"])


@kinblend.hookimpl
def kinblend_after_stage(stage, seconds):
    log("after", stage, seconds > 0)


@kinblend.hookimpl
def kinblend_on_error(stage, error):
    log("error", stage, type(error).__name__)
    raise RuntimeError("a hook that fails itself")
'''
STAGES = ["detect", "encode", "blend", "edit", "render", "compare"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """With the plugin, and the pack that its trainer makes."""
    site = Site(tmp_path_factory.mktemp("hooks"))
    site.add("all", ALL)
    done = site.kinblend("train", "backbone", "flat", "--gain", "0.5", "--out", "shipped")
    assert (done.returncode, done.stdout) == (0, "shipped\n"), done.stderr
    assert "trained" in done.stderr
    return site


def log(site: Site) -> list[list]:
    path = site.folder / "log.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    path.unlink()
    return lines


PARENTS = ["--father", portrait(FATHER), "--mother", portrait(MOTHER), "--backbone", "shipped"]


def test_a_run_with_a_strangers_encoder_projector_and_editor(site: Site) -> None:
    options = ["--set", "encoder.gain=2", "--set", "projector.gain=0.25"]
    words = ["run", *PARENTS, "--editor", "shift", "--edit", "red=0.5", *options, "--out", "a", "--json", "--quiet"]
    done = site.kinblend(*words)
    assert done.returncode == 0, done.stderr
    manifest = json.loads(done.stdout)
    backbone = manifest["backbone"]
    assert [backbone[kind]["options"]["gain"] for kind in ("encoder", "projector")] == [2, 0.25]
    assert manifest["editor"]["from"] == "all 1.0"
    assert log(site) == [record for stage in STAGES for record in (["before", stage, "flat"], ["after", stage, True])]


def test_the_steps_take_them_too(site: Site) -> None:
    done = site.kinblend("encode", portrait(FATHER), "--backbone", "shipped", "--out", "f.safetensors")
    assert done.returncode == 0, done.stderr
    words = ["edit", "f.safetensors", "--editor", "shift", "--edit", "red=0.5", "--backbone", "shipped"]
    assert site.kinblend(*words).returncode == 0
    before, after = (load_latent(site.folder / f"{name}.safetensors").code for name in ("f", "edited"))
    assert (after - before)[0].tolist() == pytest.approx([0.5] + [0.0] * 7)
    assert site.kinblend("render", "edited.safetensors", "--backbone", "shipped").returncode == 0


def test_a_failure_is_told_and_a_failing_hook_does_not_hide_it(site: Site) -> None:
    done = site.kinblend("run", *PARENTS, "--blender", "failing", "--out", "b", "--quiet")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "blender 'failing' of all 1.0 failed: ValueError: inside" in done.stderr
    assert log(site)[-1] == ["error", "blend", "PluginError"]


def test_a_strangers_importer_and_command(site: Site) -> None:
    (site.folder / "net.bin").write_bytes(b"FLAT")
    done = site.kinblend("models", "import", "net.bin", "--name", "mine", "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    description = json.loads((site.folder / "home" / "packs" / "mine" / "pack.json").read_text())
    assert description["name"] == "mine"
    assert description["checkpoint"] == {"sha256": sha256(b"FLAT").hexdigest()}
    assert site.kinblend("hello", "you").stdout == "hello you\n"


def test_a_strangers_reader_of_families(site: Site) -> None:
    (site.folder / "clan.names").write_text(f"smith {portrait(FATHER)}\njones {portrait(MOTHER)}")
    done = site.kinblend("families", "stats", "clan.names", "--json", "--quiet")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert (figures["format"], figures["extended_families"], figures["individuals"]) == ("names", 2, 2)


def test_a_strangers_analyser(site: Site) -> None:
    from csv import DictReader

    (site.folder / "one.names").write_text(f"smith {portrait(FATHER)}")
    words = ["one.names", "--analyser", "brightness", "--out", "d.csv"]
    done = site.kinblend("families", "demographics", *words)
    assert done.returncode == 0, done.stderr
    with (site.folder / "d.csv").open(newline="") as file:
        [row] = DictReader(file)
    assert 50 < float(row["age"]) < 200  # the mean grey of a portrait, which no such analyser would call an age


def test_a_strangers_detector_landmarker_and_identity_network_by_the_settings(site: Site) -> None:
    words = ["run", *PARENTS, "--no-neutral", "--no-judge", "--age", "parents", "--out", "faces", "--quiet"]
    chosen = {"KINBLEND_DETECTOR": "middle", "KINBLEND_LANDMARKER": "circle", "KINBLEND_IDENTITY_NETWORK": "colours"}
    done = site.kinblend(*words, **chosen)
    assert done.returncode == 0, done.stderr
    told = [record for record in log(site) if record[0] not in ("before", "after")]
    assert told.count(["landmarks"]) == 2
    assert {record[0] for record in told} == {"detected", "landmarks", "embedded"}
    assert json.loads((site.folder / "faces" / "child.json").read_text())["identity_network"] == "colours"
    done = site.kinblend(*words, KINBLEND_DETECTOR="nobody")
    assert (done.returncode, "there is no detector 'nobody'; there are: mtcnn, middle" in done.stderr) == (2, True)


def test_a_strangers_upscaler(site: Site) -> None:
    from PIL import Image

    set_ = site.folder / "set"
    set_.mkdir()
    for letter, person in (("F", FATHER), ("M", MOTHER), ("S", FATHER)):
        picture = Image.open(portrait(person)).convert("RGB")
        picture.thumbnail((160, 160))
        picture.save(set_ / f"FMS-1-{letter}.png")
    words = ["prepare", "set", "--format", "tskinface", "--no-latents", "--upscale", "twice", "--out", "prepared"]
    done = site.kinblend(*words, "--cache", "cache", "--workers", "1")
    assert done.returncode == 0, done.stderr
    assert any(record[0] == "enlarged" for record in log(site))


def test_a_strangers_evaluation(site: Site) -> None:
    assert "counted" in site.kinblend("evaluate", "--help").stdout
    assert site.kinblend("evaluate", "counted", "shipped").stdout == "2\n"


def test_a_strangers_benchmark(site: Site) -> None:
    words = ["--backbone", "shipped", "--step", "paint", "--batch", "2", "--batch", "3", "--rounds", "3", "--json"]
    done = site.kinblend("bench", *words)
    assert done.returncode == 0, done.stderr
    [case] = json.loads(done.stdout)["cases"]
    assert (case["step"], case["precision"], case["batch"]) == ("paint", "fp32", 3)
    assert log(site) == [["painted", 3, 3, 64, 64]] * 2  # once to get warm, and a third of the rounds
    assert "paint bf16 is left out: it paints in fp32 alone" in done.stderr


@pytest.mark.parametrize("hook", HOOKS)
def test_every_hook_is_documented_and_tested(hook: str) -> None:
    assert hook in (Path(__file__).parents[1] / "docs" / "plugins.md").read_text()
    assert getattr(hookspecs, hook).__doc__
    assert f"def {hook}(" in ALL
