"""A published StyleGAN of 2019 → a model pack. Nothing of the file is executed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from kinblend.checkpoints import Contents, read_contents, validate_tensors
from kinblend.errors import CheckpointError
from kinblend.packs import write_description, write_tensors
from kinblend_plugins.stylegan1.layers import SLOPE, normalize
from kinblend_plugins.stylegan1.layouts import GENFORCE, INTERFACEGAN, LAYOUTS, LERNAPPARAT, ROSINALITY, Layout
from kinblend_plugins.stylegan1.translate import translate

DRAWS, AT_ONCE = 10_000, 2_000  # codes that the latent average is made of, where the file has none

# Parts of such generators by names that only they have, and what stands for the generator that is missing.
PARTS = (
    (r"(^|\.)g_(mapping|synthesis)\.", LERNAPPARAT),
    (r"(^|\.)(progression\.\d+\.|style\.\d+\.linear\.weight_orig$)", ROSINALITY),
    (r"(^|\.)synthesis\.layer\d+\.apply_noise\.", GENFORCE),
    (r"(^|\.)synthesis\.layer\d+\.epilogue\.", INTERFACEGAN),
)


def import_stylegan1(checkpoint: Path, out: Path, name: str) -> Path | None:
    """A generator in one of the layouts of `layouts` → a pack; None where there is none.

    The latent average is the file's own, or else the mean of 10,000 draws. Noise maps that the file lacks are drawn
    once. Raises `CheckpointError` naming the tensor that is missing, unknown or of another shape.
    """
    contents = read_contents(checkpoint)
    if contents is None:
        return None
    which = contents.find_generator(LAYOUTS)
    if which is None:
        _refuse_parts(contents)
        return None
    layout, published = LAYOUTS[which[0]], contents.below(which[1])
    # Before anything is made of them: a tensor may claim any size.
    validate_tensors(checkpoint, published)
    try:
        tensors, names = translate(published, layout)
        average = _own_average(contents, which[1], len(tensors["mapping_layers.0.bias"]))
    except CheckpointError as error:
        raise CheckpointError(f"{checkpoint} {error}") from error
    tensors["w_avg"] = _drawn_average(tensors) if average is None else average
    _add_noises(tensors, len(names.layers), layout.shared_noise)
    return _write(checkpoint, out, name, tensors, layout, names.note)


def _refuse_parts(contents: Contents) -> None:
    """Raise `CheckpointError` where the file holds a part of such a generator, or its discriminator."""
    for pattern, anchor in PARTS:
        if names := [tensor for tensor in contents.tensors if re.search(pattern, tensor)]:
            raise CheckpointError(
                f"{contents.path} lacks {anchor}, which every StyleGAN of its kind has; it holds {names[0]}"
            )


def _own_average(contents: Contents, prefix: str, dim: int) -> Tensor | None:
    """The mean w that the file holds, [D]; None where it has none, or zeros, which stand for none."""
    found = contents.average(prefix)
    if found is None:
        return None
    validate_tensors(contents.path, {"latent average": found})
    if found.ndim == 0 or found.shape[-1] != dim or not found.is_floating_point():
        raise CheckpointError(f"has a latent average of shape {list(found.shape)}; [{dim}] is needed")
    average = found.float().reshape(-1, dim).mean(0)
    return average if bool(average.any()) else None


def _drawn_average(tensors: Mapping[str, Tensor]) -> Tensor:
    """The mean w of 10,000 draws, [D]; in float64, so that it is the same on every machine."""
    depth = sum(name.startswith("mapping_layers.") for name in tensors) // 2
    dim, source = len(tensors["mapping_layers.0.bias"]), torch.Generator().manual_seed(0)
    total = torch.zeros(dim, dtype=torch.float64)
    for _ in range(DRAWS // AT_ONCE):
        x = normalize(torch.randn(AT_ONCE, dim, generator=source, dtype=torch.float64))
        for index in range(depth):
            weight, bias = (tensors[f"mapping_layers.{index}.{part}"].double() for part in ("weight", "bias"))
            x = F.leaky_relu(F.linear(x, weight, bias), SLOPE)
        total += x.sum(0)
    return (total / DRAWS).float()


def _add_noises(tensors: dict[str, Tensor], layers: int, shared: bool) -> None:
    """Draw the noise maps that are not there. shared: one for both layers of a size."""
    source = torch.Generator().manual_seed(0)
    for index in range(layers):
        name, size = f"layers.{index}.noise", 4 * 2 ** (index // 2)
        if shared and index % 2:
            tensors[name] = tensors[f"layers.{index - 1}.noise"]
        elif name not in tensors:
            tensors[name] = torch.randn(size, size, generator=source)


def _write(checkpoint: Path, out: Path, name: str, tensors: dict[str, Tensor], layout: Layout, note: str) -> Path:
    layers = sum(key.endswith(".noise_strength") for key in tensors)
    resolution = 4 * 2 ** (layers // 2 - 1)
    out.mkdir(parents=True, exist_ok=True)
    write_tensors(out / "generator.safetensors", tensors, checkpoint)
    description = {
        "name": name,
        "summary": f"StyleGAN at {resolution} px, imported from a checkpoint of {layout.source}",
        "encoder": None,
        "projector": "stylegan1",
        "layers": layers,
        "dim": len(tensors["w_avg"]),
        "resolution": resolution,
        "generator": "generator.safetensors",
        "settings": {
            "epsilon": layout.variant.epsilon,
            "blurs_bias": layout.variant.blurs_bias,
            "shared_noise": layout.shared_noise,
        },
        "source": layout.source,
    }
    write_description(out, description | ({"note": note} if note else {}), ["generator.safetensors"])
    return out
