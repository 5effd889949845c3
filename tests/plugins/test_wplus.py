"""An encoder for any generator: trained on pictures that it draws itself, here those of a small StyleGAN2."""

import json
import signal
from pathlib import Path

import pytest
import torch
from published_checkpoints import in_nvidias_names, toy, write_nvidia
from safetensors.torch import load_file
from typer.testing import CliRunner

from kinblend import DevicePool, load_backbone
from kinblend.cli.app import app
from kinblend.errors import CheckpointError, Interrupted, LatentShapeError, PackError, UsageError
from kinblend.imaging import to_pictures
from kinblend.pack_import import import_pack
from kinblend.packs import write_description
from kinblend.testing import EncoderContract
from kinblend.training.ranks import Ranks
from kinblend_plugins.wplus.files import LIMIT, WIDE, narrowed, read_parts, widened, write_parts
from kinblend_plugins.wplus.training.augment import augment
from kinblend_plugins.wplus.training.options import TrainOptions
from kinblend_plugins.wplus.training.samples import draw_codes, prepare
from kinblend_plugins.wplus.training.session import Session
from kinblend_plugins.wplus.training.trainer import train

SHORT = {"samples": 64, "code_batch": 4, "picture_batch": 2, "code_minutes": 0.02, "picture_minutes": 0.02}


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack with a generator of 32 px and no encoder."""
    folder = tmp_path_factory.mktemp("generator")
    write_nvidia(folder / "net.pkl", in_nvidias_names(toy(32)))
    return import_pack(folder / "net.pkl", folder / "packs", "toy").folder


def pack_files(pack: Path) -> list[Path]:
    return sorted(pack.glob("encoder-*.safetensors"))


def options(generator: Path, **changes: object) -> TrainOptions:
    return TrainOptions(**{"backbone": str(generator), **SHORT, **changes})


@pytest.fixture(scope="module")
def trained(generator: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(options(generator), tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def pack(generator: Path, trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pack")
    files = [*pack_files(trained), generator / "generator.safetensors"]
    for file in files:
        (folder / file.name).write_bytes(file.read_bytes())
    description = json.loads((generator / "pack.json").read_text()) | {"encoder": "wplus"}
    del description["schema"], description["files"]
    write_description(folder, description, [file.name for file in files])
    return folder


@pytest.fixture(scope="module", autouse=True)
def given(pack: Path) -> None:
    drawn = load_backbone(pack).projector.synthesize(torch.randn(3, 8, 512) * 0.3)
    TestWPlusEncoder.backbone, TestWPlusEncoder.faces = pack, to_pictures(drawn)


class TestWPlusEncoder(EncoderContract):
    backbone = Path()
    encoder_options = {"refine": 4}


def test_training_writes_files_below_the_limit_a_log_and_a_sheet(trained: Path) -> None:
    files = sorted(trained.glob("encoder-*.safetensors"))
    assert len(files) > 1
    assert all(file.stat().st_size < LIMIT + 2**16 for file in files)
    entries = [json.loads(line) for line in (trained / "training" / "log.jsonl").read_text().splitlines()]
    assert entries[-1]["step"] > 0
    assert {"held out: r2", "held out: identity"} <= set(entries[-1])
    assert list((trained / "training" / "sheets").glob("step-*.png"))
    assert latest(trained)["step"] == entries[-1]["step"]


def latest(folder: Path) -> dict:
    """The state of the latest checkpoint."""
    return json.loads((max((folder / "training").glob("step-*")) / "state.json").read_text())["state"]


def test_an_interrupted_training_goes_on_from_its_checkpoint(
    generator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learn = Session.learn

    def interrupted(session: Session) -> dict[str, torch.Tensor]:
        losses = learn(session)
        if session.step in (3, 5):
            signal.raise_signal(signal.SIGINT)
        return losses

    monkeypatch.setattr(Session, "learn", interrupted)
    long, said = options(generator, code_minutes=60), list[str]()
    with pytest.raises(Interrupted):
        train(long, tmp_path)
    assert latest(tmp_path)["step"] == 3
    with pytest.raises(Interrupted):
        train(long, tmp_path, said.append)
    assert any(line.startswith("going on after step 3,") for line in said)
    assert latest(tmp_path)["step"] == 5


def test_a_checkpoint_of_other_options_is_refused(generator: Path, trained: Path) -> None:
    with pytest.raises(UsageError, match="other options"):
        train(options(generator, prior=0.5), trained)


def test_codes_are_drawn_near_the_average_and_some_are_mixed(generator: Path) -> None:
    projector = load_backbone(generator).projector
    codes = draw_codes(projector, 64, 0)
    assert torch.equal(codes, draw_codes(projector, 64, 0))
    assert not torch.equal(codes, draw_codes(projector, 64, 1))
    mixed = (codes != codes[:, :1]).any(2).any(1).sum()
    assert 0 < mixed < 24


def test_samples_are_the_same_whoever_draws_them(
    generator: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kinblend_plugins.wplus.training.samples.SHARD", 8)
    backbone, age = load_backbone(generator), torch.full((8, 512), 0.1)
    found = []
    for workers in (1, 2):
        told: list[str] = []
        common = (backbone, tmp_path / str(workers), 24, 32, 3, age, told.append, Ranks(torch.device("cpu")))
        files = prepare(*common, workers)
        found.append([file.read_bytes() for file in files])
        assert told == [f"drew {count} of 24 pictures" for count in (8, 16, 24)]
        files[1].unlink()
        assert prepare(*common, workers) == files
        assert (told[3:], files[1].read_bytes()) == (["drew 24 of 24 pictures"], found[-1][1])
    assert found[0] == found[1]
    assert len(set(found[0])) == 3


def test_an_age_moves_some_codes(generator: Path) -> None:
    projector = load_backbone(generator).projector
    age = torch.zeros(projector.space.layers, 512)
    age[:, 0] = 1
    away = draw_codes(projector, 64, 0, age) - draw_codes(projector, 64, 0)
    moved = away.abs().amax((1, 2))
    assert 0.2 < (moved > 1.4).float().mean() < 0.6
    assert moved.max() < 4.9  # 4.5, and the spread of what is mixed


def test_augmented_pictures_stay_pictures() -> None:
    pictures = torch.rand(16, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2 - 1
    found = augment(pictures, torch.Generator().manual_seed(1))
    assert found.shape == pictures.shape
    assert found.abs().max() <= 1
    assert torch.equal(found, augment(pictures, torch.Generator().manual_seed(1)))
    assert not torch.equal(found, augment(pictures, torch.Generator().manual_seed(2)))


def test_refinement_brings_the_picture_nearer(pack: Path) -> None:
    from kinblend.imaging import to_batch

    def far(steps: int) -> float:
        backbone = load_backbone(pack, encoder_options={"refine": steps})
        shown = backbone.render(backbone.encode(TestWPlusEncoder.faces))
        return float((to_batch(shown, 32) - to_batch(TestWPlusEncoder.faces, 32)).abs().mean())

    assert far(25) < 0.85 * far(0)  # 0.60 to 0.72 over twelve draws of six faces, single faces up to 0.90


def test_two_faces_together_are_encoded_as_each_alone(pack: Path) -> None:
    backbone = load_backbone(pack, encoder_options={"refine": 3})
    faces = to_pictures(backbone.projector.synthesize(torch.randn(2, 8, 512) * 0.3))
    together, alone = backbone.encode(faces), [backbone.encode([face])[0] for face in faces]
    for one, other in zip(together, alone, strict=True):
        assert torch.equal(one.code, other.code)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_gives_nearly_the_same_code(precision: str, pack: Path) -> None:
    faces = TestWPlusEncoder.faces[:1]
    [exact] = load_backbone(pack, encoder_options={"refine": 2}).encode(faces)
    [rounded] = load_backbone(pack, DevicePool(precision=precision), encoder_options={"refine": 2}).encode(faces)
    spread = load_backbone(pack).encoder.networks.space.spread
    assert ((rounded.code - exact.code) / spread).square().mean() < 0.05


def test_pictures_of_another_size_are_refused(pack: Path) -> None:
    with pytest.raises(LatentShapeError, match="256"):
        load_backbone(pack).encoder.encode(torch.zeros(1, 3, 128, 128))


def test_a_missing_part_is_named(pack: Path) -> None:
    encoder = load_backbone(pack).encoder
    files = {name: path for name, path in encoder.context.files.items() if name != "encoder-00.safetensors"}
    context = type(encoder.context)(encoder.space, files)
    with pytest.raises(CheckpointError, match=r"tensor \S+ is missing"):
        type(encoder)(encoder.options, context)
    with pytest.raises(PackError, match=r"no encoder\.safetensors"):
        type(encoder)(encoder.options, type(encoder.context)(encoder.space))


def test_parts_are_read_as_they_were_written(tmp_path: Path, pack: Path) -> None:
    tensors = {"a": torch.randn(3, 4).half().float(), "b": torch.tensor(7), "c": torch.randn(5).half().float()}
    files = write_parts(tmp_path, "part", tensors)
    context = type(load_backbone(pack).context)(load_backbone(pack).space, {file.name: file for file in files})
    found = read_parts(context, "part")
    assert set(found) == set(tensors)
    assert all(torch.equal(found[name].to(tensor), tensor) for name, tensor in tensors.items())


def test_parts_of_two_encoders_are_not_taken_for_one(
    tmp_path: Path, pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kinblend_plugins.wplus.files.LIMIT", 20)
    for name, count in (("new", 3), ("old", 4)):
        (tmp_path / name).mkdir()
        write_parts(tmp_path / name, "part", {f"t{n}": torch.randn(8) for n in range(count)})
    files = {f"part-0{n}.safetensors": tmp_path / ("new", "old")[n == 2] / f"part-0{n}.safetensors" for n in range(3)}
    known = load_backbone(pack)
    with pytest.raises(PackError, match="parts of two different parts"):
        read_parts(type(known.context)(known.space, files), "part")
    assert len(write_parts(tmp_path / "old", "part", {"t": torch.ones(8)})) == 1
    assert [file.name for file in (tmp_path / "old").iterdir()] == ["part-00.safetensors"]


def test_a_training_may_start_from_the_packs_encoder(pack: Path, tmp_path: Path) -> None:
    short = {"start": True, "code_minutes": 0, "picture_minutes": 0.001, "picture_size": 16, "picture_rate": 1e-9}
    files = sorted(train(options(pack, **short), tmp_path).glob("encoder-*.safetensors"))
    before, after = ({k: v for f in some for k, v in load_file(f).items()} for some in (pack_files(pack), files))
    assert set(before) == set(after)
    weights = [name for name in before if name.endswith("weight")]
    assert all(torch.allclose(before[name].float(), after[name].float(), atol=2e-3) for name in weights)


def test_a_pack_without_an_encoder_is_no_start(generator: Path, tmp_path: Path) -> None:
    with pytest.raises(PackError, match="encoder"):
        train(options(generator, start=True), tmp_path)


def test_flags_may_come_before_or_without_the_trainers_name(generator: Path, tmp_path: Path) -> None:
    shortest = {**SHORT, "code_minutes": 0.001, "picture_minutes": 0.001}
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in shortest.items()]
    for named in ([], ["wplus"]):  # the second goes on from the first, which has ended
        words = ["train", "encoder", *named, *flags, "--backbone", str(generator), "--out", str(tmp_path / "out")]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, result.output
        assert list((tmp_path / "out").glob("encoder-*.safetensors"))


def test_wide_matrices_are_kept_in_int8_within_half_a_step() -> None:
    wide = torch.randn(1000, WIDE // 1000 + 1) * torch.logspace(-6, 2, 1000)[:, None]
    wide[7] = 0
    given = {"wide": wide, "narrow": torch.randn(1000, WIDE // 1000), "kernel": torch.randn(150, 150, 10, 10)}
    small = narrowed(given)
    assert {name: tensor.dtype for name, tensor in small.items()} == {
        "wide": torch.int8,
        "wide.scale": torch.float32,
        "narrow": torch.float16,
        "kernel": torch.float16,
    }
    found = widened(small)
    assert set(found) == set(given)
    assert ((found["wide"] - wide).abs() <= small["wide.scale"] * 0.501).all()
    assert found["narrow"].equal(given["narrow"].half())
