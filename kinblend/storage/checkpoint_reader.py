"""Reads published checkpoints without executing anything they hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kinblend.errors import CheckpointError, InputError
from kinblend.files import open_plain
from kinblend.storage.archives import open_archive
from kinblend.storage.safe_pickle import Refused, reason, refuse_unsound
from kinblend.storage.torch_files import LEGACY, LISTING, load_plain

_MAX_BYTES = 8 * 1024**3


def checkpoint_format(path: str | Path) -> str:
    """What the content is, whatever the file is called: "torch" (of `torch.save`), "zip" (any other), "pickle", or
    "other"."""
    path = existing_checkpoint(path)
    head = _head(path)
    if head.startswith(b"PK"):
        return "torch" if _may_be_torchs(path) else "zip"
    if head == LEGACY:
        return "torch"
    return "pickle" if head.startswith(b"\x80") else "other"


def read_torch(path: str | Path) -> Any:
    """What a `torch.save` file holds: tensors and plain containers only, on the CPU.

    Raises `CheckpointError` for anything else, TorchScript included.
    """
    path = existing_checkpoint(path)
    try:
        return load_plain(path)
    # A hostile or damaged file can surface as nearly any exception; none of them may pass as a traceback.
    except Exception as error:
        raise CheckpointError(f"{path} is refused: {reason(error)}") from error


def validate_tensors(path: str | Path, tensors: Mapping[str, Any]) -> None:
    """Raise `CheckpointError` naming the tensor read from `path` that no network can have: sparse, complex, with NaN,
    or larger than its file."""
    try:
        refuse_unsound(tensors)
    except Refused as error:
        raise CheckpointError(f"{path} is refused: {error}") from error


def existing_checkpoint(path: str | Path) -> Path:
    """The file, whose size a network can have. Raises `CheckpointError`."""
    path = Path(path)
    if path.is_dir():
        raise CheckpointError(f"{path} is a folder; name the checkpoint in it")
    if not path.is_file():
        raise CheckpointError(f"{path} does not exist")
    size = path.stat().st_size
    if not size:
        raise CheckpointError(f"{path} is empty; fetch it again")
    if size > _MAX_BYTES:
        raise CheckpointError(f"{path} has {size} bytes; no network is larger than {_MAX_BYTES}")
    return path


def _may_be_torchs(path: Path) -> bool:
    """Whether a zip is of `torch.save`, or too damaged to tell."""
    try:
        with open_archive(path, listing=LISTING) as archive:
            return any(name.endswith("data.pkl") for name in archive.names())
    except InputError:
        return True


def _head(path: Path) -> bytes:
    with open_plain(path) as file:
        return file.read(len(LEGACY))
