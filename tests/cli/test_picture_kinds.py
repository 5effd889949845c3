"""`--out x.jpg` writes a JPEG, `.webp` a WebP, wherever a picture is written."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from hard_faces import photograph
from PIL import Image
from plugin_site import here

pytestmark = pytest.mark.skipif(
    find_spec("openpeople") is None, reason="the example people (openpeople) are not installed"
)
KINDS = {".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP", ".png": "PNG"}


def kind_of(path: Path) -> str | None:
    with Image.open(path) as image:
        return image.format


@pytest.fixture(scope="module")
def parents(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("parents")
    for person in ("P005", "P002"):
        photograph(person).save(folder / f"{person}.png")
    return folder / "P005.png", folder / "P002.png"


@pytest.mark.parametrize("suffix", KINDS)
def test_a_run_named_after_a_picture_writes_that_kind(
    suffix: str, parents: tuple[Path, Path], tmp_path: Path
) -> None:
    words = ["--blender", "average", "--no-judge", "--backbone", "morphable", "--children", 2, "--sheet", "--json"]
    target = tmp_path / "new" / f"anna{suffix}"
    code, said, told = here("run", "--father", parents[0], "--mother", parents[1], "--out", target, *words)
    assert code == 0, told
    names = {f"anna{suffix}", f"anna-2{suffix}", f"anna-sheet{suffix}"}
    names |= {"anna.safetensors", "anna-2.safetensors", "anna.json"}
    assert {path.name for path in (tmp_path / "new").iterdir()} == names
    assert set(map(Path, json.loads(said)["files"])) == set((tmp_path / "new").iterdir())
    for name in names:
        if name.endswith(suffix):
            assert kind_of(tmp_path / "new" / name) == KINDS[suffix]


@pytest.mark.parametrize("suffix", KINDS)
def test_align_and_render_do_so(suffix: str, parents: tuple[Path, Path], tmp_path: Path) -> None:
    crop, latent, shown = tmp_path / f"a{suffix}", tmp_path / "a.safetensors", tmp_path / f"b{suffix}"
    assert here("align", parents[0], "--out", crop)[0] == 0
    assert here("encode", parents[0], "--backbone", "morphable", "--out", latent)[0] == 0
    assert here("render", latent, "--out", shown)[0] == 0
    assert kind_of(crop) == kind_of(shown) == KINDS[suffix]


def test_a_folder_of_such_a_name_stays_a_folder_and_other_kinds_are_refused(
    parents: tuple[Path, Path], tmp_path: Path
) -> None:
    latent = tmp_path / "a.safetensors"
    assert here("encode", parents[0], "--backbone", "morphable", "--out", latent)[0] == 0
    (tmp_path / "pictures.jpg").mkdir()
    assert here("render", latent, "--out", tmp_path / "pictures.jpg")[0] == 0
    assert (tmp_path / "pictures.jpg" / "a.png").is_file()
    code, _, told = here("align", parents[0], "--out", tmp_path / "a.tif")
    assert code == 2 and ".jpg" in told
    (tmp_path / "b.safetensors").write_bytes(latent.read_bytes())
    code, _, told = here("render", latent, tmp_path / "b.safetensors", "--out", tmp_path / "c.jpg")
    assert code == 2 and "name a folder" in told and not (tmp_path / "c.jpg").exists()
