"""Turns a checkpoint into a pack: in a folder beside the final one, which it takes the place of only when whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from kinblend.errors import CheckpointError, UsageError
from kinblend.storage.packs import Pack, open_pack

Importer = Callable[[Path, Path, str], Path | None]


def import_pack(checkpoint: str | Path, out: str | Path, name: str, importers: Iterable[Importer]) -> Pack:
    """The pack made by the first of `importers` that knows the file.

    out: the pack's folder; it must not exist. Raises `CheckpointError` and `UsageError`.
    """
    checkpoint, out = Path(checkpoint), Path(out)
    if not checkpoint.is_file():
        raise CheckpointError(f"{checkpoint} does not exist")
    if out.exists():
        raise UsageError(f"{out} exists already; remove it or choose another --name")
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
    try:
        for importer in importers:
            if importer(checkpoint, folder, name) is not None:
                folder.rename(out)
                return open_pack(out)
        raise CheckpointError(
            f"no importer knows {checkpoint}: it is neither an e4e, a rosinality nor an NVIDIA file"
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)
