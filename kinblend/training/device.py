"""The device that a training runs on."""

from __future__ import annotations

import torch

from kinblend.errors import UsageError


def device_of(name: str) -> torch.device:
    """The device by name; "auto" is CUDA where there is one. Raises `UsageError`."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise UsageError(f"device={name!r}: use auto, cpu, cuda or cuda:N") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise UsageError(f"device={name!r}: there is no CUDA device here; use cpu")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(f"device={name!r}: this machine has {torch.cuda.device_count()} CUDA devices")
    return device
