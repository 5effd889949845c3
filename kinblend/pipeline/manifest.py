"""The run manifest: everything needed to say how a child came about, and to make it again."""

from __future__ import annotations

import hashlib
import platform
import resource
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.backbone import Backbone
from kinblend.device import DevicePool
from kinblend.storage.sealed import file_sha256

if TYPE_CHECKING:
    from PIL.Image import Image
    from pydantic import BaseModel

SCHEMA = 1


def describe_run(
    backbone: Backbone,
    father: str | Path | Image,
    mother: str | Path | Image,
    blender: str,
    options: BaseModel,
    edits: Mapping[str, float],
    children: int,
    seed: int,
) -> dict[str, Any]:
    """What is known before a run starts. The same inputs give the same record."""
    return {
        "schema": SCHEMA,
        "versions": {name: version(name) for name in ("kinblend", "torch", "numpy")}
        | {"python": platform.python_version()},
        "backbone": {"name": backbone.name, "sha256": backbone.space.sha256},
        "inputs": {"father": _fingerprint(father), "mother": _fingerprint(mother)},
        "blender": {"name": blender, "options": options.model_dump(mode="json")},
        "edits": dict(edits),
        "children": children,
        "seed": seed,
    }


def finish(run: dict[str, Any], seconds: Mapping[str, float], pool: DevicePool) -> dict[str, Any]:
    """The record with what the run took. Everything that differs from run to run stands under "cost"."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    leases = [{"name": r.name, "seconds": round(r.seconds, 4), "bytes": r.bytes} for r in pool.records]
    cost = {
        "seconds": {stage: round(value, 4) for stage, value in seconds.items()},
        "peak_memory_bytes": peak,
        "leases": leases,
    }
    return run | {"device": str(pool.device), "cost": cost}


def _fingerprint(picture: str | Path | Image) -> dict[str, str]:
    """The SHA-256 of a file, or of the pixels of a picture; no name, which could identify someone."""
    if isinstance(picture, (str, Path)):
        return {"sha256": file_sha256(picture) if Path(picture).is_file() else ""}
    return {"pixels_sha256": hashlib.sha256(picture.convert("RGB").tobytes()).hexdigest()}
