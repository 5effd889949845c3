"""The three published formats. Names inside the packs stay as published.

Sources of the layouts: omertov/encoder4editing (`state_dict`, `latent_avg`, `opts`), rosinality/stylegan2-pytorch
(`g_ema`, `latent_avg`), NVlabs/stylegan2-ada-pytorch (`G_ema`).
"""

import re
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from kinblend import write_description
from kinblend.errors import CheckpointError
from kinblend.storage.checkpoints import read_nvidia, read_torch

DIM = 512


def import_e4e(checkpoint: Path, out: Path, name: str) -> Path | None:
    """`e4e_ffhq_encode.pt` → a pack with encoder and generator; None where the file is not of that kind."""
    content = None if _is_pickle(checkpoint) else read_torch(checkpoint)
    if not isinstance(content, dict) or not isinstance(content.get("state_dict"), dict):
        return None
    state = content["state_dict"]
    encoder = _below(state, "encoder.")
    generator = _below(state, "decoder.")
    if not encoder or not generator:
        return None
    average = content.get("latent_avg")
    resolution = _rosinality_resolution(generator)
    layers = _layers(resolution)
    if not isinstance(average, Tensor) or tuple(average.shape) != (layers, DIM):
        raise CheckpointError(f"{checkpoint} needs a latent_avg of shape [{layers}, {DIM}]")
    return _write(out, name, resolution, generator, encoder | {"latent_avg": average.float()}, "encoder4editing")


def import_rosinality(checkpoint: Path, out: Path, name: str) -> Path | None:
    """A `.pt` with `g_ema` → a pack with a generator; None where the file is not of that kind."""
    content = None if _is_pickle(checkpoint) else read_torch(checkpoint)
    if not isinstance(content, dict) or not isinstance(content.get("g_ema"), dict):
        return None
    generator = _below(content["g_ema"], "")
    return _write(out, name, _rosinality_resolution(generator), generator, None, "stylegan2-pytorch")


def import_nvidia(checkpoint: Path, out: Path, name: str) -> Path | None:
    """A `.pkl` with `G_ema` → a pack with a generator; None where the file is not of that kind.

    Raises `CheckpointError` for a conditional generator.
    """
    if not _is_pickle(checkpoint):
        return None
    networks = read_nvidia(checkpoint)
    if "G_ema" not in networks:
        raise CheckpointError(f"{checkpoint} holds {', '.join(networks)}, but no G_ema")
    generator = networks["G_ema"]
    if any(key.startswith("mapping.embed.") for key in generator):
        raise CheckpointError(
            f"{checkpoint} is a conditional generator (c_dim > 0); kinblend needs one without labels"
        )
    sizes = [int(found[1]) for key in generator if (found := re.match(r"synthesis\.b(\d+)\.", key))]
    if not sizes:
        raise CheckpointError(f"{checkpoint}: G_ema is no StyleGAN2 generator: it has no synthesis.b4.*")
    return _write(out, name, max(sizes), generator, None, "stylegan2-ada-pytorch")


def _write(
    out: Path,
    name: str,
    resolution: int,
    generator: Mapping[str, Tensor],
    encoder: Mapping[str, Tensor] | None,
    source: str,
) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    files = {"generator.safetensors": generator} | ({"encoder.safetensors": encoder} if encoder else {})
    for filename, tensors in files.items():
        save_file({key: tensor.contiguous().clone() for key, tensor in tensors.items()}, out / filename)
    description = {
        "name": name,
        "summary": f"StyleGAN2 at {resolution} px, imported from a {source} checkpoint",
        "encoder": "e4e" if encoder else None,
        "projector": "stylegan2",
        "layers": _layers(resolution),
        "dim": DIM,
        "resolution": resolution,
        "generator": "generator.safetensors",
        "source": source,
    }
    write_description(out, description, files)
    return out


def _layers(resolution: int) -> int:
    return 2 * (resolution.bit_length() - 1) - 2


def _below(state: Mapping[str, object], prefix: str) -> dict[str, Tensor]:
    return {
        str(key).removeprefix(prefix): value
        for key, value in state.items()
        if str(key).startswith(prefix) and isinstance(value, Tensor)
    }


def _rosinality_resolution(generator: Mapping[str, Tensor]) -> int:
    steps = {int(found[1]) for key in generator if (found := re.match(r"to_rgbs\.(\d+)\.bias", key))}
    if not steps or "input.input" not in generator:
        raise CheckpointError(
            "this state dict is no rosinality StyleGAN2 generator: it lacks input.input or to_rgbs.*"
        )
    return 4 * 2 ** len(steps)


def _is_pickle(path: Path) -> bool:
    """Whether the file is a plain pickle, as NVIDIA's are, and no torch archive."""
    with path.open("rb") as file:
        return path.suffix == ".pkl" and file.read(2) != b"PK"
