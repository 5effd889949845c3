"""The folder that `prepare` writes: its marker lists what was made there, and nothing else in it is ever touched."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from kinblend.errors import OutputError, UsageError
from kinblend.families.model import KinshipSet
from kinblend.files import atomic_write, leftovers

MARK = "prepared.json"
MADE = "made"  # the key of the list in the marker


def check_folder(out: Path, found: KinshipSet) -> None:
    """Raise `UsageError` where `out` is not a folder of ours, or holds pictures of the set that is to be prepared."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is not a folder")
    base = out.resolve()
    pictures = (picture for person in found.people() for picture in person.pictures)
    if found.root.resolve() == base or any(picture.resolve().is_relative_to(base) for picture in pictures):
        raise OutputError(f"{out} holds pictures that are to be prepared; choose another folder")
    if (out / MARK).exists():
        _read(out)
    elif out.is_dir() and any(not path.name.startswith(f".{MARK}.") for path in out.iterdir()):
        raise UsageError(f"{out} holds other files; choose an empty folder")


def claim(out: Path, names: Iterable[str]) -> set[str]:
    """Make `out` ours, and say in its marker what will be made there. Returns what was made there before.

    names: the files to be made, relative to `out`. Raises `OutputError` where one of them is there already and was
    not made by us, or where a link leads out of the folder.
    """
    wanted, before = set(names), made(out)
    for name in sorted(wanted):
        _check_inside(out, name)
        path = out / name
        if name not in before and (path.is_symlink() or path.exists()):
            raise OutputError(f"{path} is there already, and kinblend did not make it; move it away")
    write_mark(out, {}, wanted | before)
    return before


def write_mark(out: Path, facts: dict[str, Any], names: Iterable[str]) -> None:
    """Write the marker. facts: what else it says."""
    content = {**facts, MADE: sorted(set(names))}
    atomic_write(out / MARK, (json.dumps(content, indent=1, sort_keys=True) + "\n").encode())


def made(out: Path) -> set[str]:
    """What the marker says was made, relative to `out`; whatever would lie outside is left out."""
    if not (out / MARK).exists():
        return set()
    return {name for name in _read(out) if _is_inside(out, name)}


def sweep(out: Path, old: Iterable[str], kept: Iterable[str]) -> None:
    """Remove files that were made once, the folders that are empty without them, and parts of those that are kept."""
    for part in leftovers(out / name for name in (*kept, MARK)):
        part.unlink()
    for name in sorted(set(old), reverse=True):
        path = out / name
        if _is_inside(out, name) and (path.is_file() or path.is_symlink()):
            path.unlink()
            _remove_empty(out, path.parent)


def _remove_empty(out: Path, folder: Path) -> None:
    while folder != out and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _read(out: Path) -> list[str]:
    try:
        names = list(json.loads((out / MARK).read_text("utf-8"))[MADE])
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(
            f"{out / MARK} does not say which files kinblend made in this folder; choose a new folder"
        ) from error
    return [name for name in names if isinstance(name, str)]


def _is_inside(out: Path, name: str) -> bool:
    """Whether a name stays in the folder, links on the way to it included."""
    parts = PurePosixPath(name).parts
    if not parts or ".." in parts or PurePosixPath(name).is_absolute():
        return False
    return (out / name).parent.resolve().is_relative_to(out.resolve())


def _check_inside(out: Path, name: str) -> None:
    if not _is_inside(out, name):
        raise OutputError(f"{out / name} would lie outside of {out}: a folder there is a link; remove the link")
