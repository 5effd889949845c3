"""What processes do for a batch: encode a parent, make the children of a couple. No row stops the batch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from kinblend.batch.couples import request_of
from kinblend.batch.photographs import as_file
from kinblend.batch.store import DONE, Record, Store, child_tensors, failure, tensor_name
from kinblend.errors import ImageError, KinblendError, StoreError, summarize
from kinblend.imaging.encode import picture_bytes
from kinblend.object_stores import Place
from kinblend.pipeline import Engine

if TYPE_CHECKING:
    from torch import Tensor

    from kinblend.pipeline import Child, Result


@dataclass(frozen=True)
class EngineOptions:
    """What every process makes its engine of; see `Engine`. backbone: the name of a pack, or its folder. encoder: in
    the place of the pack's own."""

    backbone: str
    device: str | None = None
    precision: str | None = None
    memory_budget: str | None = None
    encoder_options: Mapping[str, Any] = field(default_factory=dict)
    projector_options: Mapping[str, Any] = field(default_factory=dict)
    encoder: str | None = None

    def open(self) -> Engine:
        """An engine that remembers nobody: the store does."""
        return Engine(
            self.backbone,
            self.device,
            self.precision,
            self.memory_budget,
            encoder=self.encoder,
            encoder_options=self.encoder_options,
            projector_options=self.projector_options,
            cached_parents=0,
        )


@dataclass(frozen=True)
class ParentJob:
    """Somebody to encode.

    key: that the store knows them by. sha256: of the photograph. face: its number, if chosen. upscaler: of small
    faces, if one was asked for.
    """

    engine: EngineOptions
    store: Store
    key: str
    photograph: Place
    sha256: str
    face: int | None
    upscaler: str | None


@dataclass(frozen=True)
class RowJob:
    """Children to make. number, key: of the row. fields: of its request. parents: keys of father and mother."""

    engine: EngineOptions
    store: Store
    number: int
    key: str
    fields: Mapping[str, Any]
    parents: Sequence[str]


def encode_parent(job: ParentJob) -> bool:
    """Put somebody into the store, or why they can't be encoded. Returns whether anything was encoded."""
    if job.store.has_parent(job.key):
        return False
    try:
        with as_file(job.photograph) as path:
            parent = _engine(_hashable(job.engine)).parent(path, job.face, job.upscaler)
        if parent.source.get("sha256") != job.sha256:
            raise ImageError(f"{job.photograph} was changed while the batch was at work; run it again")
    except StoreError:  # it says nothing about the photograph
        raise
    except Exception as error:
        job.store.write_lost_parent(job.key, *_described(error))
        return False
    job.store.write_parent(job.key, parent)
    return True


def make_row(job: RowJob) -> Record:
    """Put the children of a couple into the store, or why there are none. Returns the row's record."""
    try:
        people = [job.store.read_parent(key) for key in job.parents]
        for one in people:
            if isinstance(one, tuple):
                return _fail(job, *one)
        father, mother = (one for one in people if not isinstance(one, tuple))
        result = _engine(_hashable(job.engine)).run(father, mother, request_of(job.fields))
        names = [job.store.picture(job.number, number) for number, _ in enumerate(result.children, start=1)]
        files = [picture_bytes(name, child.image) for name, child in zip(names, result.children, strict=True)]
    except StoreError:
        raise
    except Exception as error:
        return _fail(job, *_described(error))
    record = _record(job, result)
    tensors: dict[str, Tensor] = {}
    for number, (child, picture, data) in enumerate(zip(result.children, names, files, strict=True), start=1):
        job.store.objects.write(picture, data)
        record["children"].append(_child_record(result, child, number, picture, data))
        tensors |= child_tensors(tensor_name(job.number, number), child)
    job.store.write_row(job.number, record, tensors)
    return record


def _fail(job: RowJob, error: str, reason: str) -> Record:
    record = failure(job.key, error, reason)
    job.store.write_row(job.number, record)
    return record


def _record(job: RowJob, result: Result) -> Record:
    made = result.manifest
    return {
        "key": job.key,
        "status": DONE,
        "error": "",
        "reason": "",
        "request": made["request"],
        "blender": made["blender"]["name"],
        "father_sha256": made["inputs"]["father"]["sha256"],
        "mother_sha256": made["inputs"]["mother"]["sha256"],
        "judge": made["judge"],
        "warnings": list(result.warnings),
        "children": [],
    }


def _child_record(result: Result, child: Child, number: int, picture: str, data: bytes) -> dict[str, Any]:
    """number: of the child, from 1."""
    made, at = result.manifest, number - 1
    seen = made["seen"][at] if made["seen"] else {}
    return {
        "picture": picture,
        "sha256": sha256(data).hexdigest(),
        "seed": child.seed,
        "weights": child.weight_map is not None,
        "clamped": made["clamped"][at],
        "similarity": made["similarity"][at],
        "age": made["asked"][at]["age"],
        "sex": made["asked"][at]["sex"],
        "seen_age": seen.get("age"),
        "seen_sex": seen.get("sex"),
    }


def _described(error: Exception) -> tuple[str, str]:
    """The name of an error's class, and what it says in one line."""
    text = str(error) if isinstance(error, KinblendError) else summarize(error)
    return type(error).__name__, " ".join(text.split())


def _hashable(options: EngineOptions) -> str:
    return json.dumps(asdict(options), sort_keys=True, default=str)


@cache
def _engine(options: str) -> Engine:
    """The engine of this process, made once."""
    return EngineOptions(**json.loads(options)).open()
