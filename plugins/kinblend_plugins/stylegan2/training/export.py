"""The running averages as a model pack."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from kinblend.files import replacing
from kinblend.packs import Pack, write_description
from kinblend_plugins.stylegan2.encoder_network import average_into_biases
from kinblend_plugins.stylegan2.names import to_nvidia
from kinblend_plugins.stylegan2.training.faces import to_floats
from kinblend_plugins.stylegan2.training.session import Session

GENERATOR, ENCODER = "generator.safetensors", "encoder.safetensors"
BATCH = 32


def export(session: Session, out: Path) -> Pack:
    """Write generator.safetensors (NVIDIA's names), encoder.safetensors (with `latent_avg`) and pack.json."""
    networks, recipe = session.networks, session.recipe
    average = mean_code(session)
    encoder = average_into_biases(networks.average_encoder, average) | {"latent_avg": average}
    generator = dict(networks.average_generator.state_dict())
    # Without w_avg the projector starts and truncates at latent_avg: the mean of faces, not of samples.
    del generator["w_avg"]
    _save(to_nvidia(generator), out / GENERATOR)
    _save(encoder, out / ENCODER)
    description = {
        "name": recipe.name,
        "encoder": "compact",
        "projector": "stylegan2",
        "layers": recipe.layers,
        "dim": recipe.dim,
        "resolution": recipe.resolution,
        "generator": GENERATOR,
        "settings": {"widths": recipe.widths, "depth": recipe.depth},
        "summary": f"A small StyleGAN2 and its encoder, {recipe.resolution} px, after {session.progress.seen} faces",
        "training_data": f"{len(session.pixels)} faces of {recipe.faces.name}",
        "licence": "that of the faces it was trained on",
        "source": f"kinblend train backbone stylegan2 ({session.progress.seconds / 60:.0f} minutes)",
    }
    return write_description(out, description, [GENERATOR, ENCODER])


@torch.no_grad()
def mean_code(session: Session) -> Tensor:
    """The mean of the averaged encoder's codes of the training faces, float32 [L, D]."""
    steps = session.recipe.steps_allowed(session.progress.seen)
    total = torch.zeros(session.recipe.layers, session.recipe.dim)
    for part in session.pixels.split(BATCH):
        codes, _ = session.networks.average_encoder(to_floats(part.to(session.device)), steps)
        total += codes.sum(0).cpu()
    return total / len(session.pixels)


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    with replacing(path) as part:
        save_file({name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}, part)
