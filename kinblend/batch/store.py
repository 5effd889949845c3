"""The folder that a batch writes. Every file in it is whole, so work that was killed at any moment goes on.

`batch.json` says what the children were made with. A row that is done is `rows/000001.safetensors` until all rows of
its shard are done, then part of `latents-00000.safetensors`; either holds the row's record, and that makes the row
done. Its pictures were written before. `parents` holds everybody who was encoded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.errors import CorruptFileError, KinblendError, UsageError
from kinblend.faces.quality import FaceQuality
from kinblend.files import atomic_write
from kinblend.pipeline.result import Parent
from kinblend.storage.checksummed import KEY, read_checksummed, write_checksummed
from kinblend.storage.latents import read_space
from kinblend.tensor_files import safe_open
from kinblend.types import Latent, LatentSpace

if TYPE_CHECKING:
    from torch import Tensor

    from kinblend.pipeline.result import Child

MARK = "batch.json"
INDEX = "index.parquet"
SCHEMA = 1
SHARD = 64  # rows of a shard
DETAIL = "detail."
SUFFIXES = {"png": "png", "jpeg": "jpg", "webp": "webp"}  # of pictures, by format
DONE, FAILED = "done", "failed"

Record = dict[str, Any]  # what became of a row, as JSON has it


def failure(key: str, error: str, reason: str) -> Record:
    """The record of a row that has no children. error: the name of the error's class."""
    return {"key": key, "status": FAILED, "error": error, "reason": reason, "children": []}


@dataclass(frozen=True)
class Store:
    """A batch's folder.

    folder: where. format: of pictures: "png", "jpeg" or "webp". space: of all latents.
    """

    folder: Path
    format: str
    space: LatentSpace

    def picture(self, number: int, child: int) -> str:
        """Where a child's picture lies in the folder. number: of the row; child: of the row's, both from 1."""
        return f"pictures/{shard_of(number):05d}/{tensor_name(number, child)}.{SUFFIXES[self.format]}"

    def claim(self, made_with: Mapping[str, Any]) -> None:
        """Make the folder ours. made_with: all that every child depends on.

        Raises `UsageError` where it holds something else, or children that were made with something else.
        """
        mark = self.folder / MARK
        wanted = {"schema": SCHEMA, "format": self.format, "made_with": json.loads(json.dumps(made_with))}
        if not mark.exists():
            if any(not path.name.startswith(f".{MARK}.") for path in self.folder.iterdir()):
                raise UsageError(f"{self.folder} holds other files; choose an empty folder")
            atomic_write(mark, (json.dumps(wanted, indent=1, sort_keys=True) + "\n").encode())
            return
        found = self._marked()
        if changed := sorted(_differences(found, wanted)):
            raise UsageError(
                f"{self.folder} was begun with another {', '.join(changed)}: its children would not be comparable; "
                "choose another folder"
            )

    def _marked(self) -> dict[str, Any]:
        try:
            found = json.loads((self.folder / MARK).read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise UsageError(f"{self.folder / MARK} can't be read; choose another folder") from error
        return found if isinstance(found, dict) else {}

    @cached_property
    def _row_files(self) -> Path:
        return self.folder / "rows"

    def write_row(self, number: int, record: Record, tensors: Mapping[str, Tensor] | None = None) -> None:
        """Keep what became of a row: from now on it is done, or has failed."""
        header = {"kind": "batch row", "rows": {str(number): record}}
        write_checksummed(self._row_files / f"{number:06d}.safetensors", tensors or {}, header)

    def records(self) -> dict[int, Record]:
        """What became of rows so far, by their numbers. What is damaged counts as not done."""
        found: dict[int, Record] = {}
        for path in [*sorted(self.folder.glob("latents-*.safetensors")), *self._loose().values()]:
            found |= _records_in(path)
        return found

    def _loose(self) -> dict[int, Path]:
        """Rows that are in no shard yet."""
        if not self._row_files.is_dir():
            return {}
        return {
            int(path.stem): path for path in sorted(self._row_files.glob("*.safetensors")) if path.stem.isdecimal()
        }

    def pack(self, shard: int, kept: Mapping[int, Record]) -> None:
        """Put the rows of a shard together. kept: the records that still count; whatever else lies there goes.

        Raises `CorruptFileError` where the shard is damaged.
        """
        path, loose = self._shard_file(shard), {n: p for n, p in self._loose().items() if shard_of(n) == shard}
        wanted = {number: record for number, record in kept.items() if shard_of(number) == shard}
        packed = _records_in(path) if path.exists() else {}
        if packed != wanted:
            self._write_shard(path, loose, packed, wanted)
        for row in loose.values():
            row.unlink()

    def _write_shard(
        self, path: Path, loose: Mapping[int, Path], packed: Mapping[int, Record], wanted: Mapping[int, Record]
    ) -> None:
        if not wanted:
            path.unlink(missing_ok=True)
            return
        tensors: dict[str, Tensor] = {}
        sources = [*([(packed, path)] if packed else []), *((_records_in(row), row) for row in loose.values())]
        for records, source in sources:
            names = {str(n) for n, record in records.items() if wanted.get(n) == record}
            read, _ = read_checksummed(source, "batch row", "batch latents")
            tensors |= {name: value.clone() for name, value in read.items() if str(int(name[:6])) in names}
        rows = {str(number): wanted[number] for number in sorted(wanted)}
        write_checksummed(path, tensors, {"kind": "batch latents", "space": asdict(self.space), "rows": rows})

    def _shard_file(self, shard: int) -> Path:
        return self.folder / shard_name(shard)

    def has_pictures(self, record: Record) -> bool:
        """Whether the pictures of a row are still there."""
        return all((self.folder / child["picture"]).is_file() for child in record["children"])

    def remove_pictures(self, records: Iterable[Record]) -> None:
        """Remove the pictures of rows that are made anew, or no more."""
        for record in records:
            for child in record["children"]:
                path = self.folder / child["picture"]
                if path.resolve().is_relative_to(self.folder.resolve()):
                    path.unlink(missing_ok=True)

    def end(self) -> None:
        """Remove what is of use only while the batch works."""
        if self._row_files.is_dir() and not any(self._row_files.iterdir()):
            self._row_files.rmdir()

    def parent_file(self, key: str) -> Path:
        """Where somebody is kept. key: see `parent_key`."""
        return self.folder / "parents" / key[:2] / f"{key}.safetensors"

    def write_parent(self, key: str, parent: Parent) -> None:
        """Keep somebody who was encoded: latent, crop and landmarks, exactly."""
        import numpy as np
        import torch

        tensors = latent_tensors(parent.latent) | {"crop": torch.from_numpy(np.array(parent.crop))}
        if parent.landmarks is not None:
            tensors["landmarks"] = torch.from_numpy(np.array(parent.landmarks))
        quality = None if parent.quality is None else json.loads(json.dumps(asdict(parent.quality), default=float))
        header: dict[str, Any] = {
            "kind": "parent",
            "space": asdict(parent.latent.space),
            "source": dict(parent.source),
        }
        header["quality"] = quality
        write_checksummed(self.parent_file(key), tensors, header | {"face": parent.face, "failed": None})

    def write_lost_parent(self, key: str, error: str, reason: str) -> None:
        """Keep why somebody can't be encoded."""
        write_checksummed(self.parent_file(key), {}, {"kind": "parent", "failed": [error, reason]})

    def parent_failure(self, key: str) -> tuple[str, str] | None:
        """The error's class and the reason where somebody could not be encoded, else None. Raises `CorruptFileError`
        where nobody has tried."""
        with safe_open(self.parent_file(key)) as file:
            failed = _header(file.metadata()).get("failed")
        return None if failed is None else (str(failed[0]), str(failed[1]))

    def has_parent(self, key: str, *, failed: bool = True) -> bool:
        """Whether somebody was encoded; failed: or could not be."""
        try:
            return self.parent_failure(key) is None or failed
        except CorruptFileError:
            return False

    def read_parent(self, key: str) -> Parent:
        """Somebody who was encoded, as the engine gave them. Raises `CorruptFileError`."""
        from PIL import Image

        path = self.parent_file(key)
        tensors, header = read_checksummed(path, "parent")
        try:
            # The file is mapped: what is kept of it must not be.
            tensors = {name: value.clone() for name, value in tensors.items()}
            crop, landmarks = Image.fromarray(tensors["crop"].numpy()), tensors.get("landmarks")
            points = None if landmarks is None else landmarks.numpy()
            latent = Latent(tensors["code"], read_space(path, header["space"]), detail_of(tensors))
            quality = None if header["quality"] is None else FaceQuality(**header["quality"])
            return Parent(crop, latent, points, source=header["source"], face=header["face"], quality=quality)
        except (KeyError, TypeError, ValueError) as error:
            raise CorruptFileError(f"{path} is damaged; delete it, and run the batch again") from error


def parent_key(made_with: Mapping[str, Any], sha256: str, face: int | None, upscaler: str | None) -> str:
    """What somebody is kept by: all that a latent depends on.

    sha256: of the photograph. face: its number, if chosen. upscaler: of small faces, if one was asked for.
    """
    facts = json.dumps([made_with, sha256, face, upscaler], sort_keys=True, default=str)
    return hashlib.sha256(facts.encode()).hexdigest()[:32]


def shard_of(number: int) -> int:
    """The shard that a row belongs to, whatever has become of others. number: of the row, from 1."""
    return (number - 1) // SHARD


def shard_name(shard: int) -> str:
    """A shard's file."""
    return f"latents-{shard:05d}.safetensors"


def tensor_name(number: int, child: int) -> str:
    """What the tensors of a child are called in its shard, before a dot: `000012`, and `000012-2` for the second."""
    return f"{number:06d}" + (f"-{child}" if child > 1 else "")


def child_tensors(name: str, child: Child) -> dict[str, Tensor]:
    """A child's latent and weight map under its name."""
    tensors = latent_tensors(child.latent)
    if child.weight_map is not None:
        tensors["weights"] = child.weight_map.values
    return {f"{name}.{part}": value for part, value in tensors.items()}


def latent_tensors(latent: Latent) -> dict[str, Tensor]:
    """Code and detail by name."""
    return {"code": latent.code} | {DETAIL + name: value for name, value in latent.detail.items()}


def detail_of(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The detail among named tensors."""
    return {name.removeprefix(DETAIL): value for name, value in tensors.items() if name.startswith(DETAIL)}


def _records_in(path: Path) -> dict[int, Record]:
    """The records of a file of rows; none where it is damaged. Its tensors are not looked at."""
    try:
        with safe_open(path) as file:
            rows = _header(file.metadata())["rows"]
        return {int(number): record for number, record in rows.items() if _is_record(record)}
    except (KinblendError, KeyError, TypeError, ValueError, AttributeError):
        return {}


def _header(metadata: Mapping[str, str] | None) -> dict[str, Any]:
    try:
        header = json.loads((metadata or {})[KEY])
    except (KeyError, ValueError, RecursionError) as error:
        raise CorruptFileError("the file has no description; delete it, and run the batch again") from error
    return header if isinstance(header, dict) else {}


def _is_record(record: Any) -> bool:
    """Whether this is what `failure` or `worker.make_row` makes."""
    if not isinstance(record, dict) or not {"key", "status", "error", "reason", "children"} <= record.keys():
        return False
    children = record["children"]
    return isinstance(children, list) and all(
        isinstance(child, dict) and isinstance(child.get("picture"), str) for child in children
    )


def _differences(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> Iterator[str]:
    """The names of what differs between two contents of `batch.json`."""
    for name in {*found, *wanted}:
        ours: Any = found.get(name)
        theirs: Any = wanted.get(name)
        both = isinstance(ours, dict) and isinstance(theirs, dict)
        if name == "made_with" and both:
            yield from _differences(ours, theirs)
        elif name == "plugins" and both:  # one that came or went since made none of these children
            yield from (f"version of {plugin}" for plugin in {*ours} & {*theirs} if ours[plugin] != theirs[plugin])
        elif ours != theirs:
            yield name
