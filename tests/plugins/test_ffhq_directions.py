"""Imported generators in the space of StyleGAN2-FFHQ get directions, others none."""

from pathlib import Path

import pytest
import torch
from published_checkpoints import in_nvidias_names, in_rosinalitys_names, toy, write_nvidia, write_rosinality
from safetensors.torch import load_file

from kinblend import Engine, Latent
from kinblend.pack_import import import_pack
from kinblend.storage.packs import Pack
from kinblend_plugins.importers.ffhq import SHIPPED

MEAN = load_file(SHIPPED)["mean.w"].float()


def imported(kind: str, folder: Path, size: int = 1024, average: torch.Tensor = MEAN) -> Pack:
    generator, path = toy(size, 2), folder / {"nvidia": "n.pkl", "rosinality": "r.pt"}[kind]
    generator.w_avg.copy_(average)
    if kind == "nvidia":
        write_nvidia(path, in_nvidias_names(generator))
    else:
        write_rosinality(path, in_rosinalitys_names(generator), latent_avg=average)
    return import_pack(path, folder / "packs", "mine")


@pytest.mark.parametrize("kind", ["nvidia", "rosinality"])
def test_a_generator_with_the_mean_of_ffhq_gets_directions(kind: str, tmp_path: Path) -> None:
    noise = torch.randn(512, generator=torch.Generator().manual_seed(0))
    pack = imported(kind, tmp_path, average=MEAN + 0.1 * MEAN.norm() * noise / noise.norm())
    pack.verify()
    engine = Engine(pack.folder)
    face = Latent(MEAN.expand(18, 512).contiguous(), engine.backbone.space)
    editor = engine.editor()
    young, old = (engine.edit(face, editor, {"age": f"{years}y"}) for years in (8, 60))
    codes = editor._packed.undo(torch.stack([latent.code for latent in (young, face, old)]))
    seen = editor._known("age").reading(codes).tolist()
    assert seen[0] == pytest.approx(8, abs=0.5)
    assert seen[2] == pytest.approx(60, abs=0.5)
    assert 15 < seen[1] < 50
    moved = (old.code - face.code).norm(dim=1)
    assert moved[:11].min() > 1
    assert moved[11:].max() < moved[:11].min() / 2


@pytest.mark.parametrize("size", [512, 1024])
def test_a_generator_with_another_space_gets_none(size: int, tmp_path: Path) -> None:
    average = MEAN if size == 512 else MEAN.flip(0)
    assert "directions.safetensors" not in imported("nvidia", tmp_path, size, average).files
