"""The three published formats. Names inside the packs stay as published.

Sources of the layouts: omertov/encoder4editing (`state_dict`, `latent_avg`, `opts`), rosinality/stylegan2-pytorch
(`g_ema`, `latent_avg`), NVlabs/stylegan2-ada-pytorch (`G_ema`).
"""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from kinblend.checkpoints import checkpoint_format, read_torch, validate_tensors
from kinblend.errors import CheckpointError
from kinblend.files import replacing
from kinblend.packs import write_description
from kinblend_plugins.importers.ffhq import copy_directions, is_ffhq
from kinblend_plugins.importers.nvidia import Network, read_nvidia

DIM = 512
MAX_STEPS = 9  # of the generator, 4 to 1024 px


def import_e4e(checkpoint: Path, out: Path, name: str) -> Path | None:
    """`e4e_ffhq_encode.pt` → a pack with encoder and generator; None where the file is not of that kind."""
    content = _torch_dict(checkpoint)
    if not isinstance(content.get("state_dict"), dict):
        return None
    encoder = _below(content["state_dict"], "encoder.")
    generator = _below(content["state_dict"], "decoder.")
    if not encoder or "input.input" not in generator:
        return None
    resolution, average = _rosinality_resolution(generator), content.get("latent_avg")
    layers = _layers(resolution)
    if not isinstance(average, Tensor) or tuple(average.shape) != (layers, DIM):
        raise CheckpointError(f"{checkpoint} needs a latent_avg of shape [{layers}, {DIM}]")
    parts = {"generator": _with_noises(generator, resolution), "encoder": encoder | {"latent_avg": average}}
    return _write(checkpoint, out, name, resolution, parts, "encoder4editing", average=average.mean(0))


def import_rosinality(checkpoint: Path, out: Path, name: str) -> Path | None:
    """A `.pt` with `g_ema`, or that state dict alone → a pack with a generator; None where it is not of that kind.

    A latent average stored beside it goes into the pack.
    """
    content = _torch_dict(checkpoint)
    state = content if "input.input" in content else content.get("g_ema")
    if not isinstance(state, dict) or "input.input" not in state:
        return None
    generator, average = _below(state, ""), content.get("latent_avg")
    resolution = _rosinality_resolution(generator)
    if isinstance(average, Tensor) and average.numel() == DIM:
        generator["latent_avg"] = average.reshape(DIM)
    generator = _with_noises(generator, resolution)
    mean, parts = generator.get("latent_avg"), {"generator": generator}
    return _write(checkpoint, out, name, resolution, parts, "stylegan2-pytorch", average=mean)


def import_nvidia(checkpoint: Path, out: Path, name: str) -> Path | None:
    """A `.pkl` with `G_ema` → a pack with a generator; None where the file is not of that kind.

    Raises `CheckpointError` for a conditional generator.
    """
    if checkpoint_format(checkpoint) != "pickle":
        return None
    networks = read_nvidia(checkpoint)
    if "G_ema" not in networks:
        return None
    generator = networks["G_ema"].tensors
    if any(key.startswith("mapping.embed.") for key in generator):
        raise CheckpointError(
            f"{checkpoint} is a conditional generator (c_dim > 0); kinblend needs one without labels"
        )
    sizes = [int(found[1]) for key in generator if (found := re.match(r"synthesis\.b(\d+)\.", key))]
    if not sizes:
        raise CheckpointError(f"{checkpoint}: G_ema is no StyleGAN2 generator: it has no synthesis.b4.*")
    settings = {"conv_clamp": _clamp(checkpoint, networks["G_ema"])}
    parts = {"generator": generator}
    mean = generator.get("mapping.w_avg")
    return _write(checkpoint, out, name, max(sizes), parts, "stylegan2-ada-pytorch", settings, average=mean)


def _write(
    checkpoint: Path,
    out: Path,
    name: str,
    resolution: int,
    parts: Mapping[str, Mapping[str, Tensor]],
    source: str,
    settings: Mapping[str, Any] | None = None,
    average: Tensor | None = None,
) -> Path:
    """Write the parts, and directions where the generator's mean w, `average`, is that of StyleGAN2-FFHQ."""
    out.mkdir(parents=True, exist_ok=True)
    files = [f"{part}.safetensors" for part in parts]
    for part, tensors in parts.items():
        validate_tensors(checkpoint, tensors)
        with replacing(out / f"{part}.safetensors") as target:
            save_file({key: tensor.contiguous().clone() for key, tensor in tensors.items()}, target)
    description = {
        "name": name,
        "summary": f"StyleGAN2 at {resolution} px, imported from a {source} checkpoint",
        "encoder": "e4e" if "encoder" in parts else None,
        "projector": "stylegan2",
        "layers": _layers(resolution),
        "dim": DIM,
        "resolution": resolution,
        "generator": "generator.safetensors",
        "settings": dict(settings or {}),
        "source": source,
    }
    if average is not None and is_ffhq(_layers(resolution), average):
        files.append(copy_directions(out))
    write_description(out, description, files)
    return out


def _torch_dict(checkpoint: Path) -> dict[str, Any]:
    """What a file of `torch.save` holds; empty for any other file and for what is no dict."""
    content = read_torch(checkpoint) if checkpoint_format(checkpoint) == "torch" else None
    return content if isinstance(content, dict) else {}


def _layers(resolution: int) -> int:
    return 2 * (resolution.bit_length() - 1) - 2


def _below(state: Mapping[str, object], prefix: str) -> dict[str, Tensor]:
    return {
        str(key).removeprefix(prefix): value
        for key, value in state.items()
        if str(key).startswith(prefix) and isinstance(value, Tensor)
    }


def _rosinality_resolution(generator: Mapping[str, Tensor]) -> int:
    steps = {int(found[1]) for key in generator if (found := re.fullmatch(r"to_rgbs\.(\d+)\.bias", key))}
    if not 0 < len(steps) < MAX_STEPS or steps != set(range(len(steps))):
        raise CheckpointError("this state dict is no rosinality StyleGAN2 generator: its to_rgbs.* are not 0, 1, …")
    result: int = 4 * 2 ** len(steps)
    return result


def _with_noises(generator: dict[str, Tensor], resolution: int) -> dict[str, Tensor]:
    """Older files hold no noise maps, because those were drawn when a network was made; here they are drawn once."""
    if any(key.startswith("noises.") for key in generator):
        return generator
    source = torch.Generator().manual_seed(0)
    for index in range(2 * int(math.log2(resolution)) - 3):
        side = 2 ** ((index + 5) // 2)
        generator[f"noises.noise_{index}"] = torch.randn(1, 1, side, side, generator=source)
    return generator


def _clamp(checkpoint: Path, network: Network) -> float | None:
    """Where the generator cuts the values after each layer; None for nowhere."""
    found = {value for key, value in network.settings.items() if key.endswith(".conv_clamp")}
    if len(found) > 1 or any(isinstance(value, str) for value in found):
        raise CheckpointError(f"{checkpoint} clamps its layers at different values ({found}), which kinblend can't")
    [clamp] = found or {None}
    return float(clamp) if isinstance(clamp, (int, float)) else None
