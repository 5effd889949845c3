"""Memory sizes as people write them."""

from __future__ import annotations

import re

from kinblend.errors import UsageError

_UNITS = {"": 1, "b": 1}
_UNITS |= {f"{prefix}b": 1000**power for power, prefix in enumerate("kmgt", start=1)}
_UNITS |= {f"{prefix}ib": 1024**power for power, prefix in enumerate("kmgt", start=1)}


def parse_size(text: str | float) -> int:
    """Bytes: "2GiB" → 2147483648, "500MB" → 500000000, 1e9 → 1000000000. Raises `UsageError`."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*", text) if isinstance(text, str) else None
    size = 0.0
    if match is not None:
        size = float(match[1]) * _UNITS.get(match[2].lower(), 0)
    elif isinstance(text, (int, float)) and not isinstance(text, bool):
        size = text
    if not 1 <= size < 2**63:
        raise UsageError(f"{text!r} is not a size; write 2GiB, 500MB or a number of bytes")
    return int(size)


def format_size(size: int) -> str:
    """Bytes as "1.5 GiB"."""
    value, unit = float(size), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if value < 1024 or unit == "TiB":
            break
        value /= 1024
    return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
