"""Trios as lists of pictures, and as latents and embeddings in one file: no picture is needed after that."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kinblend.errors import CorruptFileError, InputError
from kinblend.storage.sealed import read_sealed, write_sealed
from kinblend.types import LatentSpace

if TYPE_CHECKING:
    from torch import Tensor

COLUMNS = ("family", "father", "mother", "child")


@dataclass(frozen=True)
class TrioFiles:
    """One picture each of a father, a mother and their child, and the family's name."""

    family: str
    father: Path
    mother: Path
    child: Path


@dataclass(frozen=True)
class Trios:
    """What trios became in one latent space.

    father, mother, child: codes, float32 [n, L, D]. embedding: the child's identity, float32 [n, 128].
    families: n names; a split must keep each family on one side. space: of the codes.
    """

    father: Tensor
    mother: Tensor
    child: Tensor
    embedding: Tensor
    families: Sequence[str]
    space: LatentSpace

    def __len__(self) -> int:
        return len(self.families)


def read_trio_list(path: str | Path) -> list[TrioFiles]:
    """A CSV with the columns family, father, mother, child; pictures relative to its folder. Raises `InputError`."""
    path = Path(path)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
            if missing:
                raise InputError(f"{path} lacks the column {', '.join(missing)}; it needs {', '.join(COLUMNS)}")
            rows = []
            for row in reader:
                empty = [name for name in COLUMNS if not row[name]]
                if empty:
                    raise InputError(f"{path}, line {reader.line_num}: {', '.join(empty)} is empty")
                pictures = [path.parent / row[name] for name in COLUMNS[1:]]
                rows.append(TrioFiles(row["family"], *pictures))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} can't be read: {error}") from error
    if not rows:
        raise InputError(f"{path} names no trio")
    return rows


def save_trios(path: str | Path, trios: Trios) -> None:
    """Write trios, all or nothing."""
    tensors = {name: getattr(trios, name) for name in ("father", "mother", "child", "embedding")}
    write_sealed(path, tensors, {"kind": "trios", "space": asdict(trios.space), "families": list(trios.families)})


def load_trios(path: str | Path, space: LatentSpace | None = None) -> Trios:
    """Read trios. space: which they must belong to. Raises `CorruptFileError`, `LatentSpaceError`."""
    tensors, header = read_sealed(path, "trios")
    try:
        trios = Trios(**tensors, families=header["families"], space=LatentSpace(**header["space"]))
    except (KeyError, TypeError) as error:
        raise CorruptFileError(f"{path} is incomplete: {error}") from error
    if space is not None:
        space.require(trios.space, f"file of trios ({path})")
    return trios
