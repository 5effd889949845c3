"""A child of an earlier run as a parent: its manifest stands for its latent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kinblend.errors import InputError, UsageError
from kinblend.files import keep_inputs


def person_file(path: str | Path) -> Path:
    """A photograph or a latent as it is; of a manifest, the latent beside it, which becomes an input of the command.

    Raises `InputError` where a `.json` file is no manifest or its latent is gone, and `UsageError` where it is of
    several children.
    """
    path = Path(path)
    if path.suffix.lower() != ".json":
        return path
    count = len(read_child_manifest(path)["seeds"])
    latents = child_files(path, count, ".safetensors")
    if count > 1:
        raise UsageError(f"{path} is of {count} children; name one of them: {', '.join(map(str, latents))}")
    if not latents[0].is_file():
        raise InputError(f"{path} is of a child whose latent is gone: {latents[0]} does not exist")
    keep_inputs(latents)
    return latents[0]


def read_child_manifest(path: str | Path) -> dict[str, Any]:
    """What `kinblend run` wrote of its children. Raises `InputError`."""
    try:
        manifest = json.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not a manifest that kinblend run wrote ({error})") from error
    seeds = manifest.get("seeds") if isinstance(manifest, dict) else None
    if not (isinstance(seeds, list) and seeds and {"schema", "request", "inputs"} <= set(manifest)):
        raise InputError(f"{path} is not a manifest that kinblend run wrote")
    return dict(manifest)


def child_files(manifest: str | Path, count: int, suffix: str) -> list[Path]:
    """Where the files of so many children are whose manifest this is: child.png, child-2.png …"""
    path = Path(manifest)
    stems = [path.stem, *(f"{path.stem}-{number}" for number in range(2, count + 1))]
    return [path.with_name(f"{stem}{suffix}") for stem in stems]
