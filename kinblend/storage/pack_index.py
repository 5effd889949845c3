"""Which packs there are on this machine: the user's folder first, then the ones plugins ship."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from kinblend.errors import PackNotFoundError
from kinblend.storage.pack_sources import PackSource
from kinblend.storage.packs import DESCRIPTION, Pack, open_pack


def find_pack(name: str | Path, home: Path, sources: Mapping[str, PackSource]) -> Pack:
    """Open a pack by name or by the path of its folder.

    home: the folder of installed packs. sources: what plugins registered.
    Raises `PackNotFoundError` that says how to get it, and `PackError`.
    """
    text = str(name)
    if "/" in text or "\\" in text or isinstance(name, Path):
        return open_pack(Path(name).expanduser())
    if (home / text / DESCRIPTION).is_file():
        return open_pack(home / text)
    source = sources.get(text)
    if source is not None and source.folder is not None:
        return open_pack(source.folder)
    if source is not None:
        raise PackNotFoundError(f"pack '{text}' is not installed: run `kinblend models pull {text}`")
    known = ", ".join(sorted({*sources, *installed(home)})) or "none"
    raise PackNotFoundError(f"there is no pack '{text}'; there are: {known}")


def preferred_pack(home: Path, sources: Mapping[str, PackSource]) -> str:
    """The pack to use where nobody names one: the most preferred of those that are here and have an encoder.

    home: the folder of installed packs. sources: what plugins registered.
    Raises `PackNotFoundError` where there is none, and `PackError`.
    """
    for source in sorted(sources.values(), key=lambda source: (-source.preferred, source.name)):
        here = source.folder is not None or (home / source.name / DESCRIPTION).is_file()
        if source.preferred and here and find_pack(source.name, home, sources).description["encoder"] is not None:
            return source.name
    raise PackNotFoundError("no backbone is installed that is used by default: name one")


def find_download(name: str, sources: Mapping[str, PackSource]) -> tuple[PackSource, str]:
    """A pack that can be downloaded, and the importer it needs. Raises `PackNotFoundError`."""
    source = sources.get(name)
    if source is not None and source.downloads and source.importer:
        return source, source.importer
    if source is not None:
        raise PackNotFoundError(f"pack '{name}' comes with its plugin; there is nothing to download")
    known = ", ".join(sorted(key for key, pack in sources.items() if pack.downloads)) or "none"
    raise PackNotFoundError(f"no plugin knows where to download pack '{name}'; there are: {known}")


def installed(home: Path) -> dict[str, Path]:
    """The folders of installed packs by name."""
    if not home.is_dir():
        return {}
    return {path.parent.name: path.parent for path in sorted(home.glob(f"*/{DESCRIPTION}"))}
