"""A published StyleGAN3 by its names: what its layers are, and what its file says of them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from kinblend.errors import CheckpointError

ANCHOR = "input.freqs"  # the tensor that tells a StyleGAN3, after `synthesis.` or not
LAYER = r"(?:synthesis\.)?(L(\d+)_(\d+)_(\d+))\."
SHOWN = 4  # names that an error lists


@dataclass(frozen=True)
class LayerName:
    """L0_36_512: name, side of the output in pixels, channels."""

    name: str
    size: int
    channels: int


@dataclass
class Published:
    """The tensors of one generator, `synthesis.` and `mapping.` before their names or not; which were taken is kept.

    settings: of the whole file by dotted name. root: what stands before the generator's names in it.
    """

    tensors: Mapping[str, Tensor]
    settings: Mapping[str, Any]
    root: str
    taken: set[str] = field(default_factory=set)

    def layers(self) -> list[LayerName]:
        """The layers of synthesis in order. Raises `CheckpointError` where one is missing or named twice."""
        found: dict[int, LayerName] = {}
        for tensor in self.tensors:
            if matched := re.match(LAYER, tensor):
                layer = LayerName(matched[1], int(matched[3]), int(matched[4]))
                if found.setdefault(int(matched[2]), layer) != layer:
                    raise CheckpointError(f"has two layers {matched[2]}: {found[int(matched[2])].name}, {layer.name}")
        if sorted(found) != list(range(len(found))):
            raise CheckpointError("lacks layers of its generator: its synthesis.L* are not L0, L1, …")
        return [found[index] for index in range(len(found))]

    def mapping(self) -> list[str]:
        """The layers of mapping, in order: "fc0" …"""
        found = {int(matched[1]) for name in self.tensors if (matched := re.match(r"(?:mapping\.)?fc(\d+)\.", name))}
        return [f"fc{index}" for index in sorted(found)]

    def take(self, part: str, name: str, *shape: int | None) -> Tensor:
        """A tensor, float32. part: "synthesis" or "mapping". shape: what it has to be, None for any length but 0.

        Raises `CheckpointError` naming the tensor that is missing or has another shape.
        """
        full = self._full(part, name)
        if full is None:
            raise CheckpointError(f"lacks a tensor of its generator: {part}.{name}")
        tensor = self.tensors[full]
        fits = len(shape) == tensor.ndim and all(
            length == wanted if wanted else length > 0 for wanted, length in zip(shape, tensor.shape, strict=True)
        )
        if not fits or not tensor.is_floating_point():
            kind, wanted = str(tensor.dtype).removeprefix("torch."), [length or "any" for length in shape]
            raise CheckpointError(
                f"has the tensor {full} as {kind} {list(tensor.shape)}; "
                f"floats [{', '.join(map(str, wanted))}] are needed"
            )
        self.taken.add(full)
        return tensor.float()

    def find(self, part: str, name: str) -> Tensor | None:
        """A tensor that may lack, float32, whatever its shape."""
        full = self._full(part, name)
        if full is None:
            return None
        self.taken.add(full)
        return self.tensors[full].float()

    def setting(self, name: str) -> float | None:
        """A number that the file says of one part ("synthesis.input.bandwidth"), or of the whole ("first_cutoff")."""
        found = self.settings.get(f"{self.root}{name}")
        if found is None and "." not in name:
            full = [key for key in self.settings if key.rpartition(".")[2] == name]
            found = self.settings[min(full, key=lambda key: key.count("."))] if full else None
        try:
            number = math.nan if found is None or isinstance(found, bool) else float(found)
        except (TypeError, ValueError, OverflowError):
            return None
        return number if math.isfinite(number) else None

    def clamps(self) -> set[Any]:
        """Where layers cut values off, as far as the file says so."""
        return {
            value
            for key, value in self.settings.items()
            if key.startswith(self.root) and key.endswith(".conv_clamp") and re.search(LAYER, key)
        }

    def refuse_rest(self) -> None:
        """Raise `CheckpointError` where tensors are left that were not taken."""
        if left := sorted(set(self.tensors) - self.taken):
            more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
            raise CheckpointError(f"is no StyleGAN3 without labels: no such one has {', '.join(left[:SHOWN])}{more}")

    def _full(self, part: str, name: str) -> str | None:
        return next((full for full in (f"{part}.{name}", name) if full in self.tensors), None)


def resembles(name: str) -> bool:
    """Whether a tensor is of a StyleGAN3's synthesis network."""
    return bool(re.search(r"(^|\.)L\d+_\d+_\d+\.", name))
