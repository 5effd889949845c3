"""Pictures of families → latents and embeddings, every picture once, resumed after an interruption."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from kinblend.errors import InputError
from kinblend.families.manifest import TrioFiles
from kinblend.families.trios import Trios
from kinblend.families.workers import in_processes
from kinblend.storage.sealed import atomic_write, file_sha256

if TYPE_CHECKING:
    from PIL.Image import Image

    from kinblend.pipeline import Engine
    from kinblend.types import Latent

SMALLEST = 256  # px; smaller pictures are enlarged to this, because the detector wants a few pixels around a face


@dataclass(frozen=True)
class Lost:
    """A picture that gave no latent, and why."""

    picture: Path
    reason: str


def encode_trios(
    trios: Sequence[TrioFiles],
    backbone: str,
    cache_folder: Path,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
    *,
    aligned: bool = False,
) -> tuple[Trios, list[Lost]]:
    """Codes and embeddings of all trios whose three pictures can be used.

    cache_folder: keeps the result for each picture by its content, so that a second call begins where the first was
        ended. workers: processes. progress: told how many of how many pictures are done.
    aligned: the pictures are FFHQ crops already, `kinblend prepare`'s say; they are encoded as they are.
    Raises `InputError` when no trio is left.
    """
    import torch
    from safetensors.torch import load_file

    from kinblend.backbone import load_backbone

    space = load_backbone(backbone).space
    folder = cache_folder / f"{space.backbone}-{space.sha256[:12]}{'-aligned' if aligned else ''}"
    folder.mkdir(parents=True, exist_ok=True)
    pictures = sorted({picture for trio in trios for picture in (trio.father, trio.mother, trio.child)})
    results: dict[Path, Path | str] = {}
    jobs = [(str(picture), backbone, str(folder), aligned) for picture in pictures]
    for done, (picture, result) in enumerate(in_processes(_encode, jobs, workers), start=1):
        results[Path(picture)] = Path(result) if result.endswith(".safetensors") else result
        if progress is not None:
            progress(done, len(jobs))
    lost = [Lost(picture, result) for picture, result in results.items() if isinstance(result, str)]
    kept = [t for t in trios if all(isinstance(results[p], Path) for p in (t.father, t.mother, t.child))]
    if not kept:
        raise InputError("no trio has three pictures with a usable face; see the list of what was lost")
    loaded = {picture: load_file(result) for picture, result in results.items() if isinstance(result, Path)}
    codes = {
        role: torch.stack([loaded[getattr(trio, role)]["code"] for trio in kept])
        for role in ("father", "mother", "child")
    }
    embedding = torch.stack([loaded[trio.child]["embedding"] for trio in kept])
    families = [trio.family for trio in kept]
    encoded = Trios(**codes, embedding=embedding, families=families, space=space, splits=_splits(kept))
    return encoded, sorted(lost, key=lambda x: x.picture)


def _splits(trios: Sequence[TrioFiles]) -> list[str]:
    """The parts the list names, all or none."""
    return [trio.split for trio in trios if trio.split]


def _encode(job: tuple[str, str, str, bool]) -> tuple[str, str]:
    """The picture, and the file of its code and embedding, or the reason why there is none."""
    picture, backbone, folder, aligned = job
    try:
        stem = Path(folder) / file_sha256(picture)
    except OSError as error:
        return picture, f"{picture} can't be read: {error.strerror}"
    done, refused = stem.with_suffix(".safetensors"), stem.with_suffix(".txt")
    if done.is_file():
        return picture, str(done)
    if refused.is_file():
        return picture, refused.read_text("utf-8")
    from safetensors.torch import save

    from kinblend.identity import embed_faces

    try:
        crop, latent = _aligned(picture, backbone) if aligned else _photograph(picture, backbone)
    except InputError as error:
        atomic_write(refused, str(error).encode())
        return picture, str(error)
    embedding = embed_faces([crop])[0]
    atomic_write(done, save({"code": latent.code.clone(), "embedding": embedding.clone()}))
    return picture, str(done)


def _aligned(picture: str, backbone: str) -> tuple[Image, Latent]:
    from kinblend.imaging.decode import read_image

    crop = read_image(picture)
    return crop, _engine(backbone).backbone.encode([crop])[0]


def _photograph(picture: str, backbone: str) -> tuple[Image, Latent]:
    from kinblend.imaging.decode import read_image

    image = read_image(picture)
    if min(image.size) < SMALLEST:
        scale = SMALLEST / min(image.size)
        image = image.resize((round(image.width * scale), round(image.height * scale)), 3)
    parent = _engine(backbone).parent(image)
    return parent.crop, parent.latent


@cache
def _engine(backbone: str) -> Engine:
    from kinblend.pipeline import Engine

    return Engine(backbone)
