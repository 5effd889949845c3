"""The importers make packs that can be used, with the names as published, and refuse what could never be."""

import argparse
from pathlib import Path

import pytest
import torch
from plugin_site import Site
from published_checkpoints import in_nvidias_names, in_rosinalitys_names, record, toy, write_nvidia, write_rosinality
from published_checkpoints import pickle_nvidia as pickled
from safetensors.torch import load_file
from torch import Tensor

from kinblend import load_backbone
from kinblend.errors import CheckpointError, KinblendError, UsageError
from kinblend.pack_import import default_name, import_pack
from kinblend.storage.packs import Pack

CODES = torch.randn(1, 18, 512, generator=torch.Generator().manual_seed(1))


def imported(path: Path, name: str = "mine") -> Pack:
    return import_pack(path, path.parent / "packs", name)


def test_a_rosinality_checkpoint(tmp_path: Path) -> None:
    generator, average = toy(64), torch.full((512,), 0.25)
    write_rosinality(tmp_path / "r.pt", in_rosinalitys_names(generator), latent_avg=average)
    pack = imported(tmp_path / "r.pt")
    pack.verify()
    assert (pack.resolution, pack.space.layers, pack.description["encoder"]) == (64, 10, None)
    assert "input.input" in load_file(pack.files["generator.safetensors"])
    assert torch.equal(load_backbone(pack.folder).projector.average(), average.expand(10, 512))
    with pytest.raises(UsageError, match="exists already"):
        imported(tmp_path / "r.pt")


def test_a_checkpoint_of_a_training_and_a_bare_state_dict(tmp_path: Path) -> None:
    state = in_rosinalitys_names(toy(32))
    write_rosinality(tmp_path / "training.pt", state, args=argparse.Namespace(size=32), g_optim={"lr": 0.002})
    torch.save(state, tmp_path / "bare.pt")
    assert (
        imported(tmp_path / "training.pt", "one").space.sha256 == imported(tmp_path / "bare.pt", "two").space.sha256
    )


def test_tensors_that_share_memory_are_each_written_whole(tmp_path: Path) -> None:
    state = in_rosinalitys_names(toy(32))
    state["noises.noise_2"] = state["noises.noise_1"]
    whole = torch.cat([tensor.flatten() for tensor in state.values()]).split([t.numel() for t in state.values()])
    parts = {name: part.view(state[name].shape) for name, part in zip(state, whole, strict=True)}
    for name, tensors in (("tied", state), ("parts", parts)):
        torch.save(tensors, tmp_path / f"{name}.pt")
        found = load_file(imported(tmp_path / f"{name}.pt", name).files["generator.safetensors"])
        assert all(torch.equal(found[key], tensor) for key, tensor in state.items())


def test_noise_maps_that_old_files_lack_are_drawn_once(tmp_path: Path) -> None:
    state = {k: v for k, v in in_rosinalitys_names(toy(32)).items() if not k.startswith("noises.")}
    write_rosinality(tmp_path / "old.pt", state)
    first, second = (load_backbone(imported(tmp_path / "old.pt", name).folder).projector for name in ("a", "b"))
    with torch.inference_mode():
        assert torch.equal(first.synthesize(CODES[:, :8]), second.synthesize(CODES[:, :8]))


@pytest.mark.parametrize(("size", "width"), [(64, 3), (128, 4), (256, 2)])
@torch.inference_mode()
def test_both_families_of_names_give_the_same_picture(size: int, width: int, tmp_path: Path) -> None:
    generator = toy(size, width)
    write_nvidia(tmp_path / "n.pkl", in_nvidias_names(generator))
    write_rosinality(tmp_path / "r.pt", in_rosinalitys_names(generator))
    codes = CODES[:, : generator.layers]
    expected = generator(codes, [conv.noise for conv in generator.convs])
    for file in ("n.pkl", "r.pt"):
        projector = load_backbone(imported(tmp_path / file, file[0]).folder).projector
        torch.testing.assert_close(projector.synthesize(codes), expected, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_nvidias_clamp_is_kept(tmp_path: Path) -> None:
    state = in_nvidias_names(toy(32))
    names = [f"synthesis.b{size}.{part}.conv_clamp" for size in (4, 8, 16, 32) for part in ("conv1", "torgb")]
    pictures = {}
    for name, clamp in (("free", None), ("wide", 256), ("tight", 0.5)):
        write_nvidia(tmp_path / f"{name}.pkl", state, settings=dict.fromkeys(names, clamp))
        pack = imported(tmp_path / f"{name}.pkl", name)
        assert pack.settings["conv_clamp"] == clamp
        pictures[name] = load_backbone(pack.folder).projector.synthesize(CODES[:, :8])
    assert torch.equal(pictures["free"], pictures["wide"])
    assert float(pictures["tight"].abs().max()) < float(pictures["free"].abs().max())
    write_nvidia(tmp_path / "two.pkl", state, settings={names[0]: 1, names[1]: 2})
    with pytest.raises(CheckpointError, match="different values"):
        imported(tmp_path / "two.pkl", "two")


def test_the_content_decides_and_not_the_files_name(tmp_path: Path) -> None:
    generator = toy(32)
    write_nvidia(tmp_path / "NET.PKL", in_nvidias_names(generator))
    write_nvidia(tmp_path / "net.pt", in_nvidias_names(generator))
    write_rosinality(tmp_path / "torch.pkl", in_rosinalitys_names(generator))
    for number, file in enumerate(("NET.PKL", "net.pt", "torch.pkl")):
        assert imported(tmp_path / file, f"n{number}").resolution == 32


def broken() -> dict[str, dict[str, Tensor]]:
    """State dicts that are nearly right, by what is wrong with them."""
    ros, ada = in_rosinalitys_names(toy(32)), in_nvidias_names(toy(32))
    return {
        "nan": ros | {"to_rgb1.bias": torch.full((1, 3, 1, 1), float("nan"))},
        "complex": ros | {"to_rgb1.bias": torch.zeros(1, 3, 1, 1, dtype=torch.complex64)},
        "unknown": ros | {"style.1.momentum": torch.zeros(3)},
        "gap": ros | {"to_rgbs.999.bias": torch.zeros(1, 3, 1, 1)},
        "missing": {k: v for k, v in ros.items() if k != "convs.0.conv.weight"},
        "shape": ros | {"convs.0.conv.weight": torch.zeros(1, 4, 4, 5, 5)},
        "expanded": ros | {"to_rgb1.bias": torch.zeros(1).expand(10**13)},
        "sparse": ros | {"to_rgb1.bias": torch.zeros(3).to_sparse()},
        "quantised": ros | {"to_rgb1.bias": torch.quantize_per_tensor(torch.zeros(3), 0.1, 0, torch.qint8)},
        "b100": ada | {"synthesis.b100.torgb.bias": torch.zeros(3)},
        "b2": ada | {"synthesis.b2.torgb.bias": torch.zeros(3)},
        "conditional": ada | {"mapping.embed.weight": torch.zeros(512, 3)},
    }


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")  # torch's, on writing the odd ones
@pytest.mark.parametrize(
    "name",
    sorted(
        {"nan", "complex", "unknown", "gap", "missing", "shape", "expanded", "sparse", "quantised", "b100", "b2"}
        | {"conditional"}
    ),
)
def test_what_could_never_run_is_refused_and_leaves_nothing_behind(name: str, tmp_path: Path) -> None:
    state = broken()[name]
    if "input.input" in state:
        write_rosinality(tmp_path / "file", state)
    else:
        write_nvidia(tmp_path / "file", state)
    with pytest.raises(CheckpointError) as caught:
        imported(tmp_path / "file")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "packs").iterdir()) == []


def cyclic() -> dict:
    """The state of a module that holds a module of the same state, and so on without end."""
    modules: dict = {}
    state = {"_parameters": {}, "_buffers": {}, "_modules": modules}
    modules["again"] = record({"class_name": "Module", "state": state})
    return {"state": state}


@pytest.mark.parametrize(
    "meta",
    [
        None,
        [],
        {"state": None},
        {"state": {"_parameters": None}},
        {"state": {"_parameters": [1]}},
        {"state": {"_modules": 3}},
        {"state": {"_parameters": {"w": "text"}}},
        cyclic(),
    ],
)
def test_malformed_records(meta: object, tmp_path: Path) -> None:
    (tmp_path / "n.pkl").write_bytes(pickled({"G_ema": record(meta)}))
    with pytest.raises(CheckpointError, match=r"n\.pkl"):
        imported(tmp_path / "n.pkl")


def test_a_file_nobody_knows_leaves_nothing_behind(tmp_path: Path) -> None:
    torch.save({"something": 1}, tmp_path / "x.pt")
    known = "e4e, hyperstyle, resnet, rosinality, nvidia, random-face, stylegan1, stylegan3"
    with pytest.raises(CheckpointError, match=f"no importer knows .*; there are: {known}"):
        imported(tmp_path / "x.pt")
    assert list((tmp_path / "packs").iterdir()) == []


@pytest.mark.parametrize("name", ["../../evil", "a/b", "Upper", "", "-x", "morphable"])
def test_names_that_will_not_do(name: str, tmp_path: Path) -> None:
    write_rosinality(tmp_path / "r.pt", in_rosinalitys_names(toy(32)))
    with pytest.raises(UsageError):
        imported(tmp_path / "r.pt", name)
    assert not (tmp_path / "packs").exists()


def test_a_name_is_made_of_the_files() -> None:
    assert default_name(Path("a/Net_v1.0.pkl")) == "net-v1-0"
    assert default_name(Path("...pkl")) == "imported"


IMPORTER = """
import kinblend
from kinblend.errors import CheckpointError

def convert(checkpoint, out, name):
    if not checkpoint.read_bytes().startswith(b"MINE"):
        return None
    raise CheckpointError("mine, but damaged")

@kinblend.hookimpl
def kinblend_register_importers(register):
    register(kinblend.PluginSpec("mine", "my own format", "mine_plugin:convert"))
"""


def test_a_strangers_importer_gets_what_ours_do_not_know(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.add("mine", IMPORTER)
    (tmp_path / "a.bin").write_bytes(b"MINE and not a pickle")
    (tmp_path / "b.bin").write_bytes(b"nobody's")
    done = site.kinblend("models", "import", "a.bin")
    assert (done.returncode, done.stderr) == (4, "kinblend: mine, but damaged\n")
    refused = site.kinblend("models", "import", "b.bin").stderr
    assert (
        "there are: e4e, hyperstyle, resnet, rosinality, nvidia, random-face, stylegan1, stylegan3, mine" in refused
    )


def test_every_refusal_is_one_of_ours(tmp_path: Path) -> None:
    with pytest.raises(KinblendError, match="is a folder"):
        imported(tmp_path)
    (tmp_path / "empty.pt").touch()
    with pytest.raises(CheckpointError, match="is empty"):
        imported(tmp_path / "empty.pt")
