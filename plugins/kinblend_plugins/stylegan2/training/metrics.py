"""What the running averages can do: reconstruction of faces they were not trained on, and sheets to look at."""

from __future__ import annotations

import math
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from kinblend.files import replacing
from kinblend.imaging import to_pictures
from kinblend_plugins.stylegan2.training import identity_loss
from kinblend_plugins.stylegan2.training.faces import to_floats
from kinblend_plugins.stylegan2.training.networks import stored_noises
from kinblend_plugins.stylegan2.training.session import Session

COLUMNS = 8
RECOGNISED = 32  # faces that the identity network looks at


@torch.no_grad()
def measure(session: Session, pixels: Tensor) -> dict[str, float]:
    """Of held-out faces, uint8 [n, 3, R, R]: the mean PSNR in dB and mean absolute difference (of 2) of their
    reconstructions, and where there is an identity network the mean distance of embeddings over the first 32."""
    ratios, differences, likenesses = [], [], []
    for number, part in enumerate(pixels.split(RECOGNISED)):
        real = to_floats(part.to(session.device))
        again = reconstruct(session, real).clamp(-1, 1)
        error = (again - real).square().mean(dim=(1, 2, 3)).clamp_min(1e-10)
        ratios.append(10 * torch.log10(4 / error))
        differences.append((again - real).abs().mean(dim=(1, 2, 3)))
        if session.identity is not None and number == 0:
            likenesses.append(float(identity_loss.distance(session.identity, again, real).mean()))
    result = {"psnr": float(torch.cat(ratios).mean()), "l1": float(torch.cat(differences).mean())}
    return result | ({"identity": likenesses[0]} if likenesses else {})


@torch.no_grad()
def reconstruct(session: Session, real: Tensor) -> Tensor:
    """float32 [n, 3, R, R] of faces [n, 3, R, R], by the running averages with the stored noise."""
    codes, _ = session.networks.average_encoder(real, session.recipe.steps_allowed(session.progress.seen))
    return render(session, codes)


@torch.no_grad()
def render(session: Session, codes: Tensor) -> Tensor:
    """float32 [n, 3, R, R] of codes [n, L, D]."""
    network = session.networks.average_generator
    answer: Tensor = network(codes, stored_noises(network)).float()
    return answer


@torch.no_grad()
def sheet(session: Session, pixels: Tensor, path: Path) -> None:
    """Write a PNG of four rows: faces, their reconstructions, the middle between each and the next, samples."""
    real = to_floats(pixels[:COLUMNS].to(session.device))
    codes, _ = session.networks.average_encoder(real, session.recipe.steps_allowed(session.progress.seen))
    z = torch.randn(len(real), session.recipe.dim, generator=torch.Generator().manual_seed(0)).to(session.device)
    w = session.networks.average_generator.mapping(z)[:, None].expand_as(codes)
    rows = [real, render(session, codes), render(session, (codes + codes.roll(-1, 0)) / 2), render(session, w)]
    with replacing(path) as part:
        tiled(torch.cat(rows), len(real)).save(part, "PNG")


def tiled(images: Tensor, columns: int) -> Image.Image:
    """Pictures [n, 3, R, R] side by side."""
    pictures = to_pictures(images)
    size, rows = pictures[0].width, math.ceil(len(pictures) / columns)
    whole = Image.new("RGB", (columns * size, rows * size))
    for place, picture in enumerate(pictures):
        whole.paste(picture, (place % columns * size, place // columns * size))
    return whole
