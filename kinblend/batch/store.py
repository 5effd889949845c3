"""The folder that a batch writes. Every file in it is whole, so work that was killed at any moment goes on.

The folder may be one of an object store, whose objects are then meant by files: see `kinblend.object_stores`.

`batch.json` says what the children were made with. A row that is done is `rows/000001.safetensors` until all rows of
its shard are done, then part of `latents-00000.safetensors`; either holds the row's record, and that makes the row
done. Its pictures were written before; one that no record lists is of no row, and goes when the batch is done.
`parents` holds everybody who was encoded.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kinblend.errors import CorruptFileError, KinblendError, StoreError, UsageError
from kinblend.faces.quality import FaceQuality
from kinblend.object_stores import ObjectStore
from kinblend.pipeline.result import Parent
from kinblend.storage.checksummed import KEY, checksummed_bytes, read_checksummed
from kinblend.storage.latents import read_space
from kinblend.tensor_files import read_metadata
from kinblend.types import Latent, LatentSpace

if TYPE_CHECKING:
    from torch import Tensor

    from kinblend.pipeline.result import Child

MARK = "batch.json"
INDEX = "index.parquet"
ROWS, PICTURES = "rows", "pictures"
SCHEMA = 1
SHARD = 64  # rows of a shard
DETAIL = "detail."
SUFFIXES = {"png": "png", "jpeg": "jpg", "webp": "webp"}  # of pictures, by format
DONE, FAILED = "done", "failed"
_SHARD_NAME = re.compile(r"latents-\d{5,}\.safetensors")
_ROW_NAME = re.compile(rf"{ROWS}/(\d+)\.safetensors")
_PICTURE_NAME = re.compile(rf"{PICTURES}/\d{{5,}}/\d{{6,}}(-\d+)?\.({'|'.join(SUFFIXES.values())})")

Failure = tuple[str, str]  # the error's class, and the reason
Record = dict[str, Any]  # what became of a row, as JSON has it


def failure(key: str, error: str, reason: str) -> Record:
    """The record of a row that has no children. error: the name of the error's class."""
    return {"key": key, "status": FAILED, "error": error, "reason": reason, "children": []}


@dataclass(frozen=True)
class Store:
    """A batch's folder.

    objects: where. format: of pictures: "png", "jpeg" or "webp". space: of all latents.
    """

    objects: ObjectStore
    format: str
    space: LatentSpace

    def picture(self, number: int, child: int) -> str:
        """Where a child's picture lies in the folder. number: of the row; child: of the row's, both from 1."""
        return f"{PICTURES}/{shard_of(number):05d}/{tensor_name(number, child)}.{SUFFIXES[self.format]}"

    def claim(self, made_with: Mapping[str, Any]) -> None:
        """Make the folder ours. made_with: all that every child depends on.

        Raises `UsageError` where it holds something else, or children that were made with something else.
        """
        wanted = {"schema": SCHEMA, "format": self.format, "made_with": json.loads(json.dumps(made_with))}
        found = self._marked()
        if found is None:
            if any(not entry.startswith(f".{MARK}.") for entry in self.objects.entries()):
                raise UsageError(f"{self.objects.place()} holds other files; choose an empty folder")
            self.objects.write(MARK, (json.dumps(wanted, indent=1, sort_keys=True) + "\n").encode())
            return
        if changed := sorted(_differences(found, wanted)):
            raise UsageError(
                f"{self.objects.place()} was begun with another {', '.join(changed)}: its children would not be "
                "comparable; choose another folder"
            )

    def _marked(self) -> dict[str, Any] | None:
        try:
            found = json.loads(self.objects.read(MARK))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, RecursionError) as error:
            raise UsageError(f"{self.objects.place(MARK)} can't be read; choose another folder") from error
        return found if isinstance(found, dict) else {}

    def write_row(self, number: int, record: Record, tensors: Mapping[str, Tensor] | None = None) -> None:
        """Keep what became of a row: from now on it is done, or has failed."""
        header = {"kind": "batch row", "rows": {str(number): record}}
        self._write(f"{ROWS}/{number:06d}.safetensors", tensors or {}, header)

    def _write(self, name: str, tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
        self.objects.write(name, checksummed_bytes(self.objects.place(name), tensors, header))

    def sizes(self) -> Mapping[str, int]:
        """The bytes of all that is there, by name."""
        return self.objects.sizes()

    def records(self, sizes: Mapping[str, int]) -> dict[int, Record]:
        """What became of rows so far, by their numbers. What is damaged counts as not done. sizes: see `sizes`."""
        found: dict[int, Record] = {}
        for name in [*sorted(filter(_SHARD_NAME.fullmatch, sizes)), *_loose(sizes).values()]:
            found |= self._records_in(name, sizes[name])
        return found

    def _records_in(self, name: str, size: int) -> dict[int, Record]:
        """The records of a file of rows; none where it is damaged. Its tensors are not looked at."""
        try:
            metadata = read_metadata(lambda end: self.objects.read(name, end), size, name)
            rows = _header(metadata)["rows"]
            return {int(number): record for number, record in rows.items() if _is_record(record)}
        except StoreError:
            raise
        except (KinblendError, OSError, KeyError, TypeError, ValueError, AttributeError):
            return {}

    def pack(self, shard: int, kept: Mapping[int, Record]) -> None:
        """Put the rows of a shard together. kept: the records that still count; whatever else lies there goes.

        Raises `CorruptFileError` where the shard is damaged.
        """
        sizes = self.objects.sizes(ROWS)
        loose = {name: size for n, name in _loose(sizes).items() if shard_of(n) == shard for size in [sizes[name]]}
        wanted = {number: record for number, record in kept.items() if shard_of(number) == shard}
        try:
            size = self.objects.size(shard_name(shard))
            packed = self._records_in(shard_name(shard), size)
        except FileNotFoundError:
            packed = {}
        if packed != wanted:
            self._write_shard(shard_name(shard), loose, packed, wanted)
        for name in loose:
            self.objects.delete(name)

    def _write_shard(
        self, shard: str, loose: Mapping[str, int], packed: Mapping[int, Record], wanted: Mapping[int, Record]
    ) -> None:
        """loose: rows that are in no shard yet, with their sizes."""
        if not wanted:
            self.objects.delete(shard)
            return
        tensors: dict[str, Tensor] = {}
        sources = [*([(packed, shard)] if packed else [])]
        sources += [(self._records_in(name, size), name) for name, size in loose.items()]
        for records, source in sources:
            names = {str(n) for n, record in records.items() if wanted.get(n) == record}
            with self.objects.copied(source) as path:
                read, _ = read_checksummed(path, "batch row", "batch latents")
                tensors |= {name: value.clone() for name, value in read.items() if str(int(name[:6])) in names}
                del read  # it may be a part of the file
        rows = {str(number): wanted[number] for number in sorted(wanted)}
        self._write(shard, tensors, {"kind": "batch latents", "space": asdict(self.space), "rows": rows})

    def has_pictures(self, record: Record, sizes: Mapping[str, int]) -> bool:
        """Whether the pictures of a row are still there. sizes: see `sizes`."""
        return all(child["picture"] in sizes for child in record["children"])

    def remove_pictures(self, records: Iterable[Record]) -> None:
        """Remove the pictures of rows that are made anew, or no more."""
        for record in records:
            for child in record["children"]:
                if _is_inside(child["picture"]):
                    self.objects.delete(child["picture"])

    def end(self, known: Iterable[Record]) -> None:
        """Remove what is of use only while the batch works, and pictures of no row. known: all records."""
        listed = {child["picture"] for record in known for child in record["children"]}
        for name in filter(_PICTURE_NAME.fullmatch, self.objects.sizes(PICTURES)):
            if name not in listed:
                self.objects.delete(name)
        self.objects.tidy(ROWS)

    def parent_file(self, key: str) -> str:
        """Where somebody is kept. key: see `parent_key`."""
        return f"parents/{key[:2]}/{key}.safetensors"

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
        self._write(self.parent_file(key), tensors, header | {"face": parent.face, "failed": None})

    def write_lost_parent(self, key: str, error: str, reason: str) -> None:
        """Keep why somebody can't be encoded."""
        self._write(self.parent_file(key), {}, {"kind": "parent", "failed": [error, reason]})

    def forget_parent(self, key: str) -> None:
        """Remove what is kept of somebody."""
        self.objects.delete(self.parent_file(key))

    def parent_failure(self, key: str) -> Failure | None:
        """Why somebody could not be encoded; None if they were. Raises `CorruptFileError` where nobody has tried."""
        name = self.parent_file(key)
        try:
            metadata = read_metadata(lambda end: self.objects.read(name, end), self.objects.size(name), name)
        except FileNotFoundError:
            raise CorruptFileError(f"{self.objects.place(name)} does not exist") from None
        return _failure_in(_header(metadata))

    def has_parent(self, key: str, *, failed: bool = True) -> bool:
        """Whether somebody was encoded; failed: or could not be."""
        try:
            return self.parent_failure(key) is None or failed
        except CorruptFileError:
            return False

    def read_parent(self, key: str) -> Parent | Failure:
        """Somebody who was encoded, as the engine gave them, or why they could not be. Raises `CorruptFileError`."""
        with self.objects.copied(self.parent_file(key)) as path:
            return _read_parent(path)


def _read_parent(path: Path) -> Parent | Failure:
    from PIL import Image

    tensors, header = read_checksummed(path, "parent")
    if failed := _failure_in(header):
        return failed
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


def _loose(names: Iterable[str]) -> dict[int, str]:
    """Files of rows that are in no shard yet, by the rows' numbers."""
    return {int(found[1]): name for name in sorted(names) if (found := _ROW_NAME.fullmatch(name))}


def _is_inside(name: str) -> bool:
    """Whether a name that a record holds leads to a file of the folder, as all do that were written here."""
    path = PurePosixPath(name)
    return not path.is_absolute() and ".." not in path.parts and path.parts[:1] == (PICTURES,)


def _header(metadata: Mapping[str, str] | None) -> dict[str, Any]:
    try:
        header = json.loads((metadata or {})[KEY])
    except (KeyError, ValueError, RecursionError) as error:
        raise CorruptFileError("the file has no description; delete it, and run the batch again") from error
    return header if isinstance(header, dict) else {}


def _failure_in(header: Mapping[str, Any]) -> Failure | None:
    failed = header.get("failed")
    return None if failed is None else (str(failed[0]), str(failed[1]))


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
