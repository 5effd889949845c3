"""`kinblend evaluate encoders`, of encoders whose figures can be worked out with a pencil."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from plugin_site import Site, here
from safetensors.torch import save_file

from kinblend.errors import OptionError, PackNotFoundError, UnknownPluginError
from kinblend.evaluation.encoders import find_candidates
from kinblend.packs import write_description

SIDE, STEP = 8, 0.05
# A code is a picture of 8 × 8 pixels, and "light" makes it lighter. "exact" reads it; "halved" has half of it.
PLUGIN = """
import kinblend, pydantic, torch
from kinblend.packs import PackSource
from torch.nn.functional import adaptive_avg_pool2d, interpolate

class Options(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)
    scale: float = 1.0

class Exact(kinblend.Encoder):
    input_size = 64
    def encode(self, images):
        return self.options.scale * adaptive_avg_pool2d(images, 8).flatten(1)[:, None]

class Broken(Exact):
    def __init__(self, options, context):
        raise kinblend.errors.PackError("this pack is not for it")

class Large(kinblend.Projector):
    resolution = 64
    noise_kinds = ("none",)
    def synthesize(self, codes, *, noise=None, seed=0, size=None):
        return interpolate(codes.view(-1, 3, 8, 8), scale_factor=8.0)

class Light(kinblend.Editor):
    def attributes(self):
        return {"light": "lighter"}
    def edit(self, codes, strengths):
        return codes + STEP * strengths["light"]

def look(crops):
    import numpy as np
    return [{"attributes": {"light": float(np.asarray(crop).mean() / 127.5 - 1), "other": 1.0}} for crop in crops]

@kinblend.hookimpl
def kinblend_register_encoders(register):
    variants = {"halved": {"scale": 0.5}}
    register(kinblend.PluginSpec("toy", "exact", "toy_plugin:Exact", Options, variants=variants))
    register(kinblend.PluginSpec("toy-broken", "broken", "toy_plugin:Broken", Options))

@kinblend.hookimpl
def kinblend_register_projectors(register):
    register(kinblend.PluginSpec("toy", "large", "toy_plugin:Large"))

@kinblend.hookimpl
def kinblend_register_editors(register):
    register(kinblend.PluginSpec("toy", "light", "toy_plugin:Light", preferred=100))

@kinblend.hookimpl
def kinblend_register_analysers(register):
    register(kinblend.PluginSpec("toy", "mean", "toy_plugin:look"))
""".replace("STEP", str(STEP))
DESCRIPTION = {
    "name": "toy", "encoder": "toy", "projector": "toy", "layers": 1, "dim": 3 * SIDE * SIDE, "resolution": 64,
    "generator": "generator.safetensors", "settings": {}, "summary": "A toy", "training_data": "none",
    "licence": "MIT", "source": "made up",
}  # fmt: skip


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """The plugin, its pack, and three pictures whose pixels are those of codes."""
    site = Site(tmp_path_factory.mktemp("encoders"))
    site.add("toy", PLUGIN)
    pack = site.folder / "home" / "packs" / "toy"
    pack.mkdir(parents=True)
    save_file({"nothing": torch.zeros(1)}, pack / "generator.safetensors")
    write_description(pack, DESCRIPTION, ["generator.safetensors"])
    draw = torch.Generator().manual_seed(0)
    (site.folder / "people").mkdir()
    for number in range(3):
        pixels = torch.randint(60, 160, (SIDE, SIDE, 3), generator=draw, dtype=torch.uint8).numpy()
        large = Image.fromarray(pixels).resize((64, 64), Image.Resampling.NEAREST)
        large.save(site.folder / "people" / f"{number}.png")
    return site


def codes_of(site: Site) -> torch.Tensor:
    """What the exact encoder reads in the pictures, [3, 192]."""
    from kinblend.imaging import read_image, to_batch

    pictures = [read_image(site.folder / "people" / f"{number}.png") for number in range(3)]
    return torch.nn.functional.adaptive_avg_pool2d(to_batch(pictures, 64), SIDE).flatten(1)


@pytest.fixture(scope="module")
def found(site: Site) -> Iterator[dict]:
    words = ("--aligned", "--identity", "dlib", "--analyser", "toy", "--edit", "light=2", "--out", "out", "--json")
    done = site.kinblend("evaluate", "encoders", "people", "--backbone", "toy", *words)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_each_pack_has_its_own_encoder_and_the_variants_of_it(found: dict) -> None:
    assert found["people"] == 3
    named = [(one["encoder"], one["label"], one["options"]) for one in found["encoders"]]
    assert named == [("toy", "toy", {}), ("toy", "halved", {"scale": 0.5})]


def mean(found: dict, encoder: int, figure: str) -> float:
    return found["encoders"][encoder]["figures"][figure]["mean"]


def test_an_exact_encoder_reconstructs_all_and_ends_where_it_began(found: dict) -> None:
    assert mean(found, 0, "identity, dlib") == pytest.approx(1, abs=1e-3)
    assert mean(found, 0, "right one nearest, dlib") == 1
    assert mean(found, 0, "PSNR") > 60
    assert mean(found, 0, "light+2, LEC") == pytest.approx(0, abs=0.06)  # pictures have 8 bits
    assert mean(found, 0, "light+2, LEC identity, dlib") == pytest.approx(1, abs=1e-3)
    assert mean(found, 0, "light+2, light by toy") == pytest.approx(2 * STEP, abs=0.005)


def test_the_lec_of_an_encoder_that_halves_codes(site: Site, found: dict) -> None:
    """x → x/2; edited by d, halved again, edited back: x/4 − d/2, which is x/4 + d/2 away."""
    x = codes_of(site)
    away = (x / 4 + STEP * 2 / 2).norm(dim=1).mean()
    assert mean(found, 1, "light+2, LEC") == pytest.approx(float(away), rel=0.02)
    share = away / torch.pdist(x / 2).median()
    assert mean(found, 1, "light+2, LEC, share") == pytest.approx(float(share), rel=0.02)
    assert mean(found, 1, "PSNR") < mean(found, 0, "PSNR") - 10
    assert "light+2, other by toy" not in found["encoders"][1]["figures"]


def test_memory_is_of_a_process_that_loaded_pytorch(found: dict) -> None:
    assert all(one["peak_memory_bytes"] > 100 * 2**20 for one in found["encoders"])


def test_tables_and_picture(site: Site, found: dict) -> None:
    with (site.folder / "out" / "people.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if (row["encoder"], row["figure"]) == ("halved", "PSNR")]
    assert [row["person"] for row in rows] == ["0.png", "1.png", "2.png"]
    values = [float(row["value"]) for row in rows]
    assert sum(values) / 3 == pytest.approx(mean(found, 1, "PSNR"), abs=1e-3)
    with (site.folder / "out" / "encoders.csv").open() as file:
        assert {row["encoder"] for row in csv.DictReader(file)} == {"toy", "halved"}
    with Image.open(site.folder / "out" / "encoders.png") as picture:
        assert picture.width == 3 * (224 + 8) - 8  # photograph, toy, halved


def test_named_encoders_and_one_that_can_not_serve_the_pack(site: Site) -> None:
    words = ("people", "--aligned", "--backbone", "toy", "--no-edits", "--identity", "dlib", "--out", "named")
    named = ("--encoder", "toy-broken", "--encoder", "toy:scale=0.25")
    done = site.kinblend("evaluate", "encoders", *words, *named)
    assert done.returncode == 0, done.stderr
    assert "left out toy: toy-broken: encoder 'toy-broken' can't be used with pack 'toy'" in done.stderr
    assert "this pack is not for it" in done.stderr
    assert "toy: toy:scale=0.25" in done.stderr
    assert "PSNR\t" in done.stdout
    assert "LEC" not in done.stdout
    alone = site.kinblend("evaluate", "encoders", *words, "--encoder", "toy-broken")
    assert alone.returncode == 2
    assert "no encoder is left to measure" in alone.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["none.jpg"], 3, "none.jpg"),
        (["people", "--encoder", "nobody"], 2, "there is no encoder 'nobody'"),
        (["people", "--encoder", "e4e:pace=1"], 2, "'e4e' has no option 'pace'"),
        (["people", "--encoder", "e4e:pace"], 2, "write --encoder NAME:KEY=VALUE"),
        (["people", "--edit", "age=1", "--no-edits"], 2, "leave one of them out"),
        (["people", "--backbone", "nothing"], 4, "there is no pack 'nothing'"),
        (["people", "--aligned", "--backbone", "morphable", "--edit", "age=8y"], 2, "is a strength"),
        (["people", "--aligned", "--backbone", "morphable", "--edit", "ears=1"], 2, "can move 'ears'"),
        (["people", "--aligned", "--backbone", "morphable", "--analyser", "nobody"], 2, "no analyser 'nobody'"),
        (["people", "--aligned", "--people", "1"], 2, "--people"),
        (["people/0.png", "--aligned"], 3, "at least 2"),
    ],
    ids=lambda value: " ".join(value[-2:]) if isinstance(value, list) else "",
)
def test_bad_input(words: list[str], code: int, said: str, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(site.folder)
    ended, _, error = here("evaluate", "encoders", *words)
    assert (ended, error.strip().count("\n")) == (code, 0)
    assert said in error


def test_what_there_is_to_measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINBLEND_HOME", str(tmp_path))
    assert [one.title for one in find_candidates()] == ["morphable: morphable"]
    with pytest.raises(UnknownPluginError):
        find_candidates(wanted=[("nobody", {}, "")])
    with pytest.raises(OptionError):
        find_candidates(wanted=[("wplus", {"refine": -1}, "")])
    with pytest.raises(PackNotFoundError):
        find_candidates(["nothing"])
