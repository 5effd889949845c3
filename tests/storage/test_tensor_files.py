"""Safetensors files of anybody's making: read, or refused in one sentence that names the file."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hostile.tensors import HEADERS, entry, written
from plugin_site import here, read_apart
from safetensors.torch import save_file

from kinblend import Latent, LatentSpace, save_latent
from kinblend.checkpoints import read_tensor
from kinblend.errors import CorruptFileError, InputError, PackError
from kinblend.families.trios import Trios, load_trios, save_trios
from kinblend.storage.checksummed import write_checksummed
from kinblend.storage.latents import load_latent
from kinblend.storage.packs import check_tensors
from kinblend.tensor_files import load, load_file, safe_open


@pytest.mark.parametrize("name", HEADERS)
def test_finding_21_an_odd_header_is_one_sentence(name: str, tmp_path: Path) -> None:
    header, data = HEADERS[name]
    path = written(tmp_path / "a.safetensors", header, data)
    reads = [
        (load_file, CorruptFileError),
        (load_latent, CorruptFileError),
        (load_trios, CorruptFileError),
        (check_tensors, PackError),
        (lambda path: read_tensor(path, "w", "the tensor"), InputError),
        (lambda path: load(path.read_bytes(), str(path)), CorruptFileError),
    ]
    for read, kind in reads:
        with pytest.raises(kind, match=r"a\.safetensors") as caught:
            read(path)
        assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value) and len(str(caught.value)) < 600


@pytest.mark.parametrize("length", [0, 1, 2**20, 2**40, 2**63, 2**64 - 1])
def test_finding_21_a_length_that_lies(length: int, tmp_path: Path) -> None:
    with pytest.raises(CorruptFileError, match="ends early"):
        load_file(written(tmp_path / "a", entry(), b"1234", length))


def test_finding_21_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a")
    for read in (load_file, load_latent):
        with pytest.raises(CorruptFileError, match="FIFO"):
            read(tmp_path / "a")


def test_finding_21_neither_time_nor_memory(tmp_path: Path) -> None:
    paths = [written(tmp_path / f"{n}", *HEADERS[name]) for n, name in enumerate(HEADERS)]
    for said, grown, seconds in read_apart("from kinblend.tensor_files import load_file", ["load_file"], paths):
        assert said.startswith("CorruptFileError") and grown < 500e6 and seconds < 10


def test_what_was_saved_is_read(tmp_path: Path) -> None:
    kinds = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool)
    tensors = {str(kind): torch.ones(2, 3).to(kind) for kind in kinds} | {"empty": torch.empty(0, 2)}
    save_file(tensors, tmp_path / "a", {"note": "ü"})
    assert all(torch.equal(value, tensors[name]) for name, value in load_file(tmp_path / "a").items())
    with safe_open(tmp_path / "a") as file:
        assert file.metadata() == {"note": "ü"} and set(file.keys()) == set(tensors)
    assert set(load((tmp_path / "a").read_bytes())) == set(tensors)


SPACES = {
    "a path": {"backbone": "../../pack"},
    "a folder": {"backbone": "a/b"},
    "another path": {"backbone": "a\\b"},
    "escape codes": {"backbone": "\x1b[2J\x1b[31mmorphable"},
    "a line": {"backbone": "a\nb"},
    "a direction": {"backbone": "a\u202eb"},
    "empty": {"backbone": ""},
    "long": {"backbone": "a" * 1000},
    "a number for a hash": {"sha256": 3},
    "another hash": {"sha256": "x" * 64},
    "a list": {"backbone": ["a"]},
    "a large number": {"layers": 10**9},
    "a negative number": {"layers": -1},
    "true": {"layers": True},
    "more": {"more": 1},
}


@pytest.mark.parametrize("name", SPACES)
def test_finding_21_and_24_a_latent_space_that_cannot_be_one(name: str, tmp_path: Path, latent: Latent) -> None:
    from dataclasses import asdict

    path = tmp_path / "a.safetensors"
    write_checksummed(path, {"code": latent.code}, {"kind": "latent", "space": asdict(latent.space) | SPACES[name]})
    with pytest.raises(CorruptFileError, match="latent space") as caught:
        load_latent(path)
    assert str(caught.value).isprintable()
    code, out, error = here("render", path, "--out", tmp_path / "a.png")
    assert (code, out, error.count("\n")) == (3, "", 1) and error.rstrip().isprintable()


def test_finding_24_control_characters_do_not_reach_the_terminal(tmp_path: Path) -> None:
    path = tmp_path / "a\x1b[31m.safetensors"
    path.write_bytes(b"x")
    code, _, error = here("render", path)
    assert code == 3 and "\x1b" not in error and "a?[31m" in error
    written(tmp_path / "b.safetensors", {"__metadata__": {"kinblend": '{"sha256": "", "schema": "\\u001b[31m"}'}})
    code, _, error = here("render", tmp_path / "b.safetensors")
    assert code == 3 and "\x1b" not in error


def test_finding_21_odd_trios_are_refused(tmp_path: Path, space: LatentSpace) -> None:
    codes, names = torch.zeros(3, space.layers, space.dim), ["a", "b", "c"]
    good = Trios(codes, codes + 1, codes + 2, torch.zeros(3, 4), names, space, groups={"sex": ["m", "f", ""]})
    save_trios(tmp_path / "t", good)
    assert load_trios(tmp_path / "t").groups == good.groups
    odd = {
        "groups of numbers": {"groups": {"sex": [1, 2, 3]}},
        "groups of a number": {"groups": {"sex": 3}},
        "groups too short": {"groups": {"sex": ["m"]}},
        "families of lists": {"families": [["a"], ["b"], ["c"]]},
        "families too few": {"families": ["a"]},
        "other splits": {"splits": ["train", "x", "val"]},
        "codes of another shape": {"mother": codes[:, :2].clone()},
        "codes too few": {"child": codes[:2].clone()},
        "whole numbers": {"embedding": torch.zeros(3, 4, dtype=torch.int64)},
        "a text": {"nuclear_families": "abc"},
    }
    for name, change in odd.items():
        tensors = {key: getattr(good, key) for key in ("father", "mother", "child", "embedding")}
        fields = {"families": names, "groups": {}, "identity": "dlib"}
        tensors |= {key: value for key, value in change.items() if isinstance(value, torch.Tensor)}
        fields |= {key: value for key, value in change.items() if not isinstance(value, torch.Tensor)}
        about = {"backbone": space.backbone, "layers": space.layers, "dim": space.dim, "sha256": space.sha256}
        write_checksummed(tmp_path / "odd", tensors, {"kind": "trios", "space": about, **fields})
        with pytest.raises(CorruptFileError, match="odd"):
            load_trios(tmp_path / "odd")
        assert name
    assert replace(space, layers=3) != space


def test_a_deep_description_is_refused(tmp_path: Path, latent: Latent) -> None:
    save_latent(tmp_path / "a", latent)
    save_file({"code": latent.code}, tmp_path / "b", {"kinblend": "[" * 100_000})
    with pytest.raises(CorruptFileError, match="not written by kinblend"):
        load_latent(tmp_path / "b")
