"""Which pack is used where nobody names one."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from kinblend.backbone import choose_backbone
from kinblend.errors import PackNotFoundError
from kinblend.packs import PackSource, write_description
from kinblend.plugins import load_plugins
from kinblend.storage.pack_index import preferred_pack

SHIPPED = PackSource("shipped", "", preferred=1)
PULLED = PackSource("pulled", "", preferred=10)
OTHER = PackSource("other", "")


def write(folder: Path, encoder: str | None = "morphable") -> Path:
    folder.mkdir(parents=True)
    save_file({"w": torch.ones(3)}, folder / "generator.safetensors")
    description = {"name": folder.name, "encoder": encoder, "projector": "morphable", "layers": 4, "dim": 512}
    known = description | {"resolution": 64, "generator": "generator.safetensors"}
    write_description(folder, known, ["generator.safetensors"])
    return folder


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, PackSource]:
    write(tmp_path / "home" / "other")
    shipped = replace(SHIPPED, folder=write(tmp_path / "plugin" / "shipped"))
    return {source.name: source for source in (OTHER, shipped, PULLED)}


def test_the_most_preferred_of_those_that_are_here(tmp_path: Path, sources: dict[str, PackSource]) -> None:
    assert preferred_pack(tmp_path / "home", sources) == "shipped"
    write(tmp_path / "home" / "pulled")
    assert preferred_pack(tmp_path / "home", sources) == "pulled"


def test_a_pack_without_an_encoder_is_no_default(tmp_path: Path, sources: dict[str, PackSource]) -> None:
    write(tmp_path / "home" / "pulled", encoder=None)
    assert preferred_pack(tmp_path / "home", sources) == "shipped"


def test_no_pack_is_preferred(tmp_path: Path, sources: dict[str, PackSource]) -> None:
    with pytest.raises(PackNotFoundError, match="name one"):
        preferred_pack(tmp_path / "home", {"other": sources["other"]})


def test_a_name_beats_the_settings_and_these_what_plugins_prefer(
    tmp_path: Path, sources: dict[str, PackSource], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(load_plugins(), "packs", sources)
    monkeypatch.setenv("KINBLEND_HOME", str(tmp_path))
    monkeypatch.setenv("KINBLEND_BACKBONE", "set")
    assert [str(choose_backbone(name)) for name in ("named", None)] == ["named", "set"]
    monkeypatch.delenv("KINBLEND_BACKBONE")
    assert choose_backbone() == "shipped"


def test_the_embedded_pack_is_the_default_of_a_bare_machine(tmp_path: Path) -> None:
    assert preferred_pack(tmp_path, load_plugins().packs) == "morphable"


def test_a_pulled_generator_of_whole_heads_is_preferred_to_the_embedded_pack() -> None:
    packs = load_plugins().packs
    assert packs["ffhq-mobile"].preferred > packs["morphable"].preferred > 0
