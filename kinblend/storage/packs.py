"""Model packs: a folder of `.safetensors` files and a `pack.json` that describes and seals them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from kinblend.errors import PackError, PackNotFoundError, UsageError
from kinblend.storage.sealed import atomic_write, file_sha256
from kinblend.types import LatentSpace

DESCRIPTION = "pack.json"
SCHEMA = 1
_REQUIRED = ("schema", "name", "encoder", "projector", "layers", "dim", "resolution", "generator", "files")


@dataclass(frozen=True)
class Pack:
    """A model pack that has been opened; its files are not hashed until `verify`.

    folder: where it lies. description: what `pack.json` says.
    """

    folder: Path
    description: Mapping[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        """Its name, also the name of the backbone."""
        return str(self.description["name"])

    @property
    def resolution(self) -> int:
        """Side of the pictures its projector makes, in pixels."""
        return int(self.description["resolution"])

    @property
    def settings(self) -> dict[str, Any]:
        """The architecture's own parameters."""
        return dict(self.description.get("settings", {})) | {"resolution": self.resolution}

    @cached_property
    def files(self) -> dict[str, Path]:
        """Its files by name."""
        return {name: self.folder / name for name in self.description["files"]}

    @cached_property
    def space(self) -> LatentSpace:
        """The latent space it defines."""
        d = self.description
        return LatentSpace(self.name, int(d["layers"]), int(d["dim"]), str(d["files"][d["generator"]]["sha256"]))

    def check_sizes(self) -> None:
        """Raise `PackError` if a file is missing or has another size than recorded; reads no contents."""
        for name, path in self.files.items():
            if not path.is_file():
                raise PackError(f"pack '{self.name}' lacks {name}; pull or import it again")
            recorded, size = int(self.description["files"][name]["bytes"]), path.stat().st_size
            if recorded != size:
                raise PackError(
                    f"{path} has {size} bytes, {recorded} were recorded; pull or import pack '{self.name}' again"
                )

    def verify(self) -> None:
        """Hash every file. Raises `PackError` that names the first that differs."""
        self.check_sizes()
        for name, path in self.files.items():
            if file_sha256(path) != self.description["files"][name]["sha256"]:
                raise PackError(f"{path} was altered: its SHA-256 differs; pull or import pack '{self.name}' again")


def open_pack(folder: str | Path) -> Pack:
    """Open the pack in `folder`. Raises `PackNotFoundError` and `PackError`."""
    path = Path(folder) / DESCRIPTION
    try:
        description = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise PackNotFoundError(f"{folder} is no model pack: it has no {DESCRIPTION}") from None
    except (OSError, ValueError) as error:
        raise PackError(f"{path} can't be read: {error}") from error
    _check(path, description)
    pack = Pack(Path(folder), description)
    pack.check_sizes()
    return pack


def write_description(folder: str | Path, description: Mapping[str, Any], files: Iterable[str]) -> Pack:
    """Seal the `files` that lie in `folder` under a `pack.json`, and open the pack.

    description: name, encoder and projector (plugin names), layers, dim, resolution, generator (the file whose
        SHA-256 defines the latent space), settings, and what users should know: summary, training_data, licence,
        source.
    """
    folder = Path(folder)
    sealed = {
        name: {"sha256": file_sha256(folder / name), "bytes": (folder / name).stat().st_size}
        for name in sorted(files)
    }
    text = json.dumps({"schema": SCHEMA, **description, "files": sealed}, indent=2) + "\n"
    atomic_write(folder / DESCRIPTION, text.encode())
    return open_pack(folder)


def add_file(pack: Pack, file: str | Path, name: str) -> Pack:
    """Copy a `.safetensors` file into a pack under that name ("blender.safetensors", "directions.safetensors"),
    in the place of one it has. Raises `UsageError` for the generator, which defines the latent space."""
    if name == pack.description["generator"]:
        raise UsageError(f"{name} defines the latent space of pack '{pack.name}'; import or train a pack of its own")
    if not name.endswith(".safetensors") or Path(name).name != name:
        raise UsageError(f"{name!r} is not the plain name of a .safetensors file")
    path = Path(file)
    if not path.is_file():
        raise PackError(f"{path} does not exist")
    atomic_write(pack.folder / name, path.read_bytes())
    description = {key: value for key, value in pack.description.items() if key not in ("schema", "files")}
    return write_description(pack.folder, description, {*pack.files, name})


def _check(path: Path, description: Any) -> None:
    if not isinstance(description, dict):
        raise PackError(f"{path} must hold an object")
    missing = [key for key in _REQUIRED if key not in description]
    if missing:
        raise PackError(f"{path} lacks {', '.join(missing)}")
    if description["schema"] != SCHEMA:
        raise PackError(f"{path} has schema {description['schema']}; this kinblend reads schema {SCHEMA}")
    files = description["files"]
    if not isinstance(files, dict) or description["generator"] not in files:
        raise PackError(f"{path}: 'files' must list the generator {description['generator']!r}")
    for name, entry in files.items():
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise PackError(f"{path}: {name!r} is not the plain name of a .safetensors file")
        if not isinstance(entry, dict) or not {"sha256", "bytes"} <= set(entry):
            raise PackError(f"{path}: {name!r} needs 'sha256' and 'bytes'")
