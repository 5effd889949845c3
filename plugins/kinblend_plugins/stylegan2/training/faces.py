"""Aligned faces in a zip with an index: made small once, read whole before training."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any
from zipfile import ZIP_STORED, ZipFile

import numpy as np
import torch
import typer
from PIL import Image
from torch import Tensor

from kinblend.errors import InputError, OutputError
from kinblend.files import check_target, replacing
from kinblend.packs import Archive, open_archive
from kinblend_plugins.stylegan2.training.draws import generator

INDEX = "index.csv"
KEPT = ("split", "source", "licence")  # columns of the index that the small archive keeps


def pack(
    source: Annotated[Path, typer.Argument(help="Zip of aligned faces with an index.csv (file, split).")],
    out: Annotated[Path, typer.Argument(help="The archive to write.")],
    size: Annotated[int, typer.Option(help="Side of the faces in px.")] = 128,
    quality: Annotated[int, typer.Option(help="Of the WebP pictures, 1 to 100.")] = 85,
) -> dict[str, Any]:
    """Write the faces of `source` at `size` px, all splits, as an archive to train on.

    Raises `InputError` where the source is no such zip, `OutputError` where `out` is the source or no plain file.
    """
    check_target(out)
    if out.exists() and source.exists() and source.samefile(out):
        raise OutputError(f"{out} is the source itself; name another file")
    rows = []
    with open_archive(source) as archive, replacing(out) as part, ZipFile(part, "w", ZIP_STORED) as small:
        for number, row in enumerate(_index(archive)):
            name = f"{number:06d}.webp"
            buffer = io.BytesIO()
            _picture(archive, row["file"], size).save(buffer, "WEBP", quality=quality, method=4)
            small.writestr(name, buffer.getvalue())
            rows.append({"file": name, **{key: row[key] for key in KEPT if key in row}})
        small.writestr(INDEX, _csv(rows))
    return {"faces": len(rows), "bytes": out.stat().st_size, "file": str(out)}


def read(path: Path, split: str, size: int) -> Tensor:
    """The faces of one split, uint8 [n, 3, size, size] RGB; others of another size are resized.

    Raises `InputError` where there are none.
    """
    with open_archive(path) as archive:
        pictures = [np.asarray(_picture(archive, row["file"], size)) for row in _index(archive, split)]
    if not pictures:
        raise InputError(f"{path} has no faces whose split is {split!r}")
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()


def batch(faces: Tensor, seen: int, count: int, seed: int, mirror: bool, device: torch.device) -> Tensor:
    """The faces that come after `seen` others: float32 [count, 3, R, R] in [−1, 1], on the device.

    Each epoch has an order of its own, drawn from the seed; so `seen` alone says which they are.
    """
    places = range(seen, seen + count)
    rows = [int(_order(seed, place // len(faces), len(faces))[place % len(faces)]) for place in places]
    chosen = faces[rows]
    if mirror:
        flip = torch.rand(count, generator=generator(seed, seen, "mirror")) < 0.5
        chosen = torch.where(flip[:, None, None, None], chosen.flip(3), chosen)
    return to_floats(chosen.to(device))


def to_floats(pixels: Tensor) -> Tensor:
    """uint8 [0, 255] → float32 [−1, 1]."""
    return pixels.float().div_(127.5).sub_(1)


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> Tensor:
    return torch.randperm(count, generator=generator(seed, epoch, "order"))


def _index(archive: Archive, split: str | None = None) -> Iterator[dict[str, str]]:
    for row in archive.rows(INDEX):
        if not {"file", "split"} <= set(row):
            raise InputError(f"{INDEX} in {archive.path} needs the columns file and split")
        if split in (None, row["split"]):
            yield row


def _picture(archive: Archive, name: str, size: int) -> Image.Image:
    picture = archive.picture(name)
    return picture if picture.size == (size, size) else picture.resize((size, size), Image.Resampling.LANCZOS)


def _csv(rows: list[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]) if rows else ["file", "split"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
