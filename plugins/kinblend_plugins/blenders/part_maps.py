"""Where the parts of a face are in a backbone's pictures, as soft maps in a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor

from kinblend.checkpoints import validate_tensors
from kinblend.errors import CheckpointError
from kinblend.faces import PARTS
from kinblend.files import replacing
from kinblend.tensor_files import SafetensorError, load_file

FILE = "parts.safetensors"
SHAPE, COLOUR = "shape.", "colour."
LARGEST = 1024  # px of a map's side


class PartMap(NamedTuple):
    """Both float32 [S, S] in [0, 1] over a picture in FFHQ geometry. shape: how far forms there belong to the part.
    colour: how far colours do, too."""

    shape: Tensor
    colour: Tensor


def save_part_maps(path: Path, maps: Mapping[str, PartMap], source: str) -> None:
    """Write them as uint8. source: what they were made of, for whoever opens the file."""
    tensors = {}
    for name, part in maps.items():
        for prefix, values in ((SHAPE, part.shape), (COLOUR, part.colour)):
            tensors[prefix + name] = (values * 255).round().clamp(0, 255).to(torch.uint8).contiguous()
    with replacing(path) as file:
        save_file(tensors, file, {"source": source})


def load_part_maps(path: Path) -> dict[str, PartMap]:
    """The maps by the part's name. Raises `CheckpointError` that names the tensor which does not fit."""
    try:
        tensors = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} can't be read: {error}") from error
    validate_tensors(path, tensors)
    names = [name.removeprefix(SHAPE) for name in tensors if name.startswith(SHAPE)]
    wanted = {prefix + name for name in names for prefix in (SHAPE, COLOUR)}
    if not names or set(tensors) != wanted:
        odd = ", ".join(sorted(set(tensors) ^ wanted)) or "nothing"
        raise CheckpointError(f"{path} holds no maps of parts, a shape.NAME and a colour.NAME for each: {odd}")
    for name, values in tensors.items():
        square = values.ndim == 2 and values.shape[0] == values.shape[1]
        if values.dtype != torch.uint8 or not square or not 0 < len(values) <= LARGEST:
            dtype = str(values.dtype).removeprefix("torch.")
            raise CheckpointError(f"{path}: {name} must be uint8 [S, S], not {dtype} {list(values.shape)}")
    names.sort(key=lambda name: (PARTS.index(name) if name in PARTS else len(PARTS), name))
    return {name: PartMap(*(tensors[prefix + name].float() / 255 for prefix in (SHAPE, COLOUR))) for name in names}
