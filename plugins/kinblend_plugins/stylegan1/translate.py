"""Published StyleGANs → the names of `Generator`, their weights as they are used.

Weights are published at unit variance and scaled when the network runs (the equalized learning rate of Karras et al.
2018, section 4.1); here they are scaled once.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from kinblend.errors import CheckpointError
from kinblend_plugins.stylegan1.generator import MAX_STEPS
from kinblend_plugins.stylegan1.layouts import LayerNames, Layout, Names

SHOWN = 4  # names that an error lists


@dataclass
class Reader:
    """The tensors of a published generator; which were taken is kept.

    Raises `CheckpointError` naming the tensor that is missing or has another shape.
    """

    tensors: Mapping[str, Tensor]
    taken: set[str] = field(default_factory=set)

    def take(self, name: str, *shape: int | None) -> Tensor:
        """A tensor, float32; its shape has to be `shape`, None standing for any length but 0."""
        if name not in self.tensors:
            raise CheckpointError(f"lacks a tensor of its generator: {name}")
        tensor = self.tensors[name]
        fits = len(shape) == tensor.ndim and all(
            length == wanted if wanted else length > 0 for wanted, length in zip(shape, tensor.shape, strict=True)
        )
        if not fits or not tensor.is_floating_point():
            kind, wanted = str(tensor.dtype).removeprefix("torch."), [length or "any" for length in shape]
            raise CheckpointError(
                f"has the tensor {name} as {kind} {list(tensor.shape)}; "
                f"floats [{', '.join(map(str, wanted))}] are needed"
            )
        self.taken.add(name)
        return tensor.float()

    def scaled(self, name: str, *shape: int | None, gain: float = math.sqrt(2)) -> Tensor:
        """A weight, outputs first, scaled by gain / √(inputs of one output)."""
        weight = self.take(name, *shape)
        return weight * (gain / math.sqrt(weight[0].numel()))

    def refuse_rest(self, optional: str) -> None:
        """Raise `CheckpointError` where tensors are left that don't match `optional`."""
        if left := sorted(name for name in set(self.tensors) - self.taken if not re.search(optional, name)):
            more = f" and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
            raise CheckpointError(f"is no StyleGAN of 2019: no such generator has {', '.join(left[:SHOWN])}{more}")


def translate(published: Mapping[str, Tensor], layout: Layout) -> tuple[dict[str, Tensor], Names]:
    """The tensors in our names, but for the latent average and noise maps that the file lacks; and theirs.

    Raises `CheckpointError`, a sentence without its subject, naming the tensor that is missing, unknown or of another
    shape.
    """
    names, reader = layout.names(published), Reader(published)
    if not 4 <= len(names.layers) <= 2 * MAX_STEPS or not names.mapping:
        raise CheckpointError(
            f"has {len(names.layers)} layers of synthesis and {len(names.mapping)} of mapping; "
            f"4 to {2 * MAX_STEPS} and 1 or more are needed"
        )
    ours = _mapping(reader, names, layout)
    const, dim = reader.take(names.const, 1, None, 4, 4)[0], len(ours["mapping_layers.0.bias"])
    ours["const"], width = const, len(const)
    for index, layer in enumerate(names.layers):
        found = _layer(reader, layer, layout, width, dim)
        if layer.noise in published:
            size = 4 * 2 ** (index // 2)
            found["noise"] = reader.take(layer.noise, 1, 1, size, size)[0, 0]
        ours |= {f"layers.{index}.{name}": tensor for name, tensor in found.items()}
        width = len(found["bias"])
    ours["to_rgb.weight"] = reader.scaled(names.to_rgb[0], 3, width, 1, 1, gain=layout.gain)
    ours["to_rgb.bias"] = reader.take(names.to_rgb[1], 3)
    reader.refuse_rest(names.optional)
    return ours, names


def _mapping(reader: Reader, names: Names, layout: Layout) -> dict[str, Tensor]:
    dim = reader.take(names.mapping[0][1], None).numel()
    found = {}
    for index, (weight, bias) in enumerate(names.mapping):
        found[f"mapping_layers.{index}.weight"] = reader.scaled(weight, dim, dim) * layout.mapping_rate
        found[f"mapping_layers.{index}.bias"] = reader.take(bias, dim) * layout.mapping_rate
    return found


def _layer(reader: Reader, names: LayerNames, layout: Layout, before: int, dim: int) -> dict[str, Tensor]:
    """A layer of the synthesis network. before: channels of its input."""
    found = {"bias": reader.take(names.bias, None) if names.bias else torch.zeros(before)}
    width = len(found["bias"])
    if names.weight:
        found["weight"] = _kernel(reader, names, layout, width, before)
    elif width != before:
        raise CheckpointError(f"has the tensor {names.bias} of {width} values; its constant has {before} channels")
    if names.blur:
        _check_blur(reader, names.blur)
    if layout.scaled_noise:
        found["noise_strength"] = reader.take(names.noise_strength, 1, width, 1, 1).flatten() * math.sqrt(2 / width)
    else:
        found["noise_strength"] = reader.take(names.noise_strength, width)
    found["style.weight"] = reader.scaled(names.style[0], 2 * width, dim, gain=layout.gain)
    above = torch.tensor([layout.gains_above, 0.0]).repeat_interleave(width)
    found["style.bias"] = reader.take(names.style[1], 2 * width) + above
    return found


def _kernel(reader: Reader, names: LayerNames, layout: Layout, width: int, before: int) -> Tensor:
    """[outputs, inputs, 3, 3], or [inputs, outputs, 4, 4] of a transposed convolution."""
    if not names.fused:
        return reader.scaled(names.weight, width, before, 3, 3)
    shape = dict(zip(layout.fused_order, (before, width, 3, 3), strict=True))
    weight = reader.take(names.weight, *(shape[place] for place in range(4))).permute(layout.fused_order)
    wide = F.pad(weight * (layout.fused_share * math.sqrt(2 / (before * 9))), [1, 1, 1, 1])
    # The kernel at four places: what enlarging by repetition and convolving would come to.
    return wide[..., 1:, 1:] + wide[..., :-1, 1:] + wide[..., 1:, :-1] + wide[..., :-1, :-1]


def _check_blur(reader: Reader, name: str) -> None:
    """Raise `CheckpointError` for another low-pass filter than [1, 2, 1] / 4, where the file holds one."""
    if name not in reader.tensors:
        return
    kernel, taps = reader.take(name, None, 1, 3, 3), torch.tensor([0.25, 0.5, 0.25])
    if not torch.allclose(kernel, torch.outer(taps, taps).expand_as(kernel), atol=1e-4):
        raise CheckpointError(f"blurs by another kernel than [1, 2, 1]: its tensor {name}")
