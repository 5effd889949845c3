"""A published StyleGAN3 → the names of `Generator`, its weights as they are used, and how its layers are sampled.

Weights are published at unit variance and scaled when the network runs; here they are scaled once.
"""

from __future__ import annotations

import math
from dataclasses import fields

import torch
from torch import Tensor

from kinblend.errors import CheckpointError
from kinblend_plugins.stylegan3.filters import Design
from kinblend_plugins.stylegan3.geometry import MAX_LAYERS, MAX_MARGIN, MAX_SIZE, Geometry, Sampling
from kinblend_plugins.stylegan3.published import LayerName, Published

MAPPING_RATE = 0.01  # the learning-rate multiplier of the mapping network
NEAR = 1e-5  # by how much the taps of a filter may differ from the designed ones
ASK = "give its .pkl, which says how it is designed, or keep its own {names} beside the tensors"


def translate(published: Published) -> tuple[dict[str, Tensor], Geometry]:
    """The tensors in our names, and the geometry.

    Raises `CheckpointError`, a sentence without its subject, naming the tensor that is missing, unknown or of another
    shape, and for what is no StyleGAN3 without labels.
    """
    if any(name.startswith(("mapping.embed.", "embed.")) for name in published.tensors):
        raise CheckpointError("is a conditional generator (c_dim > 0); one without labels is needed")
    layers = published.layers()
    if not 2 < len(layers) <= MAX_LAYERS:
        raise CheckpointError(f"has {len(layers)} layers of synthesis; 3 to {MAX_LAYERS} are read")
    tensors = _mapping(published)
    dim = len(tensors["w_avg"])
    tensors |= _input(published, dim)
    before = len(tensors["input.phases"])
    for index, layer in enumerate(layers):
        found = _layer(published, layer, before, dim, index == len(layers) - 1)
        tensors |= {f"layers.{index}.{name}": tensor for name, tensor in found.items()}
        before = layer.channels
    published.refuse_rest()
    geometry = _told(published, layers) or _designed(published, layers, tensors)
    _require_filters(layers, geometry.check(), tensors)
    return tensors, geometry


def _mapping(published: Published) -> dict[str, Tensor]:
    names = published.mapping()
    if not names:
        raise CheckpointError("lacks the mapping network of its generator: mapping.fc0.weight")
    dim = published.take("mapping", f"{names[0]}.bias", None).numel()
    found = {"w_avg": published.take("mapping", "w_avg", dim)}
    for index, name in enumerate(names):
        said = published.setting(f"mapping.{name}.bias_gain")
        rate = MAPPING_RATE if said is None else said
        weight = published.take("mapping", f"{name}.weight", dim, dim)
        found[f"mapping_layers.{index}.weight"] = weight * (rate / math.sqrt(dim))
        found[f"mapping_layers.{index}.bias"] = published.take("mapping", f"{name}.bias", dim) * rate
    return found


def _input(published: Published, dim: int) -> dict[str, Tensor]:
    phases = published.take("synthesis", "input.phases", None)
    channels = len(phases)
    transform = published.find("synthesis", "input.transform")
    if transform is not None and transform.shape != (3, 3):
        raise CheckpointError(f"has the tensor synthesis.input.transform as {list(transform.shape)}, not [3, 3]")
    return {
        "input.phases": phases,
        "input.frequencies": published.take("synthesis", "input.freqs", channels, 2),
        "input.transform": torch.eye(3) if transform is None else transform,
        "input.weight": published.take("synthesis", "input.weight", channels, channels) / math.sqrt(channels),
        "input.affine.weight": published.take("synthesis", "input.affine.weight", 4, dim) / math.sqrt(dim),
        "input.affine.bias": published.take("synthesis", "input.affine.bias", 4),
    }


def _layer(published: Published, layer: LayerName, before: int, dim: int, last: bool) -> dict[str, Tensor]:
    """A layer of synthesis. before: channels of its input."""
    own = f"{layer.name}."
    weight = published.take("synthesis", f"{own}weight", 3 if last else layer.channels, before, None, None)
    side = weight.shape[-1]
    if weight.shape[2] != side or side not in (1, 3):
        raise CheckpointError(f"has kernels of {weight.shape[2]} × {side} in synthesis.{own}weight; 1 and 3 are read")
    magnitude = published.take("synthesis", f"{own}magnitude_ema")
    if float(magnitude) <= 0:
        raise CheckpointError(f"has the tensor synthesis.{own}magnitude_ema of {float(magnitude)}; it is above 0")
    affine = published.take("synthesis", f"{own}affine.weight", before, dim)
    # The last layer is not demodulated: its styles are scaled in place of its weights.
    share = 1 / math.sqrt(weight[0].numel()) if last else 1.0
    found = {
        "weight": weight if last else weight * _inverse_size(weight, f"synthesis.{own}weight"),
        "bias": published.take("synthesis", f"{own}bias", len(weight)),
        "gain": magnitude.rsqrt(),
        "affine.weight": affine * (share / math.sqrt(dim)),
        "affine.bias": published.take("synthesis", f"{own}affine.bias", before) * share,
    }
    for which, dims in (("up_filter", (1,)), ("down_filter", (1, 2))):
        if (taps := published.find("synthesis", own + which)) is not None:
            if taps.ndim not in dims or len(set(taps.shape)) > 1:
                raise CheckpointError(f"has the filter synthesis.{own}{which} as {list(taps.shape)}")
            found[which] = taps
    return found


def _inverse_size(weight: Tensor, name: str) -> Tensor:
    """What brings each output's weights to a mean square of 1."""
    size = weight.square().mean(dim=(1, 2, 3), keepdim=True)
    if not bool((size > 0).all()):
        raise CheckpointError(f"has an output without weights in its tensor {name}")
    return size.rsqrt()


def _told(published: Published, layers: list[LayerName]) -> Geometry | None:
    """The geometry that a `.pkl` says; None where the file says nothing of it."""
    samplings = []
    for layer in layers:
        said = [published.setting(f"synthesis.{layer.name}.{which}_factor") for which in ("up", "down")]
        if None in said:
            return None
        samplings.append(Sampling(layer.size, *(int(factor) for factor in said if factor is not None)))
    rate, bandwidth = (published.setting(f"synthesis.input.{which}") for which in ("sampling_rate", "bandwidth"))
    if rate is None or bandwidth is None:
        return None
    scale = published.setting("synthesis.output_scale")
    return Geometry(int(rate), bandwidth, tuple(samplings), _clamp(published), 0.25 if scale is None else scale)


def _require_filters(layers: list[LayerName], geometry: Geometry, tensors: dict[str, Tensor]) -> None:
    for index, (layer, sampling) in enumerate(zip(layers, geometry.layers, strict=True)):
        for which, factor in (("up_filter", sampling.up), ("down_filter", sampling.down)):
            if factor > 1 and f"layers.{index}.{which}" not in tensors:
                raise CheckpointError(f"lacks a tensor of its generator: synthesis.{layer.name}.{which}")


def _designed(published: Published, layers: list[LayerName], tensors: dict[str, Tensor]) -> Geometry:
    """The geometry of NVIDIA's design; its filters go among the tensors, or are compared with those there."""
    design = _design(published, layers)
    if [layer.size for layer in layers] != design.sizes():
        raise CheckpointError(f"has layers of other sizes than NVIDIA's design ({_sizes(layers)}); {_ask()}")
    rates = [design.rates()[0], *design.rates()]
    radial = _is_radial(tensors)
    samplings = []
    for index, layer in enumerate(layers[:-1]):
        fine = max(rates[index], rates[index + 1]) * design.lrelu_upsampling
        samplings.append(Sampling(layer.size, fine // rates[index], fine // rates[index + 1]))
        for which, taps in zip(("up_filter", "down_filter"), design.filters(index, radial), strict=True):
            name = f"layers.{index}.{which}"
            given = tensors.setdefault(name, taps)
            if given.shape != taps.shape or not torch.allclose(given, taps, rtol=0, atol=NEAR):
                raise CheckpointError(f"has another filter in synthesis.{layer.name}.{which} than NVIDIA's; {_ask()}")
    samplings.append(Sampling(layers[-1].size, 1, 1))
    scale = published.setting("output_scale")
    return Geometry(
        rates[0], design.first_cutoff, tuple(samplings), _clamp(published), 0.25 if scale is None else scale
    )


def _design(published: Published, layers: list[LayerName]) -> Design:
    """NVIDIA's numbers, or those that are kept beside the tensors."""
    known = {"resolution": layers[-1].size, "layers": len(layers)}
    said = {name: published.setting(name) for name in _hyperparameters()}
    kept = {name: int(value) if value.is_integer() else value for name, value in said.items() if value is not None}
    design = Design(**{**known, **kept})  # type: ignore[arg-type]
    whole = (design.margin_size, design.filter_size, design.lrelu_upsampling, design.num_critical)
    fits = (
        4 <= design.resolution <= MAX_SIZE
        and all(isinstance(number, int) and 0 <= number <= MAX_MARGIN for number in whole)
        and design.num_critical < design.layers - 1
        and min(design.filter_size, design.lrelu_upsampling) > 0
        and 0 < design.first_cutoff <= design.first_stopband <= MAX_SIZE
        and 1 <= design.last_stopband_rel <= 4
    )
    if not fits:
        raise CheckpointError(f"is designed with numbers that no StyleGAN3 has ({design})")
    return design


def _is_radial(tensors: dict[str, Tensor]) -> bool:
    """Whether it is of configuration R: by its filters, or by its kernels where the file has no filters."""
    filters = [tensor for name, tensor in tensors.items() if name.endswith(".down_filter")]
    return any(taps.ndim == 2 for taps in filters) if filters else tensors["layers.0.weight"].shape[-1] == 1


def _clamp(published: Published) -> float | None:
    """Where layers cut values off: what the file says, or NVIDIA's 256."""
    found = published.clamps()
    if len(found) > 1 or any(isinstance(value, str) for value in found):
        raise CheckpointError(f"clamps its layers at different values ({found}), which is not read")
    [clamp] = found or {256.0}
    return None if clamp is None else float(clamp)


def _hyperparameters() -> list[str]:
    return [each.name for each in fields(Design) if each.name not in ("resolution", "layers")]


def _ask() -> str:
    return ASK.format(names=", ".join(_hyperparameters()))


def _sizes(layers: list[LayerName]) -> str:
    return ", ".join(str(layer.size) for layer in layers[:16])
