"""Writes what was found in a checkpoint as a model pack."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors.torch import save_file
from torch import Tensor

from kinblend.checkpoints import validate_tensors
from kinblend.errors import CheckpointError
from kinblend.files import replacing
from kinblend.packs import write_description
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
        validate_tensors(checkpoint, tensors)
        with replacing(out / f"{part}.safetensors") as target:
            save_file(_apart({key: _as_floats(checkpoint, key, t) for key, t in tensors.items()}), target)
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


def _apart(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors, each in memory of its own, as safetensors asks: those that are not are copied."""
    used = Counter(tensor.untyped_storage().data_ptr() for tensor in tensors.values())
    return {
        name: tensor if _is_alone(tensor) and used[tensor.untyped_storage().data_ptr()] == 1 else tensor.clone()
        for name, tensor in tensors.items()
    }


def _is_alone(tensor: Tensor) -> bool:
    """Whether its memory holds nothing else."""
    return tensor.untyped_storage().nbytes() == tensor.nbytes


def _as_floats(checkpoint: Path, name: str, tensor: Tensor) -> Tensor:
    """The tensor as float32; counters of a normalisation stay as they are."""
    if tensor.is_floating_point():
        return tensor.detach().float().contiguous()
    if name.endswith("num_batches_tracked"):
        return tensor.contiguous()
    kind = str(tensor.dtype).removeprefix("torch.")
    raise CheckpointError(
        f"{checkpoint}: its tensor {name} is {kind}; weights are float32, float16, bfloat16 or float64"
    )
