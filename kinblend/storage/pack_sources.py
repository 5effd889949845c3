"""Where model packs come from: data that plugins register."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Download:
    """One file to fetch.

    url: http(s) address. sha256: 64 hex digits, or None where the publisher gives none (it is recorded then).
    mirrors: addresses to try where that one fails, in this order.
    """

    url: str
    filename: str
    sha256: str | None = None
    mirrors: tuple[str, ...] = ()

    @property
    def origin(self) -> dict[str, str | None]:
        """What a pack's description says of it."""
        return {"url": self.url, "sha256_of_publisher": self.sha256}


@dataclass(frozen=True)
class PackageDownload:
    """One file of a distribution on the package index; pip fetches it, from wherever it is set up to look.

    requirement: as pip takes it, with one exact version ("faces==1.0"). filename: the wheel's.
    sha256: 64 hex digits. size: in bytes.
    """

    requirement: str
    filename: str
    sha256: str
    size: int

    @property
    def origin(self) -> dict[str, str | None]:
        """What a pack's description says of it."""
        return {"package": self.requirement, "file": self.filename, "sha256_of_publisher": self.sha256}


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
    downloads: tuple[Download | PackageDownload, ...] = ()
    importer: str | None = None
    licence: str = ""
    preferred: int = 0
