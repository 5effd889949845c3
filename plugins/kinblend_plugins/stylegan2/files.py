"""Tensors from a pack's safetensors files."""

from __future__ import annotations

from torch import Tensor

from kinblend import Context
from kinblend.errors import PackError
from kinblend.tensor_files import SafetensorError, safe_open


def read_tensors(context: Context, file: str, only: str | None = None) -> dict[str, Tensor]:
    """The tensors of a file of the pack by name, on the CPU; `only`: at most that one. Raises `PackError`."""
    if file not in context.files:
        raise PackError(f"the pack of '{context.space.backbone}' has no {file}; import it again")
    try:
        with safe_open(context.files[file], framework="pt") as content:
            return {name: content.get_tensor(name) for name in content.keys() if only in (None, name)}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise PackError(f"{context.files[file]} can't be read: {error}; pull or import its pack again") from error
