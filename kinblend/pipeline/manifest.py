"""The run manifest: everything needed to say how a child came about, and to make it again."""

from __future__ import annotations

import hashlib
import platform
import resource
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.backbone import Backbone
from kinblend.device import DevicePool
from kinblend.interfaces import Blender, Editor, Plugin
from kinblend.storage.sealed import file_sha256

if TYPE_CHECKING:
    from PIL.Image import Image

SCHEMA = 1


def describe_run(
    backbone: Backbone,
    father: str | Path | Image,
    mother: str | Path | Image,
    blender: Blender,
    editor: Editor | None,
    edits: Mapping[str, float],
    children: int,
    seed: int,
) -> dict[str, Any]:
    """What is known before a run starts. The same inputs give the same record."""
    return {
        "schema": SCHEMA,
        "versions": {name: version(name) for name in ("kinblend", "torch", "numpy")}
        | {"python": platform.python_version()},
        "backbone": {
            "name": backbone.name,
            "files": {name: file["sha256"] for name, file in backbone.pack.description["files"].items()},
            "encoder": describe_plugin(backbone.encoder),
            "projector": describe_plugin(backbone.projector),
        },
        "inputs": {"father": fingerprint(father), "mother": fingerprint(mother)},
        "blender": describe_plugin(blender),
        "editor": describe_plugin(editor) if editor else None,
        "edits": dict(edits),
        "children": children,
        "seed": seed,
    }


def finish(
    run: dict[str, Any], likeness: Sequence[Sequence[float]], seconds: Mapping[str, float], pool: DevicePool
) -> dict[str, Any]:
    """The record with what the run gave and took. Everything that differs from run to run stands under "cost"."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    leases = [{"name": r.name, "seconds": round(r.seconds, 4), "bytes": r.bytes} for r in pool.records]
    pool.records.clear()
    cost = {
        "seconds": {stage: round(value, 4) for stage, value in seconds.items()},
        "peak_memory_bytes": peak,
        "leases": leases,
    }
    similarity = [{"father": round(father, 4), "mother": round(mother, 4)} for father, mother in likeness]
    return run | {"similarity": similarity, "device": str(pool.device), "cost": cost}


def describe_plugin(plugin: Plugin) -> dict[str, Any]:
    """A plugin by its name, its options, the distribution it came in and the SHA-256 of its sources."""
    module = sys.modules[type(plugin).__module__]
    name = f"{module.__name__}:{type(plugin).__qualname__}"
    record = {"class": name, "sha256": _sources_sha256(module.__file__, bool(module.__package__))}
    options = plugin.options.model_dump(mode="json")
    return record | {"name": plugin.name, "from": plugin.distribution, "options": options}


def fingerprint(picture: str | Path | Image) -> dict[str, str]:
    """The SHA-256 of a file, or of the pixels of a picture; no name, which could identify someone."""
    if isinstance(picture, (str, Path)):
        return {"sha256": file_sha256(picture) if Path(picture).is_file() else ""}
    return {"pixels_sha256": hashlib.sha256(picture.convert("RGB").tobytes()).hexdigest()}


def _sources_sha256(file: str | None, package: bool) -> str:
    """Of a module, or of all modules beside it where it is part of a package."""
    if file is None:
        return ""
    path = Path(file)
    digest = hashlib.sha256()
    for source in sorted(path.parent.glob("*.py")) if package else [path]:
        digest.update(f"{source.name}\0".encode() + source.read_bytes())
    return digest.hexdigest()
