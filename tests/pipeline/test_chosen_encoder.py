"""Another encoder than the pack's own: chosen, written down, repeated; and what is said where it can't be used."""

import json
from pathlib import Path

import pytest
import torch
from plugin_site import here
from portraits import portrait
from published_checkpoints import in_nvidias_names, toy, write_nvidia
from safetensors.torch import save_file

from kinblend import Engine, load_backbone
from kinblend.batch import EngineOptions
from kinblend.batch.run import describe_engine
from kinblend.cli.demo import FATHER, MOTHER
from kinblend.errors import CheckpointError, OptionError, UnknownPluginError, UnsupportedError
from kinblend.families.prepared import describe_encoding
from kinblend.pack_import import import_pack
from kinblend.packs import write_description
from kinblend.settings import load_settings
from kinblend.web.engine_service import EngineService
from kinblend.web.limits import Limits

PARENTS = ["--father", portrait(FATHER), "--mother", portrait(MOTHER)]
QUICK = ["--set", "encoder.steps=1", "--no-judge", "--quiet"]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack with a generator of 16 px and no encoder."""
    folder = tmp_path_factory.mktemp("bare")
    write_nvidia(folder / "net.pkl", in_nvidias_names(toy(16)))
    return import_pack(folder / "net.pkl", folder / "packs", "bare").folder


@pytest.fixture(scope="module")
def made(bare: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A child of a pack without an encoder."""
    out = tmp_path_factory.mktemp("made") / "out"
    code, _, error = here("run", *PARENTS, "--backbone", bare, "--encoder", "optimize", *QUICK, "--out", out)
    assert code == 0, error
    return out


def test_the_manifest_names_the_encoder_and_repeats_it(made: Path, bare: Path, tmp_path: Path) -> None:
    manifest = json.loads((made / "child.json").read_text())
    assert manifest["backbone"]["encoder"]["name"] == "optimize"
    assert manifest["encoder_options"] == {"steps": 1}
    words = ["run", "--from", made / "child.json", *PARENTS, "--backbone", bare, "--quiet", "--out", tmp_path / "b"]
    code, _, error = here(*words, KINBLEND_ENCODER="resnet")
    assert code == 0, error
    assert (made / "child.safetensors").read_bytes() == (tmp_path / "b" / "child.safetensors").read_bytes()
    code, _, error = here(*words, "--encoder", "resnet")
    assert (code, "made with the encoder optimize; leave out --encoder resnet" in error) == (2, True), error


def test_a_variable_chooses_where_no_flag_does(bare: Path, tmp_path: Path) -> None:
    words = ["encode", portrait(FATHER), "--backbone", bare, "--set", "encoder.steps=1", "--out", tmp_path / "a"]
    assert here(*words, KINBLEND_ENCODER="optimize")[0] == 0
    code, _, error = here(*words, "--encoder", "nobody", KINBLEND_ENCODER="optimize")
    assert (code, "there is no encoder 'nobody'; there are: e4e" in error) == (2, True), error


def test_a_pack_without_an_encoder_says_which_can_be_used(bare: Path) -> None:
    backbone = load_backbone(bare)
    assert not backbone.has_encoder and load_backbone(bare, encoder="optimize").has_encoder
    with pytest.raises(UnsupportedError, match=r"has no encoder.*or choose one of these encoders: optimize$"):
        _ = backbone.encoder


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("e4e", "has no encoder.safetensors"),
        ("wplus", "has no encoder.safetensors"),
        ("resnet", "has no resnet.safetensors"),
        ("morphable", "holds no morphable model"),
    ],
)
def test_an_encoder_without_its_files_says_so_and_what_can_be_used(name: str, why: str, bare: Path) -> None:
    said = rf"encoder '{name}' can't be used with pack 'bare': .*{why}.*; choose one of these encoders: optimize$"
    with pytest.raises(UnsupportedError, match=said):
        _ = load_backbone(bare, encoder=name).encoder


def test_an_encoder_that_needs_another_projector_says_so() -> None:
    with pytest.raises(UnsupportedError, match=r"nothing for optimisation to begin with; choose .*: morphable$"):
        _ = Engine("morphable", encoder="optimize").backbone.encoder


def test_the_own_encoders_files_are_no_other_encoders(bare: Path, tmp_path: Path) -> None:
    """pSp would read e4e's file, whose tensors look the same, and give codes that mean nothing."""
    for file in bare.glob("*.safetensors"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    save_file({"latent_avg": torch.zeros(6, 512)}, tmp_path / "encoder.safetensors")
    description = json.loads((bare / "pack.json").read_text()) | {"encoder": "e4e"}
    del description["schema"], description["files"]
    write_description(tmp_path, description, [file.name for file in tmp_path.glob("*.safetensors")])
    with pytest.raises(UnsupportedError, match=r"'psp' can't be used .*: e4e, optimize$"):
        _ = load_backbone(tmp_path, encoder="psp").encoder
    with pytest.raises(CheckpointError, match="tensor"):  # its own reads it
        _ = load_backbone(tmp_path, encoder="e4e").encoder


def test_options_are_those_of_the_encoder_that_is_chosen(bare: Path) -> None:
    with pytest.raises(UnknownPluginError, match="there is no encoder 'nobody'"):
        Engine(bare, encoder="nobody")
    with pytest.raises(OptionError, match="'optimize' has no option 'passes'; it has: tune, identity, prior, steps"):
        Engine(bare, encoder="optimize", encoder_options={"passes": 2})
    with pytest.raises(OptionError, match="steps"):
        Engine(bare, encoder="optimize", encoder_options={"steps": -1})


def test_batches_families_and_the_web_app_know_which_it_is(bare: Path) -> None:
    options = EngineOptions(str(bare), "cpu", encoder="optimize")
    assert describe_engine(options.open())["encoder"]["name"] == "optimize"
    encoding = describe_encoding(load_backbone(bare, encoder="optimize"), "dlib")
    assert (encoding["encoder"], encoding["encoder_files"]) == ("optimize", "")
    settings = load_settings(backbone=str(bare), encoder="optimize", editor="interfacegan")
    assert EngineService(settings, Limits()).engine.backbone.encoder_name == "optimize"
