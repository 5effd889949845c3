"""Hashing the files of a pack when it is opened for use; large ones only once for each version of them."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from kinblend.errors import OutputError
from kinblend.files import atomic_write
from kinblend.storage.packs import Pack

LARGE = 100_000_000  # bytes that take about a tenth of a second to hash


def verify_for_use(pack: Pack, notes: Path) -> None:
    """Raise `PackError` if a file of the pack is not what `pack.json` says.

    notes: a file that remembers the large files found whole, by path, size and time of change; where it can't be
    written, they are hashed every time.
    """
    known = _read(notes)
    marks = {name: _mark(pack, name) for name, path in pack.files.items() if path.stat().st_size > LARGE}
    fresh = {name: mark for name, mark in marks.items() if known.get(str(pack.files[name].resolve())) != mark}
    pack.verify(set(pack.files) - (set(marks) - set(fresh)))
    if fresh:
        known = {path: mark for path, mark in known.items() if Path(path).exists()}
        known |= {str(pack.files[name].resolve()): mark for name, mark in fresh.items()}
        with suppress(OSError, OutputError):
            atomic_write(notes, json.dumps(known, indent=1, sort_keys=True).encode())


def _mark(pack: Pack, name: str) -> list[str | int]:
    state = pack.files[name].stat()
    return [pack.description["files"][name]["sha256"], state.st_size, state.st_mtime_ns]


def _read(notes: Path) -> dict[str, list[str | int]]:
    try:
        known = json.loads(notes.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
