"""Pictures in a folder, and what lies beside them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path

from kinblend.families.model import Defect

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".ppm"})
LITTER = frozenset({".DS_Store", "Thumbs.db", "desktop.ini"})


def list_pictures(folder: Path, defects: list[Defect]) -> tuple[Path, ...]:
    """The picture files in a folder, sorted by name; what is not a picture, or an empty file, goes to `defects`.

    Pictures are told by their suffix and not opened. What systems leave behind (.DS_Store, ._*) is passed over.
    """
    found = []
    for path in sorted(folder.iterdir()):
        if is_junk_file(path):
            continue
        if path.suffix.lower() not in SUFFIXES or not path.is_file():
            defects.append(Defect(path, None, "not a picture", "is not a picture; left out"))
        elif path.stat().st_size == 0:
            defects.append(Defect(path, None, "empty file", "is an empty file; left out"))
        else:
            found.append(path)
    if not found:
        defects.append(Defect(folder, None, "folder without pictures", "holds no picture"))
    return tuple(found)


def is_junk_file(path: Path) -> bool:
    """Whether a file is what macOS or Windows leaves behind."""
    return path.name.startswith("._") or path.name in LITTER


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, sorted; hidden ones left out."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def unlisted_files(folder: Path, names: Iterable[str]) -> list[Defect]:
    """A defect for every folder in `folder` that is none of `names`."""
    known = {unicodedata.normalize("NFC", name) for name in names}
    return [
        Defect(path, None, "folder not listed", "is a folder that the list doesn't name; left out")
        for path in subfolders(folder)
        if unicodedata.normalize("NFC", path.name) not in known
    ]
