"""Model packs: a folder of `.safetensors` files and a `pack.json` that describes and seals them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from kinblend.errors import PackError, PackNotFoundError, UsageError
from kinblend.files import atomic_write, check_target, file_sha256, locked
from kinblend.types import LatentSpace

DESCRIPTION = "pack.json"
SCHEMA = 2
UNSEALED = 1  # the schema before, of which a description holds no hash of itself
_ADDED = ".added"  # how a file ends that is being added


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
        return {name: self._place(name, about["sha256"]) for name, about in self.description["files"].items()}

    def _place(self, name: str, sha256: str) -> Path:
        """Where a file lies: one whose addition was ended before its last step, under the name it was given first."""
        added = _added(self.folder, name, sha256)
        return added if added.is_file() else self.folder / name

    def lacks(self, weights: str) -> bool:
        """Whether a plugin's file of weights ("" for none) is not in it."""
        return bool(weights) and weights not in self.files

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

    def verify(self, names: Iterable[str] | None = None) -> None:
        """Hash every file, or those named. Raises `PackError` that names the first that differs."""
        self.check_sizes()
        for name in sorted(self.files if names is None else names):
            path = self.files[name]
            if file_sha256(path) != self.description["files"][name]["sha256"]:
                raise PackError(f"{path} was altered: its SHA-256 differs; pull or import pack '{self.name}' again")


def is_encoders(file: str) -> bool:
    """Whether a pack's file is that of its own encoder: `encoder.safetensors`, or a part of it."""
    return file.startswith("encoder")


def open_pack(folder: str | Path) -> Pack:
    """Open the pack in `folder`. Raises `PackNotFoundError` and `PackError`."""
    pack = _described(folder)
    pack.check_sizes()
    return pack


def _described(folder: str | Path) -> Pack:
    """The pack as its description has it, whatever its files are like."""
    path = Path(folder) / DESCRIPTION
    try:
        text = path.read_text("utf-8")
        description = json.loads(text)
    except FileNotFoundError:
        raise PackNotFoundError(f"{folder} is not a model pack: it has no {DESCRIPTION}") from None
    except NotADirectoryError:
        raise PackNotFoundError(f"{folder} is not a folder; a model pack is one that holds a {DESCRIPTION}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise PackError(f"{path} can't be read: {error}") from error
    from kinblend.storage.description import check_description

    check_description(path, description)
    if description["schema"] != UNSEALED and text != _text(description):
        raise PackError(
            f"{path} was altered: its SHA-256 differs; pull or import the pack again, or, where it is yours, seal it "
            "with write_description"
        )
    return Pack(Path(folder), description)


def _text(description: Mapping[str, Any]) -> str:
    """What `pack.json` holds: the description and the SHA-256 of all the rest of it."""
    said = {**description, "schema": SCHEMA}
    said.pop("sha256", None)
    digest = hashlib.sha256(json.dumps(said, indent=2).encode()).hexdigest()
    return json.dumps({**said, "sha256": digest}, indent=2) + "\n"


def write_description(folder: str | Path, description: Mapping[str, Any], files: Iterable[str]) -> Pack:
    """Seal the `files` that lie in `folder` under a `pack.json`, and open the pack.

    description: name, encoder and projector (plugin names), layers, dim, resolution, generator (the file whose
        SHA-256 defines the latent space), settings, and what users should know: summary, training_data, licence,
        source.
    Raises `PackError` before it writes: all keys that are missing at once, else the first thing that is wrong.
    """
    from kinblend.storage.description import check_description

    folder, names = Path(folder), sorted(files)
    if lost := [name for name in names if not (folder / name).is_file()]:
        raise PackError(f"{folder} has no file {', '.join(lost)}; write it first")
    sealed = {name: {"sha256": file_sha256(folder / name), "bytes": (folder / name).stat().st_size} for name in names}
    said = {"schema": SCHEMA, **description, "files": sealed}
    check_description(folder / DESCRIPTION, said)
    try:
        text = _text(said)
    except (TypeError, ValueError) as error:
        raise PackError(f"{folder / DESCRIPTION} can't describe a pack: JSON has no word for it: {error}") from error
    atomic_write(folder / DESCRIPTION, text.encode())
    return open_pack(folder)


def annotate(pack: Pack, notes: Mapping[str, Any]) -> Pack:
    """Add to a pack's description; its files stay as they are."""
    atomic_write(pack.folder / DESCRIPTION, _text({**pack.description, **notes}).encode())
    return open_pack(pack.folder)


def add_files(
    pack: Pack, files: Mapping[str, Path], without: Iterable[str] = (), notes: Mapping[str, Any] | None = None
) -> Pack:
    """Copy `.safetensors` files into a pack under these names ("blender.safetensors"), in the place of those it has.

    without: names of files that no longer belong to the pack. notes: what else its description says from now on.
    The description names them under `added`, so that `renew` keeps them. Raises `UsageError` for the generator, which
    defines the latent space, and `PackError` for a file that can't be read or holds NaN.
    """
    for name, file in files.items():
        if name == pack.description["generator"]:
            raise UsageError(
                f"{name} defines the latent space of pack '{pack.name}'; import or train a pack of its own"
            )
        if not name.endswith(".safetensors") or Path(name).name != name:
            raise UsageError(f"{name!r} is not the plain name of a .safetensors file")
        check_tensors(file)
    with locked(pack.folder):
        pack = open_pack(pack.folder)
        added = sorted({*pack.description.get("added", ()), *files} - set(without))
        return _add(pack, files, without, {**(notes or {}), "added": added})


def renew(folder: Path, made: Pack) -> Pack:
    """Let the pack in `folder` have the files and the description of `made`, a newer import of the same.

    What was added to it stays; an added encoder stays in the place of the newer one. Files of it that are missing or
    altered are mended. Raises `PackError` where its description can't be read, or where an added file is altered.
    """
    with locked(folder):
        pack = _described(folder)
        kept = set(pack.description.get("added", ())) & set(pack.files)
        own_encoder = any(is_encoders(name) for name in kept)
        coming = {name for name in made.files if name not in kept and not (own_encoder and is_encoders(name))}
        notes = {key: value for key, value in made.description.items() if key not in ("files", "sha256")}
        notes["added"] = sorted(kept)
        if own_encoder:
            notes["encoder"] = pack.description["encoder"]
        newer = {name: made.files[name] for name in coming if not _same(pack, name, made)}
        return _add(pack, newer, set(pack.files) - coming - kept, notes)


def _same(pack: Pack, name: str, made: Pack) -> bool:
    own, other = (each.description["files"].get(name) for each in (pack, made))
    return own == other and pack.files[name].is_file() and file_sha256(pack.files[name]) == own["sha256"]


def _add(pack: Pack, files: Mapping[str, Path], without: Iterable[str], notes: Mapping[str, Any]) -> Pack:
    """Ended anywhere in it, the pack is the old or the new one: its description is the one thing that decides."""
    _settle(pack)
    pack = _described(pack.folder)
    about: dict[str, Any] = {name: own for name, own in pack.description["files"].items() if name not in set(without)}
    for name, file in files.items():
        data, target = file.read_bytes(), pack.folder / name
        about[name] = {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
        if not (target.exists() and target.samefile(file)):
            check_target(target)
            atomic_write(_added(pack.folder, name, about[name]["sha256"]), data, durable=True)
    text = _text({**pack.description, **notes, "files": dict(sorted(about.items()))})
    atomic_write(pack.folder / DESCRIPTION, text.encode(), durable=True)
    _settle(_described(pack.folder))
    return open_pack(pack.folder)


def _settle(pack: Pack) -> None:
    """Give its files their own names: what an addition has left to do, or left behind, is done."""
    waiting = {path: pack.folder / name for name, path in pack.files.items() if path.name.endswith(_ADDED)}
    for left in pack.folder.glob(f".*{_ADDED}"):
        if left in waiting:
            left.replace(waiting[left])
        else:
            left.unlink()


def _added(folder: Path, name: str, sha256: str) -> Path:
    return folder / f".{name}.{sha256[:16]}{_ADDED}"


def check_tensors(file: str | Path) -> None:
    """Raise `PackError` unless `file` is a safetensors file of finite tensors."""
    import torch

    from kinblend.tensor_files import SafetensorError, safe_open

    path = Path(file)
    if not path.is_file():
        raise PackError(f"{path} {'is a folder' if path.is_dir() else 'does not exist'}")
    try:
        with safe_open(path, framework="pt") as content:
            for name in content.keys():  # noqa: SIM118
                tensor = content.get_tensor(name)
                if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
                    raise PackError(f"{path}: tensor '{name}' holds NaN or infinity")
    except (OSError, SafetensorError) as error:
        raise PackError(f"{path} is no safetensors file: {error}") from error
