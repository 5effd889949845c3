"""Writes what was found in a checkpoint as a model pack."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from kinblend.packs import write_description, write_tensors
from kinblend_plugins.importers.ffhq import copy_directions, is_ffhq


@dataclass
class Imported:
    """What a pack is made of.

    parts: the tensors of "generator" and, where there is one, "encoder". average: the mean w, [D], where it is known.
    encoder: the plugin that runs the encoder. note: what the user has to be told. source: who publishes such files.
    """

    parts: dict[str, dict[str, Tensor]]
    resolution: int
    dim: int
    settings: dict[str, Any] = field(default_factory=dict)
    average: Tensor | None = None
    encoder: str | None = None
    note: str = ""
    source: str = ""

    @property
    def generator(self) -> dict[str, Tensor]:
        """The tensors of the generator."""
        return self.parts["generator"]

    @property
    def layers(self) -> int:
        """Layers of a code."""
        return 2 * (self.resolution.bit_length() - 1) - 2


def write_pack(checkpoint: Path, out: Path, name: str, made: Imported) -> Path:
    """Write the parts, and directions where the generator's mean w is that of StyleGAN2-FFHQ.

    Raises `CheckpointError` for tensors that are no numbers of a network.
    """
    out.mkdir(parents=True, exist_ok=True)
    files = [f"{part}.safetensors" for part in made.parts]
    for part, tensors in made.parts.items():
        write_tensors(out / f"{part}.safetensors", tensors, checkpoint)
    description = {
        "name": name,
        "summary": f"StyleGAN2 at {made.resolution} px, imported from a checkpoint of {made.source}",
        "encoder": made.encoder,
        "projector": "stylegan2",
        "layers": made.layers,
        "dim": made.dim,
        "resolution": made.resolution,
        "generator": "generator.safetensors",
        "settings": made.settings,
        "source": made.source,
    }
    if made.note:
        description["note"] = made.note
    if made.average is not None and is_ffhq(made.layers, made.average):
        files.append(copy_directions(out))
    write_description(out, description, files)
    return out
