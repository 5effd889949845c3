"""A pack's tensors, from one file or from the parts of one that was cut."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from kinblend import Context
from kinblend.errors import PackError
from kinblend.files import replacing
from kinblend.tensor_files import SafetensorError, safe_open

WRITTEN = "written"  # key of the metadata: the SHA-256 of the whole that a part is of
LIMIT = 15 << 20  # bytes of a part
WIDE = 2_000_000  # numbers from which on a matrix is kept as int8
SCALE = ".scale"  # beside such a matrix: what its rows are multiplied by


def read_parts(context: Context, name: str) -> dict[str, Tensor]:
    """The tensors in `NAME.safetensors`, or in `NAME-00.safetensors`, `NAME-01.safetensors` … Raises `PackError`."""
    files = [
        path for file, path in sorted(context.files.items()) if re.fullmatch(rf"{name}(-\d\d)?\.safetensors", file)
    ]
    if not files:
        raise PackError(f"the pack of '{context.space.backbone}' has no {name}.safetensors; pull or import it again")
    tensors: dict[str, Tensor] = {}
    written = set()
    for path in files:
        try:
            with safe_open(path, framework="pt") as content:
                tensors |= {key: content.get_tensor(key) for key in content.keys()}  # noqa: SIM118
                written.add((content.metadata() or {}).get(WRITTEN, ""))
        except (OSError, SafetensorError) as error:
            raise PackError(f"{path} can't be read: {error}; pull or import its pack again") from error
    if len(written) > 1:
        raise PackError(f"{files[0].parent} holds parts of two different {name}s: write or import them again")
    return widened(tensors)


def write_parts(folder: Path, name: str, tensors: Mapping[str, Tensor]) -> list[Path]:
    """Write tensors as float16, wide matrices as int8, to `NAME-00.safetensors` …, each below 16 MiB; returns the
    files.

    They take the place of those that are there, one after the other: ended in between, `read_parts` refuses them.
    Small integers (counters) stay as they are. No single tensor may exceed the limit.
    """
    parts: list[dict[str, Tensor]] = [{}]
    room = LIMIT
    for key, tensor in sorted(narrowed(tensors).items()):
        small = tensor.detach().cpu()
        size = small.numel() * small.element_size()
        if size > room and parts[-1]:
            parts.append({})
            room = LIMIT
        parts[-1][key] = small.clone(memory_format=torch.contiguous_format)
        room -= size
    files = [folder / f"{name}-{number:02d}.safetensors" for number in range(len(parts))]
    written = {WRITTEN: _digest(parts)}
    for file, part in zip(files, parts, strict=True):
        with replacing(file) as beside:
            save_file(part, beside, written)
    for old in set(folder.glob(f"{name}-[0-9][0-9].safetensors")) - set(files):
        old.unlink()
    return files


def narrowed(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Floats as float16; a matrix [m, n] of over two million as int8, with `NAME.scale`, float32 [m, 1]."""
    small: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        if tensor.is_floating_point() and tensor.ndim == 2 and tensor.numel() > WIDE:
            whole = tensor.detach().float()
            scale = (whole.abs().amax(1, keepdim=True) / 127).clamp_min(1e-12)
            small[key] = (whole / scale).round().to(torch.int8)
            small[key + SCALE] = scale
        else:
            small[key] = tensor.to(torch.float16) if tensor.is_floating_point() else tensor
    return small


def widened(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `narrowed` was given, matrices of int8 as float32, within half a step."""
    return {
        key: tensor.float() * tensors[key + SCALE].float() if key + SCALE in tensors else tensor
        for key, tensor in tensors.items()
        if not key.endswith(SCALE)
    }


def _digest(parts: Sequence[Mapping[str, Tensor]]) -> str:
    """SHA-256 of all tensors, 64 hex digits."""
    digest = hashlib.sha256()
    for part in parts:
        for key, tensor in part.items():
            digest.update(f"\0{key}\0{list(tensor.shape)}\0".encode())
            digest.update(tensor.flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Those whose names begin with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
