"""Reads published checkpoints without executing anything they hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kinblend.errors import CheckpointError, InputError
from kinblend.file_kinds import HEAD, describe_foreign_file, first_line, is_safetensors
from kinblend.files import open_plain
from kinblend.storage.archives import open_archive
from kinblend.storage.safe_pickle import Refused, reason, refuse_unsound
from kinblend.storage.torch_files import LEGACY, LISTING, load_plain
from kinblend.tensor_files import load_file

_MAX_BYTES = 8 * 1024**3


def checkpoint_format(path: str | Path) -> str:
    """What the content is, whatever the file is called: "torch" (of `torch.save`), "zip" (any other), "pickle",
    "safetensors", or "other"."""
    path = existing_checkpoint(path)
    head = _head(path)
    if is_safetensors(head):
        return "safetensors"
    if head.startswith(b"PK"):
        return "torch" if _may_be_torchs(path) else "zip"
    if head.startswith(LEGACY):
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
        raise refusal(path, error) from error


def read_safetensors(path: str | Path) -> dict[str, Any]:
    """The tensors of a safetensors file by name, on the CPU. Raises `CheckpointError`."""
    path = existing_checkpoint(path)
    try:
        return load_file(path)
    except InputError as error:
        raise CheckpointError(str(error)) from error


def refusal(path: str | Path, error: BaseException) -> CheckpointError:
    """The error to raise where reading a checkpoint ended with `error`: what the file is where it is something else,
    else why it is refused."""
    if what := describe_file(path):
        return CheckpointError(f"{path} is {what}")
    return CheckpointError(f"{path} is refused: {reason(error)}")


def describe_file(path: str | Path) -> str:
    """What a file is that is no checkpoint, with what to do ("a web page, …"); "" where it may be one."""
    path = Path(path)
    what = describe_foreign_file(path)
    if what or not _head(path).startswith(b"PK"):
        return what
    try:
        with open_archive(path, listing=LISTING) as archive:
            return _describe_archive(archive.names())
    except InputError:
        return ""


def summarize_checkpoint(path: str | Path) -> str:
    """What a file holds, for messages: "which holds 3 entries: a, b, c"; "" where it can't be told."""
    path = Path(path)
    try:
        kind = checkpoint_format(path)
        content = {"torch": read_torch, "safetensors": read_safetensors}[kind](path)
    except (KeyError, CheckpointError):
        line = first_line(_head(path))
        return f"a text that begins {line!r}" if line else ""
    if not isinstance(content, Mapping):
        return f"which holds a {type(content).__name__}"
    names = [f"{key!s:.60}" for key in content]
    return f"which holds {len(names)} entries: {', '.join(names[:4])}{' …' if len(names) > 4 else ''}"


def _describe_archive(names: list[str]) -> str:
    """What a zip with these members is; "" for one of `torch.save`."""
    last = [name.rsplit("/", 1)[-1] for name in names]
    if any(name.startswith("constants.pkl") for name in last) or any("/code/" in f"/{name}" for name in names):
        return "TorchScript, which holds code; give the state dict instead"
    if "data.pkl" in last:
        return ""
    for ending, what in _MEMBERS.items():
        if found := [name for name in names if name.endswith(ending)]:
            return what.format(name=found[0][:80])
    if last and all(name.endswith(".npy") for name in last):
        return "a NumPy archive (.npz); save the tensors with torch.save or as safetensors"
    shown = ", ".join(name[:80] for name in names[:3])
    return f"a zip, and none of torch.save; it holds {shown or 'nothing'}{' …' if len(names) > 3 else ''}"


# By the ending of a member's name what a zip is that has it; the first that holds counts.
_MEMBERS = {
    "[Content_Types].xml": "an Office document",
    "AndroidManifest.xml": "an Android application",
    ".dist-info/METADATA": "a Python wheel; install it",
    "model.weights.h5": "a Keras network; give the PyTorch checkpoint",
    ".onnx": "a zip that holds {name}, an ONNX network; give the PyTorch checkpoint that it was made from",
    **dict.fromkeys(
        (".pt", ".pth", ".pkl", ".ckpt", ".safetensors", ".bin"),
        "a zip that holds {name}; unpack it, and name that file",
    ),
}


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
    try:
        with open_plain(path) as file:
            return file.read(HEAD)
    except OSError as error:
        raise CheckpointError(f"{path} can't be read: {error.strerror or error}") from error
