"""matplotlib where it is there, and a word on what to do where it isn't."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from kinblend.errors import UsageError
from kinblend.files import replacing

KINDS = (".png", ".svg")


def new_figure(width: float, height: float) -> Any:
    """An empty figure, in inches, that draws to files alone. Raises `UsageError`."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise UsageError("pictures of figures need matplotlib: pip install 'kinblend[figures]'") from error
    return Figure(figsize=(width, height), dpi=80, layout="constrained")


def check_figure(path: Path) -> None:
    """Raise `UsageError` where no figure could be saved under this name."""
    new_figure(1, 1)
    if path.suffix not in KINDS:
        raise UsageError(f"{path.name} says no kind of picture that figures are saved as: use .png or .svg")


def save_figure(figure: Any, path: Path) -> Path:
    """Write it as PNG or SVG, by its name; the same bytes for the same figure.

    Raises `UsageError` as `check_figure` does.
    """
    check_figure(path)
    kind = path.suffix.removeprefix(".")
    from matplotlib import rc_context

    with replacing(path) as part, rc_context({"svg.hashsalt": "kinblend"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # a name in another script shows as boxes
        figure.savefig(part, format=kind, metadata={"Software" if kind == "png" else "Date": None})
    return path
