"""Packs are sealed: what was added is there, what was altered is named."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from plugin_site import here
from safetensors.torch import load_file, save_file

from kinblend import load_backbone
from kinblend.errors import PackError, PackNotFoundError, UsageError
from kinblend.packs import open_pack, write_description
from kinblend.storage import verify_cache
from kinblend.storage.packs import Pack, add_files, renew


@pytest.fixture
def pack(tmp_path: Path) -> Pack:
    save_file({"w": torch.ones(3)}, tmp_path / "generator.safetensors")
    description = {"name": "p", "encoder": None, "projector": "stylegan2", "layers": 4, "dim": 512, "resolution": 64}
    return write_description(
        tmp_path, description | {"generator": "generator.safetensors"}, ["generator.safetensors"]
    )


def test_an_added_file_is_sealed_and_the_space_stays(pack: Pack, tmp_path: Path) -> None:
    save_file({"v": torch.zeros(2)}, tmp_path / "trained.safetensors")
    added = add_files(pack, {"blender.safetensors": tmp_path / "trained.safetensors"})
    assert set(added.files) == {"generator.safetensors", "blender.safetensors"}
    assert added.space == pack.space
    added.verify()
    (pack.folder / "blender.safetensors").write_bytes((tmp_path / "generator.safetensors").read_bytes())
    with pytest.raises(PackError, match=r"blender\.safetensors"):
        open_pack(pack.folder).verify()


def test_a_newer_import_brings_its_files_and_leaves_what_was_added(pack: Pack, tmp_path: Path) -> None:
    """A file of the earlier import that the newer one has no more goes; so does the earlier encoder."""
    earlier = {
        "encoder-00.safetensors": 1,
        "encoder-01.safetensors": 2,
        "directions.safetensors": 3,
        "blender.safetensors": 4,
    }
    own = {"directions.safetensors": 5, "mine.safetensors": 6}
    newer = {"encoder.safetensors": 7, "directions.safetensors": 8, "parts.safetensors": 9, "blender.safetensors": 4}
    pack = _imported(pack.folder, "wplus", earlier)
    for name, value in own.items():
        save_file({"v": torch.full((2,), float(value))}, tmp_path / "own.safetensors")
        pack = add_files(pack, {name: tmp_path / "own.safetensors"})
    (tmp_path / "newer").mkdir()
    save_file({"w": torch.ones(3)}, tmp_path / "newer/generator.safetensors")
    renewed = renew(pack.folder, _imported(tmp_path / "newer", "psp", newer))
    renewed.verify()
    assert renewed.space == pack.space and renewed.description["encoder"] == "psp"
    assert _values(renewed) == {**newer, **own}
    assert renew(pack.folder, open_pack(tmp_path / "newer")) == renewed


def test_a_damaged_pack_is_mended_but_nothing_that_was_added_is_guessed(pack: Pack, tmp_path: Path) -> None:
    pack = _imported(pack.folder, "psp", {"encoder.safetensors": 7, "parts.safetensors": 9})
    (tmp_path / "newer").mkdir()
    save_file({"w": torch.ones(3)}, tmp_path / "newer/generator.safetensors")
    newer = _imported(tmp_path / "newer", "psp", {"encoder.safetensors": 7, "parts.safetensors": 9})
    pack.files["parts.safetensors"].unlink()
    altered = bytearray(pack.files["encoder.safetensors"].read_bytes())
    altered[-1] ^= 1
    pack.files["encoder.safetensors"].write_bytes(altered)
    renew(pack.folder, newer).verify()
    (pack.folder / "pack.json").write_text("{}")
    with pytest.raises(PackError, match=r"pack\.json"):
        renew(pack.folder, newer)


def test_an_encoder_that_was_added_stays(pack: Pack, tmp_path: Path) -> None:
    save_file({"v": torch.ones(2)}, tmp_path / "encoder-00.safetensors")
    pack = add_files(pack, {"encoder-00.safetensors": tmp_path / "encoder-00.safetensors"}, notes={"encoder": "mine"})
    (tmp_path / "newer").mkdir()
    save_file({"w": torch.ones(3)}, tmp_path / "newer/generator.safetensors")
    renewed = renew(
        pack.folder, _imported(tmp_path / "newer", "psp", {"encoder.safetensors": 7, "parts.safetensors": 9})
    )
    assert renewed.description["encoder"] == "mine"
    assert _values(renewed) == {"encoder-00.safetensors": 1, "parts.safetensors": 9}


def _imported(folder: Path, encoder: str, files: dict[str, int]) -> Pack:
    """A pack with these files, each of one value."""
    for name, value in files.items():
        save_file({"v": torch.full((2,), float(value))}, folder / name)
    description = {
        "name": "p",
        "encoder": encoder,
        "projector": "stylegan2",
        "layers": 4,
        "dim": 512,
        "resolution": 64,
    }
    return write_description(
        folder, description | {"generator": "generator.safetensors"}, ["generator.safetensors", *files]
    )


def _values(pack: Pack) -> dict[str, int]:
    files = {name: path for name, path in pack.files.items() if name != "generator.safetensors"}
    return {name: int(load_file(path)["v"][0]) for name, path in files.items()}


@pytest.mark.parametrize("name", ["generator.safetensors", "../out.safetensors", "weights.pt"])
def test_names_that_will_not_do(name: str, pack: Pack) -> None:
    with pytest.raises(UsageError):
        add_files(pack, {name: pack.folder / "generator.safetensors"})


def test_no_pack_there(tmp_path: Path) -> None:
    with pytest.raises(PackNotFoundError):
        open_pack(tmp_path)


@pytest.mark.parametrize("content", [b"junk", b""])
def test_junk_is_not_added(content: bytes, pack: Pack, tmp_path: Path) -> None:
    before = (pack.folder / "pack.json").read_bytes()
    (tmp_path / "junk.safetensors").write_bytes(content)
    with pytest.raises(PackError, match="no safetensors file"):
        add_files(pack, {"directions.safetensors": tmp_path / "junk.safetensors"})
    save_file({"age": torch.tensor([float("nan")])}, tmp_path / "nan.safetensors")
    with pytest.raises(PackError, match="NaN"):
        add_files(pack, {"directions.safetensors": tmp_path / "nan.safetensors"})
    assert (pack.folder / "pack.json").read_bytes() == before


def test_directions_that_do_not_fit_are_not_added(pack: Pack, tmp_path: Path) -> None:
    save_file({"age": torch.zeros(100)}, tmp_path / "directions.safetensors")
    code, _, error = here("models", "add", str(pack.folder), tmp_path / "directions.safetensors")
    assert (code, error.count("\n")) == (3, 1)
    assert "[100]" in error


CHANGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "layers": lambda d: d.update(layers="x"),
    "none": lambda d: d.update(layers=0),
    "resolution": lambda d: d.update(resolution="big"),
    "generator": lambda d: d.update(generator=["generator.safetensors"]),
    "unlisted_files": lambda d: d.update(generator="other.safetensors"),
    "bytes": lambda d: d["files"]["generator.safetensors"].update(bytes="x"),
    "sha256": lambda d: d["files"]["generator.safetensors"].update(sha256="short"),
    "projector": lambda d: d.update(projector=3),
    "missing": lambda d: d.pop("dim"),
    "schema": lambda d: d.update(schema=3),
    "path": lambda d: d["files"].update({"../x.safetensors": d["files"]["generator.safetensors"]}),
    "settings": lambda d: d.update(settings=[]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_description_that_is_off(name: str, pack: Pack) -> None:
    description = json.loads((pack.folder / "pack.json").read_text())
    CHANGES[name](description)
    (pack.folder / "pack.json").write_text(json.dumps(description))
    with pytest.raises(PackError, match=r"pack\.json can.t describe a pack"):
        open_pack(pack.folder)


def test_a_plugin_that_is_not_there_is_named(pack: Pack) -> None:
    description = json.loads((pack.folder / "pack.json").read_text()) | {"projector": "nobodys", "schema": 1}
    (pack.folder / "pack.json").write_text(json.dumps(description))
    with pytest.raises(PackError, match="needs the projector 'nobodys'"):
        load_backbone(pack.folder)


def test_every_flipped_bit_of_a_description_is_refused(pack: Pack) -> None:
    path = pack.folder / "pack.json"
    content = path.read_bytes()
    for bit in range(0, 8 * len(content), 3):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        with pytest.raises(PackError):
            open_pack(pack.folder)
    path.write_bytes(content.replace(b"\n", b"\r\n"))
    assert open_pack(pack.folder).description == pack.description


@pytest.mark.parametrize("large", [0, 10**9], ids=["large", "small"])
def test_a_flipped_bit_is_met_on_loading(
    large: int, pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KINBLEND_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(verify_cache, "LARGE", large)
    load_backbone(pack.folder)
    assert (tmp_path / "home" / "verified.json").exists() == (large == 0)
    path = pack.folder / "generator.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(PackError, match="was altered"):
        load_backbone(pack.folder)


def test_a_large_file_is_hashed_once(pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    monkeypatch.setattr(verify_cache, "LARGE", 0)
    monkeypatch.setattr(Pack, "verify", lambda self, names: hashed.extend(names))
    for _ in range(2):
        verify_cache.verify_for_use(pack, tmp_path / "notes.json")
    assert hashed == ["generator.safetensors"]
    (tmp_path / "notes.json").write_text("damaged")
    verify_cache.verify_for_use(pack, tmp_path / "notes.json")
    assert len(hashed) == 2


def test_finding_20_an_addition_that_is_ended_anywhere_leaves_the_old_or_the_new_pack(
    pack: Pack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each step of it that touches a file fails in turn."""
    for name, value in (("one", 1.0), ("two", 2.0)):
        save_file({"v": torch.full((3,), value)}, tmp_path / name)
    add_files(pack, {"blender.safetensors": tmp_path / "one"})
    old = sealed_in(pack.folder)
    replace = Path.replace
    for fails in range(1, 9):
        counted = iter(range(1, 99))

        def ended(path: Path, target: Path, fails: int = fails, counted: Any = counted) -> Path:
            if next(counted) == fails:
                raise KeyboardInterrupt
            return replace(path, target)

        with monkeypatch.context() as patched:
            patched.setattr(Path, "replace", ended)
            new = {"blender.safetensors": tmp_path / "two", "heredity.safetensors": tmp_path / "one"}
            try:
                add_files(pack, new)
                done = True
            except KeyboardInterrupt:
                done = False
        opened = open_pack(pack.folder)
        opened.verify()
        assert sealed_in(pack.folder) == old or set(opened.files) == {"generator.safetensors", *new}
        add_files(open_pack(pack.folder), {"blender.safetensors": tmp_path / "one"}, ["heredity.safetensors"])
        assert sealed_in(pack.folder) == old
        assert not list(pack.folder.glob(".*"))
        if done:
            return
    raise AssertionError("it never came to its end")


def sealed_in(folder: Path) -> dict[str, str]:
    return {name: about["sha256"] for name, about in open_pack(folder).description["files"].items()}


def test_finding_20_a_file_that_the_packs_own_plugins_need_is_tried_first(tmp_path: Path) -> None:
    import shutil

    shutil.copytree(load_backbone("morphable").pack.folder, tmp_path / "pack")
    before = sealed_in(tmp_path / "pack")
    save_file({"w": torch.ones(3)}, tmp_path / "detail.safetensors")
    for name in set(before) - {"generator.safetensors"}:
        code, _, error = here("models", "add", tmp_path / "pack", tmp_path / "detail.safetensors", "--as", name)
        assert code != 0 and error.count("\n") == 1, (name, code, error)
        assert sealed_in(tmp_path / "pack") == before
