"""The run manifest: everything needed to say how a child came about, and to make it again."""

from __future__ import annotations

import hashlib
import json
import platform
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel

from kinblend.backbone import Backbone
from kinblend.device import DevicePool, peak_rss
from kinblend.errors import wrap_plugin_errors
from kinblend.files import file_sha256
from kinblend.identity import load_identity
from kinblend.interfaces import Plugin
from kinblend.pipeline.own_blender import GivenWeights
from kinblend.pipeline.request import GivenLatent, RunPlan
from kinblend.pipeline.result import Parent
from kinblend.types import Target

if TYPE_CHECKING:
    from kinblend.pipeline.request import Source
    from kinblend.pipeline.result import Child

SCHEMA = 1


def describe_run(backbone: Backbone, plan: RunPlan) -> dict[str, Any]:
    """What is known before a run starts. The same inputs give the same record."""
    import torch

    (father, mother), pool = plan.pictures, backbone.pool
    return {
        "schema": SCHEMA,
        # What was asked for; `kinblend run --from` asks for it again.
        "request": _request(plan),
        "encoder_options": _given(backbone.encoder_options, backbone.encoder.options),
        "versions": versions(),
        "backbone": {
            "name": backbone.name,
            "files": {name: file["sha256"] for name, file in backbone.pack.description["files"].items()},
            "encoder": describe_plugin(backbone.encoder),
            "projector": describe_plugin(backbone.projector, plan.projector_options),
        },
        "inputs": {"father": fingerprint(father), "mother": fingerprint(mother)},
        "faces": {
            "father": _face(father, plan.request.father_face),
            "mother": _face(mother, plan.request.mother_face),
        },
        "blender": describe_plugin(plan.blender),
        "editor": describe_plugin(plan.editor) if plan.editor else None,
        "neutral": plan.request.neutral,
        "edits": {name: str(edit) if isinstance(edit, Target) else edit for name, edit in plan.edits.items()},
        "asked": [asked.record for asked in plan.children],
        "children": len(plan.seeds),
        "seed": plan.seeds[0],
        "seeds": list(plan.seeds),
        "device": str(pool.device),
        "precision": pool.precision,
        "memory_budget": pool.budget,
        # Sums in another order round otherwise: the same bytes need the same number of threads.
        "threads": torch.get_num_threads(),
    }


def describe_faces(father: Parent, mother: Parent) -> dict[str, Any]:
    """How good the parents' photographs are; None for who came without one."""
    people = {"father": father, "mother": mother}
    return {who: parent.quality.record() if parent.quality else None for who, parent in people.items()}


def versions() -> dict[str, str]:
    """Of what a child's bytes depend on."""
    return {name: version(name) for name in ("kinblend", "torch", "numpy")} | {"python": platform.python_version()}


def finish(
    run: dict[str, Any],
    children: Sequence[Child],
    similarities: Sequence[Sequence[float]],
    seen: dict[str, Any],
    seconds: Mapping[str, float],
    pool: DevicePool,
) -> dict[str, Any]:
    """The record with what the run gave and took. Everything that differs from run to run stands under "cost".

    seen: as `judge.judge_children` gives it.
    """
    leases = [asdict(record) | {"seconds": round(record.seconds, 4)} for record in pool.records]
    pool.records.clear()
    cost = {
        "seconds": {stage: round(value, 4) for stage, value in seconds.items()},
        "peak_memory_bytes": peak_rss(),
        "leases": leases,
    }
    similarity = [{"father": round(father, 4), "mother": round(mother, 4)} for father, mother in similarities]
    moved = {name: [round(getattr(child, name), 4) for child in children] for name in ("clamped", "offset", "varied")}
    judge = load_identity()
    scale = asdict(judge.scale) if judge.scale else None
    network = {"identity_network": judge.name, "similarity_scale": scale}
    return run | seen | network | {"similarity": similarity, **moved, "cost": cost}


def describe_plugin(plugin: Plugin, options: BaseModel | None = None) -> dict[str, Any]:
    """A plugin by its name, its options, the distribution it came in and the SHA-256 of its sources.

    options: in the place of its own.
    """
    with wrap_plugin_errors(plugin.title):
        module = sys.modules.get(type(plugin).__module__)  # of what runs in a notebook there may be none
        name = f"{type(plugin).__module__}:{type(plugin).__qualname__}"
        file = getattr(module, "__file__", None)
        package = bool(getattr(module, "__package__", None))
        record: dict[str, Any] = {"class": name, "sha256": _sources_sha256(file, package)}
        if isinstance(plugin, GivenWeights):
            record["weights_sha256"] = plugin.sha256
        given = options or getattr(plugin, "options", None)  # a caller's own class may have none
        dumped = given.model_dump() if isinstance(given, BaseModel) else {}
        record["options"] = json.loads(json.dumps(_plain(dumped)))
        return record | {"name": plugin.name, "from": plugin.distribution}


def _plain(value: Any) -> Any:
    """An option as JSON has it; for a file, the SHA-256 of its content, which says more than where it lay."""
    from pydantic_core import to_jsonable_python

    if isinstance(value, Path):
        return fingerprint(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return to_jsonable_python(value, fallback=str)


def _request(plan: RunPlan) -> dict[str, Any]:
    """The fields that were given; options as their plugins read them, files by their SHA-256."""
    read: dict[str, BaseModel | None] = {
        "blender_options": getattr(plan.blender, "options", None),
        "projector_options": plan.projector_options,
        "editor_options": plan.editor.options if plan.editor else None,
    }
    found = plan.request.model_dump(exclude_unset=True)
    found |= {name: _given(found[name], options) for name, options in read.items() if name in found}
    return cast("dict[str, Any]", json.loads(json.dumps(_plain(found))))


def _given(names: Iterable[str], options: BaseModel | None) -> dict[str, Any]:
    """Those of the options that were given."""
    return {} if options is None else {name: _plain(getattr(options, name)) for name in names}


def _face(picture: Source, number: int | None) -> int | None:
    return picture.face if isinstance(picture, Parent) else number


def fingerprint(picture: Source) -> dict[str, str]:
    """The SHA-256 of a file (empty where it can't be read), or of the pixels of an RGB picture; no name, which could
    identify someone. A parent's is that of the photograph."""
    if isinstance(picture, (Parent, GivenLatent)):
        return dict(picture.source)
    if isinstance(picture, (str, Path)):
        try:
            return {"sha256": file_sha256(picture)}
        except OSError:  # whoever opens it says what is wrong with it
            return {"sha256": ""}
    return {"pixels_sha256": hashlib.sha256(picture.tobytes()).hexdigest()}


def _sources_sha256(file: str | None, package: bool) -> str:
    """Of a module, or of all modules beside it where it is part of a package."""
    if file is None:
        return ""
    path = Path(file)
    digest = hashlib.sha256()
    for source in sorted(path.parent.glob("*.py")) if package else [path]:
        digest.update(f"{source.name}\0".encode() + source.read_bytes())
    return digest.hexdigest()
