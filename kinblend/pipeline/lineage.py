"""A child of an earlier run as a parent: its manifest stands for its latent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kinblend.errors import InputError, UsageError
from kinblend.files import file_sha256, keep_inputs
from kinblend.imaging.encode import KINDS
from kinblend.pipeline.result import MANIFEST


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
    if not _is_of_children(manifest):
        raise InputError(f"{path} is not a manifest that kinblend run wrote")
    return dict(manifest)


def _is_of_children(found: Any) -> bool:
    """Whether JSON has the parts of a manifest that are read here, each of its kind."""
    if not isinstance(found, dict) or not {"schema", "request", "inputs"} <= set(found):
        return False
    seeds, inputs, faces = found.get("seeds"), found["inputs"], found.get("faces", {})
    asked = found.get("asked", [])
    return (
        isinstance(seeds, list)
        and len(seeds) > 0
        and isinstance(inputs, dict)
        and all(isinstance(inputs.get(role), dict) for role in ("father", "mother"))
        and isinstance(faces, dict)
        and all(isinstance(number, int | None) for number in faces.values())
        and isinstance(asked, list)
        and all(isinstance(one, dict) and _is_asked(**one) for one in asked)
        and len(asked) in (0, len(seeds))
    )


def _is_asked(age: Any = None, sex: Any = None, **_: Any) -> bool:
    return isinstance(age, int | float | None) and isinstance(sex, str | None)


def check_source(manifest: Mapping[str, Any], role: str, path: Path) -> None:
    """Raise `InputError` where a parent's photograph or latent is another than the manifest's.

    role: "father" or "mother". One that was given as pixels can't be told.
    """
    sha256 = str(manifest["inputs"][role].get("sha256", ""))
    if sha256 and path.is_file() and file_sha256(path) != sha256:
        raise InputError(f"{path} is another photograph: the {role}'s has the SHA-256 {sha256}")


def manifest_of(place: str | Path) -> Path:
    """The manifest itself, or that of the children in a folder. Raises `InputError`."""
    path = Path(place)
    if not path.is_dir():
        return path
    if not (path / MANIFEST).is_file():
        raise InputError(f"{path} holds no {MANIFEST}: name the folder of a run, or its manifest")
    return path / MANIFEST


def child_pictures(manifest: Path, count: int) -> list[Path]:
    """The pictures of so many children, which become inputs of the command. Raises `InputError` where one is gone."""
    found = []
    for kinds in zip(*(child_files(manifest, count, kind) for kind in KINDS), strict=True):
        there = [path for path in kinds if path.is_file()]
        if not there:
            raise InputError(f"{manifest} is of a child whose picture is gone: {kinds[0]} does not exist")
        found.append(there[0])
    keep_inputs([manifest, *found])
    return found


def child_files(manifest: str | Path, count: int, suffix: str) -> list[Path]:
    """Where the files of so many children are whose manifest this is: child.png, child-2.png …"""
    path = Path(manifest)
    stems = [path.stem, *(f"{path.stem}-{number}" for number in range(2, count + 1))]
    return [path.with_name(f"{stem}{suffix}") for stem in stems]
