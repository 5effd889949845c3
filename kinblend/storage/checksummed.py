"""Safetensors files with a description and a SHA-256 of everything inside.

The description is one JSON text under one metadata key, so that the same content gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.errors import CorruptFileError, NonFiniteError
from kinblend.file_kinds import describe_foreign_file, file_kind
from kinblend.files import atomic_write
from kinblend.tensor_files import safe_open

if TYPE_CHECKING:
    from torch import Tensor

KEY = "kinblend"
SCHEMA = 1
# What a file is wanted for, and what makes one.
_WANTED = {
    "latent": ("a latent", "; `kinblend encode` makes the latent of a photograph"),
    "weight map": ("a weight map", ""),
    "trios": ("encoded trios", "; `kinblend families encode` makes them of a list of trios"),
}


def write_checksummed(path: str | Path, tensors: Mapping[str, Tensor], description: Mapping[str, Any]) -> None:
    """Write `tensors` and `description` to `path`, all or nothing. Raises `NonFiniteError`."""
    atomic_write(path, checksummed_bytes(path, tensors, description))


def checksummed_bytes(name: object, tensors: Mapping[str, Tensor], description: Mapping[str, Any]) -> bytes:
    """The content of a file of `tensors` and `description`. name: what errors call it. Raises `NonFiniteError`."""
    from safetensors.torch import save

    contiguous = {name: tensors[name].detach().cpu().contiguous() for name in sorted(tensors)}
    _refuse_non_finite(name, contiguous)
    header = {"schema": SCHEMA, **description}
    header["sha256"] = _digest(contiguous, header)
    return save(contiguous, {KEY: json.dumps(header, sort_keys=True)})


def read_checksummed(path: str | Path, *kinds: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the description of `path`.

    kinds: what the file may hold ("latent", "weight map").
    Raises `CorruptFileError` and `NonFiniteError`.
    """
    _refuse_other_kinds(path, kinds[0])
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    # A flipped bit in the header can surface as nearly anything the reader raises.
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise CorruptFileError(f"{path} is not a readable safetensors file: {error}") from error
    try:
        header = json.loads(metadata[KEY])
        written, schema = header.pop("sha256"), header["schema"]
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError) as error:
        raise CorruptFileError(f"{path} was not written by kinblend, or its header is damaged") from error
    if _digest(tensors, header) != written:
        raise CorruptFileError(f"{path} was altered after it was written: its SHA-256 differs")
    if schema != SCHEMA:
        raise CorruptFileError(f"{path} has schema {schema!r:.20}; this kinblend reads schema {SCHEMA}")
    if header.get("kind") not in kinds:
        raise CorruptFileError(f"{path} holds a {header.get('kind')!s:.40}, not a {kinds[0]}")
    _refuse_non_finite(path, tensors)
    return tensors, header


def _refuse_other_kinds(path: str | Path, kind: str) -> None:
    """Raise `CorruptFileError` for a file that is a picture, a table or a text: somebody took one for the other."""
    foreign = describe_foreign_file(path)
    if ";" in foreign:  # it says itself what to do
        raise CorruptFileError(f"{path} is {foreign}")
    what, how = _WANTED.get(kind, (kind, ""))
    if found := foreign or file_kind(path):
        raise CorruptFileError(f"{path} is {found}, not {what} in a .safetensors file{how}")


def tensors_sha256(tensors: Mapping[str, Tensor]) -> str:
    """The SHA-256 of tensors with their names, shapes and dtypes."""
    return _digest({name: tensor.detach().cpu() for name, tensor in tensors.items()}, {})


def _digest(tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> str:
    import torch

    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"\0{name}\0{tensor.dtype}\0{list(tensor.shape)}\0".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _refuse_non_finite(path: object, tensors: Mapping[str, Tensor]) -> None:
    import torch

    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise NonFiniteError(f"{path}: tensor '{name}' holds NaN or infinity")
