"""The folder that `kinblend prepare` writes: families as before, with crops for pictures."""

from __future__ import annotations

from pathlib import Path

from kinblend.datasets import KinshipSet, load_kinship_set


def read(path: Path) -> KinshipSet | None:
    """The families of such a folder, or None."""
    listing = path / "families.json"
    return load_kinship_set(listing) if listing.is_file() else None
