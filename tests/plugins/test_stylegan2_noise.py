"""Noise maps of a child."""

from pathlib import Path

import pytest
import torch
from published_checkpoints import in_nvidias_names, toy, write_nvidia

from kinblend import Latent, WeightMap, load_backbone
from kinblend.pack_import import import_pack


@pytest.mark.parametrize("alike", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 1.0])
def test_a_childs_noise_has_its_parents_contrast_however_alike_they_are(
    alike: float, share: float, tmp_path: Path
) -> None:
    write_nvidia(tmp_path / "n.pkl", in_nvidias_names(toy(64)))
    backbone = load_backbone(import_pack(tmp_path / "n.pkl", tmp_path / "packs", "toy").folder)
    source, projector = torch.Generator().manual_seed(0), backbone.projector
    code = torch.zeros(backbone.space.layers, backbone.space.dim)
    maps = [{}, {}]
    for conv, name in zip(projector._convs(), projector._names(), strict=True):
        first, other = torch.randn(2, *conv.noise.shape, generator=source)
        maps[0][name] = first.half()
        maps[1][name] = (alike * first + (1 - alike**2) ** 0.5 * other).half()
    father, mother = (Latent(code, backbone.space, detail) for detail in maps)
    weights = WeightMap(torch.full(code.shape, share), backbone.space)
    for name, blended in projector.blend_detail(father, mother, weights, projector.options).items():
        ours, theirs = (float(some[name].float().std()) for some in maps)
        assert float(blended.float().std()) == pytest.approx(share * ours + (1 - share) * theirs, rel=0.01)
