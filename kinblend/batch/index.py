"""The index of a batch: a row for each child, and for each couple that has none and why."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kinblend.batch.couples import Couple
from kinblend.batch.store import INDEX, Record, Store, detail_of, shard_name, shard_of, tensor_name
from kinblend.errors import InputError
from kinblend.object_stores import Address, ObjectStore, Place, open_store, place_of
from kinblend.storage.checksummed import read_checksummed
from kinblend.storage.latents import read_space
from kinblend.storage.tables import Kind, parquet_bytes, read_table
from kinblend.types import Latent, WeightMap

COLUMNS: dict[str, Kind] = {
    "id": str,
    "row": int,
    "child": int,
    "status": str,
    "error": str,
    "reason": str,
    "picture": str,
    "picture_sha256": str,
    "shard": str,
    "tensor": str,
    "weights": int,
    "seed": int,
    "age": float,
    "sex": str,
    "father_similarity": float,
    "mother_similarity": float,
    "clamped": float,
    "judge": str,
    "seen_age": float,
    "seen_sex": str,
    "blender": str,
    "warnings": str,
    "father_sha256": str,
    "mother_sha256": str,
    "request": str,
}


def write_index(store: Store, couples: Sequence[Couple], records: Mapping[int, Record]) -> Place:
    """Write the index of all rows that something is known of, in the order of the table. Returns where it is."""
    rows = [row for couple in couples if couple.number in records for row in _rows(couple, records[couple.number])]
    store.objects.write(INDEX, parquet_bytes(COLUMNS, rows))
    return store.objects.place(INDEX)


def load_child(folder: str | Path | Address, id: str, child: int = 1) -> tuple[Latent, WeightMap | None]:
    """The latent of a child, and the weight map where its blend is a weighted sum.

    folder: that a batch wrote, or its address, such as "s3://bucket/children". id: of the couple. child: which of
    theirs, from 1.
    Raises `InputError` where the index has no such child, and `CorruptFileError` for a damaged shard.
    """
    objects = open_store(place_of(folder))
    with _file_of(objects, INDEX) as path:
        rows = [row for _, row in read_table(path).rows if (row["id"], row["child"]) == (id, child)]
    if not rows:
        raise InputError(f"{objects.place(INDEX)} has no child {child} of {id!r}")
    name = f"{rows[0]['tensor']}."
    with _file_of(objects, rows[0]["shard"]) as path:
        tensors, header = read_checksummed(path, "batch latents")
        own = {key.removeprefix(name): value.clone() for key, value in tensors.items() if key.startswith(name)}
        space = read_space(path, header.get("space"))
    return Latent(own["code"], space, detail_of(own)), WeightMap(own["weights"], space) if "weights" in own else None


@contextmanager
def _file_of(objects: ObjectStore, name: str) -> Iterator[Path]:
    """A file with an object's content. Raises `InputError` where there is no such object."""
    try:
        with objects.copied(name) as path:
            yield path
    except FileNotFoundError:
        raise InputError(f"{objects.place(name)} does not exist") from None


def _rows(couple: Couple, record: Record) -> Iterator[dict[str, Any]]:
    common = {"id": couple.id, "row": couple.number, "status": record["status"]}
    if not record["children"]:
        yield common | {"error": record["error"], "reason": record["reason"]}
        return
    common |= {name: record[name] for name in ("blender", "judge", "father_sha256", "mother_sha256")}
    common["warnings"] = "; ".join(record["warnings"]) or None
    common |= {"shard": shard_name(shard_of(couple.number)), "request": json.dumps(record["request"], sort_keys=True)}
    for number, child in enumerate(record["children"], start=1):
        yield common | _child(child) | {"child": number, "tensor": tensor_name(couple.number, number)}


def _child(child: Mapping[str, Any]) -> dict[str, Any]:
    names = ("picture", "seed", "age", "sex", "clamped", "seen_age", "seen_sex")
    return {
        **{name: child[name] for name in names},
        "picture_sha256": child["sha256"],
        "weights": int(child["weights"]),
        "father_similarity": child["similarity"]["father"],
        "mother_similarity": child["similarity"]["mother"],
    }
