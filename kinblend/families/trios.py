"""Trios as latents and embeddings in one file: no picture is needed after that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kinblend.errors import CorruptFileError
from kinblend.families.splits import split_families
from kinblend.storage.sealed import read_sealed, write_sealed
from kinblend.types import LatentSpace

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Trios:
    """What trios became in one latent space.

    father, mother, child: codes, float32 [n, L, D]. embedding: the child's identity, float32 [n, 128].
    families: n names; a split must keep each family on one side. space: of the codes.
    splits: n parts ("train", "val", "test"), where the list of trios names them.
    """

    father: Tensor
    mother: Tensor
    child: Tensor
    embedding: Tensor
    families: Sequence[str]
    space: LatentSpace
    splits: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.families)

    def parts(self, seed: int) -> dict[str, list[int]]:
        """Rows of "train", "val" and "test": as the list says, else as `split_families` does by `seed`."""
        drawn = split_families(self.families, seed)
        splits = self.splits or [drawn[family] for family in self.families]
        return {part: [row for row, own in enumerate(splits) if own == part] for part in ("train", "val", "test")}


def save_trios(path: str | Path, trios: Trios) -> None:
    """Write trios, all or nothing."""
    tensors = {name: getattr(trios, name) for name in ("father", "mother", "child", "embedding")}
    description = {"kind": "trios", "space": asdict(trios.space), "families": list(trios.families)}
    write_sealed(path, tensors, description | ({"splits": list(trios.splits)} if trios.splits else {}))


def load_trios(path: str | Path, space: LatentSpace | None = None) -> Trios:
    """Read trios. space: which they must belong to. Raises `CorruptFileError`, `LatentSpaceError`."""
    tensors, header = read_sealed(path, "trios")
    try:
        found = LatentSpace(**header["space"])
        trios = Trios(**tensors, families=header["families"], space=found, splits=header.get("splits", ()))
    except (KeyError, TypeError) as error:
        raise CorruptFileError(f"{path} is incomplete: {error}") from error
    if space is not None:
        space.require(trios.space, f"file of trios ({path})")
    return trios
