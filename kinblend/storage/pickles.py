"""`torch.load` for files that nobody vouches for: nothing is executed, and a refusal says why in one sentence."""

from __future__ import annotations

import argparse
import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

MOST_ELEMENTS = 2**30  # of all tensors in a file; the largest published network has 0.3 · 2**30
UNSHARED = 2**20  # elements that a tensor may have whatever its file holds of it


class Refused(pickle.UnpicklingError):
    """A file asks for what no weights need. Its text is the reason."""


class NotFinite(Refused):
    """A tensor holds NaN or infinity."""


def load_plain(source: Path | IO[bytes], *, mapped: bool = False) -> Any:
    """What a `torch.save` file holds: tensors, plain containers and `argparse.Namespace`, on the CPU.

    mapped: leave the tensors in the file until they are looked at; for archives, which torch has written since 1.6.
    Raises nearly anything for a damaged or hostile file; `reason` puts it into words.
    """
    import torch

    with warnings.catch_warnings(), torch.serialization.safe_globals([argparse.Namespace]):
        warnings.simplefilter("ignore")  # torch's, about pickle protocols: what matters is refused below
        return torch.load(source, map_location="cpu", weights_only=True, mmap=mapped or None)


def reason(error: BaseException) -> str:
    """Why a file was refused; torch's own words advise to execute what the file holds."""
    if isinstance(error, Refused):
        return str(error)
    if asked := re.search(r"GLOBAL ([\w.]+)", str(error)):
        return f"it asks for {asked[1]}, which no weights need"
    if isinstance(error, EOFError):
        return "it is empty or ends early"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, MemoryError):
        return "it asks for more memory than there is"
    if isinstance(error, pickle.UnpicklingError):
        return "it holds more than tensors and plain containers, or is no file of weights at all"
    return f"it is damaged ({type(error).__name__})"


def refuse_unsound(tensors: Mapping[str, Any]) -> None:
    """Raise `Refused` naming the tensor that is no plain array of real numbers or claims more than the file holds,
    `NotFinite` naming one with NaN or infinity."""
    import torch

    total = 0
    for name, tensor in tensors.items():
        plain = isinstance(tensor, torch.Tensor) and tensor.layout == torch.strided and not tensor.is_quantized
        if not plain or tensor.device.type != "cpu":
            raise Refused(f"its tensor {name} is sparse, quantised or without values")
        if tensor.is_complex():
            raise Refused(f"its tensor {name} is complex; real numbers are needed")
        total += tensor.numel()
        held = tensor.untyped_storage().nbytes() // tensor.element_size()
        if tensor.numel() > max(held, UNSHARED) or total > MOST_ELEMENTS:
            raise Refused(f"its tensor {name} claims {tensor.numel()} elements, more than a network's file holds")
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise NotFinite(f"its tensor {name} holds NaN or infinity")
