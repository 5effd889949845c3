"""Precisions by name, for all leases and for single ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from kinblend.errors import UsageError

if TYPE_CHECKING:
    import torch

_NAMES = {"auto": "float32", "fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}


def parse_precision(words: str | Mapping[str, str]) -> dict[str, str]:
    """Precision by the name of a lease; "" is every other one's.

    "bf16" → {"": "bf16"}, "bf16,projector=fp32" → {"": "bf16", "projector": "fp32"}; a mapping is taken as it is.
    "auto" is "fp32". Raises `UsageError`.
    """
    pairs = words.items() if isinstance(words, Mapping) else map(_pair, str(words).split(","))
    found = {"": "fp32"}
    for name, precision in pairs:
        if precision not in _NAMES:
            raise UsageError(f"precision {precision!r}: use {', '.join(_NAMES)}, or bf16,projector=fp32")
        found[name] = "fp32" if precision == "auto" else precision
    return found


def dtype_of(precision: str) -> torch.dtype:
    """The dtype of a known precision."""
    import torch

    dtype: torch.dtype = getattr(torch, _NAMES[precision])
    return dtype


def _pair(word: str) -> tuple[str, str]:
    name, _, precision = word.rpartition("=")
    return name.strip(), precision.strip()
