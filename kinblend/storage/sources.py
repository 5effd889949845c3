"""Where model packs come from: data that plugins register."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Download:
    """One file to fetch.

    url: http(s) address. sha256: 64 hex digits, or None where the publisher gives none (it is recorded then).
    """

    url: str
    filename: str
    sha256: str | None = None


@dataclass(frozen=True)
class PackSource:
    """A pack by name: a folder a plugin ships (`folder`), or files to download and import (`downloads`).

    importer: the importer that turns the first download into the pack.
    preferred: where nobody names a backbone, the pack with the highest number is taken, of those that are on this
        machine and can take photographs; 0: only by name.
    """

    name: str
    summary: str
    folder: Path | None = None
    downloads: tuple[Download, ...] = ()
    importer: str | None = None
    licence: str = ""
    preferred: int = 0
