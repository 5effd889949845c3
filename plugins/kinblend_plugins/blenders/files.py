"""Shares and masks from files."""

from pathlib import Path

from torch import Tensor

from kinblend.checkpoints import read_tensor
from kinblend.errors import OptionError


def read_shares(path: Path, name: str) -> Tensor:
    """A tensor of shares, float32 in [0, 1], of any shape. Raises `InputError`, `NonFiniteError`, `OptionError`."""
    values = read_tensor(path, name, name).float()
    if values.numel() and not 0 <= float(values.min()) <= float(values.max()) <= 1:
        raise OptionError(f"{path}: shares lie in [0, 1]; these span [{values.min():.4g}, {values.max():.4g}]")
    return values
