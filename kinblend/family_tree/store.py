"""The folder of a predicted tree: what is finished there, told by the key of all that it depends on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.errors import KinblendError
from kinblend.family_tree.plan import MANIFEST, PARENTS, TREE
from kinblend.files import atomic_write, check_target
from kinblend.imaging import read_image
from kinblend.pipeline.lineage import read_child_manifest
from kinblend.storage.latents import load_latent, save_latent

if TYPE_CHECKING:
    from PIL.Image import Image

    from kinblend.pipeline.result import Result
    from kinblend.types import Latent, LatentSpace

ENTRY = "family_tree"  # of a child's manifest


@dataclass(frozen=True)
class Store:
    """A folder. stems: each person's name as files have it. space: that latents have to be of."""

    folder: Path
    stems: Mapping[str, str]
    space: LatentSpace

    def files(self, name: str) -> list[Path]:
        """Picture, latent and manifest of a predicted person."""
        return [self.folder / f"{self.stems[name]}{suffix}" for suffix in (".png", ".safetensors", ".json")]

    def parent(self, name: str) -> Path:
        """The latent that children of this person are made of; beside it lies a note with its key."""
        return self.folder / PARENTS / f"{self.stems[name]}.safetensors"

    @property
    def tree(self) -> list[Path]:
        """The picture of all, and its manifest."""
        return [self.folder / TREE, self.folder / MANIFEST]

    def all(self, predicted: Iterator[str], parents: Iterator[str]) -> list[Path]:
        """Whatever is written."""
        latents = [self.parent(name) for name in parents]
        notes = [path.with_suffix(".json") for path in latents]
        return [*self.tree, *(path for name in predicted for path in self.files(name)), *latents, *notes]

    def check(self, paths: list[Path]) -> None:
        """Raise `OutputError` where one of these may not be written, such as a photograph of the tree."""
        for path in paths:
            check_target(path)

    def manifest(self, name: str, key: str) -> dict[str, Any] | None:
        """Of a person who is finished and whole; None where there is anything to do."""
        picture, latent, manifest = self.files(name)
        try:
            found = read_child_manifest(manifest)
            if found.get(ENTRY) != {"name": name, "key": key}:
                return None
            read_image(picture)
            load_latent(latent, self.space)
        except (KinblendError, OSError):
            return None
        return found

    def save(self, name: str, key: str, result: Result) -> None:
        """Write a predicted person; the manifest, which says that all is there, comes last."""
        result.manifest[ENTRY] = {"name": name, "key": key}
        result.save(self.files(name)[0])

    def latent(self, name: str, key: str) -> Latent | None:
        """Of a parent, if it is that of the key and whole."""
        path = self.parent(name)
        if _json(path.with_suffix(".json")) != {"name": name, "key": key}:
            return None
        try:
            return load_latent(path, self.space)
        except (KinblendError, OSError):
            return None

    def save_latent(self, name: str, key: str, latent: Latent) -> None:
        """Write what children of this person are made of."""
        save_latent(self.parent(name), latent)
        atomic_write(self.parent(name).with_suffix(".json"), _dumped({"name": name, "key": key}))

    def picture(self, name: str) -> Image:
        """Of a predicted person who is finished."""
        return read_image(self.files(name)[0])

    def record(self) -> Mapping[str, Any]:
        """The manifest of the tree; empty where there is none, or its picture is gone or damaged."""
        picture, manifest = self.tree
        found = _json(manifest)
        try:
            read_image(picture)
        except KinblendError:
            return {}
        return found if isinstance(found, dict) else {}

    def save_record(self, record: Mapping[str, Any]) -> None:
        """Write the manifest of the tree."""
        atomic_write(self.folder / MANIFEST, _dumped(record))


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return None


def _dumped(value: Any) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()
