"""Maps of the parts of a face are made by looking at a backbone's own pictures."""

from pathlib import Path

import pytest
import torch

from kinblend.errors import OptionError, UnsupportedError
from kinblend_plugins.blenders.part_maps import load_part_maps
from kinblend_plugins.blenders.training.options import PartsTrainOptions
from kinblend_plugins.blenders.training.parts import train


def test_a_backbone_that_draws_nobody_is_told_from_its_mean_face(tmp_path: Path) -> None:
    told: list[str] = []
    options = PartsTrainOptions(backbone="morphable", parts=("nose", "eyes"))
    maps = load_part_maps(train(options, tmp_path / "parts.safetensors", told.append))
    assert list(maps) == ["eyes", "nose"] and len(told) == 2
    for part in maps.values():
        assert float(part.shape.max()) > 0.9 and float(part.shape.mean()) < 0.1
        assert bool((part.colour <= part.shape).all())
    rows = [(part.shape.sum(1) * torch.arange(128)).sum() / part.shape.sum() for part in maps.values()]
    assert rows[0] < rows[1], "eyes are above the nose"
    assert float(maps["eyes"].colour.max()) > 0.5 and not bool(maps["nose"].colour.any())


def test_the_packs_own_maps_are_these(tmp_path: Path) -> None:
    from kinblend import load_backbone

    mine = load_part_maps(
        train(PartsTrainOptions(backbone="morphable", parts=("mouth",)), tmp_path / "x.safetensors")
    )
    shipped = load_part_maps(load_backbone("morphable").pack.files["parts.safetensors"])
    assert float((mine["mouth"].shape - shipped["mouth"].shape).abs().max()) < 0.05


def test_unknown_parts_and_other_projectors_are_refused_first(tmp_path: Path, e4e_pack: Path) -> None:
    out = tmp_path / "parts.safetensors"
    with pytest.raises(OptionError, match="no part 'ears'; there are: eyes, brows"):
        train(PartsTrainOptions(backbone="morphable", parts=("ears",)), out)
    with pytest.raises(UnsupportedError, match=r"stylegan2.* can't draw parts of a face.*BlendsRegions"):
        train(PartsTrainOptions(backbone=str(e4e_pack)), out)
    assert not out.exists()
