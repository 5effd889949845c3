"""matplotlib where it is there, and a word on what to do where it isn't."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kinblend.errors import UsageError
from kinblend.files import replacing


def new_figure(width: float, height: float) -> Any:
    """An empty figure, in inches, that draws to files alone. Raises `UsageError`."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError("pictures of figures need matplotlib: pip install 'kinblend[figures]'") from error
    return Figure(figsize=(width, height), dpi=80, layout="constrained")


def save_figure(figure: Any, path: Path) -> Path:
    """Write it as PNG or SVG, by its name; as PNG the same bytes for the same figure."""
    kind = path.suffix.removeprefix(".") or "png"
    with replacing(path) as part:
        figure.savefig(part, format=kind, metadata={"Software": None} if kind == "png" else None)
    return path
