"""Pairs of a parent and a child: what a kinship set gives where the other parent is missing, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kinblend.families.crops import face_crop
from kinblend.families.model import Family, KinshipSet, NuclearFamily, Person

if TYPE_CHECKING:
    from torch import Tensor

    from kinblend.face_interfaces import IdentityNetwork

CHILDREN = {"m": "son", "f": "daughter", None: "child"}
CHUNK = 32


@dataclass(frozen=True)
class Pair:
    """A parent and a child of theirs, both with pictures.

    family: the extended one. relation: such as "father–daughter", or "mother–child" where the gender is not known.
    """

    family: str
    relation: str
    parent: Person
    child: Person


def pairs(found: KinshipSet) -> list[Pair]:
    """Every parent with every child of a nuclear family, once; where a family lists two fathers, none of them."""
    every = [pair for family, house in found.nuclear() for pair in _pairs(family, house)]
    return list({(pair.family, pair.parent.name, pair.child.name): pair for pair in every}.values())


def _pairs(family: Family, house: NuclearFamily) -> Iterator[Pair]:
    for role in ("father", "mother"):
        parents = dict.fromkeys(house.people(role))
        for parent in parents if len(parents) == 1 else ():
            for child in dict.fromkeys(house.people("child")):
                one, other = family.people[parent], family.people[child]
                if one.pictures and other.pictures:
                    yield Pair(family.name, f"{role}–{CHILDREN[other.gender]}", one, other)


def embed_pictures(
    pictures: Sequence[Path],
    network: IdentityNetwork,
    aligned: bool,
    progress: Callable[[int, int], None] | None = None,
) -> tuple[Mapping[Path, Tensor], Mapping[Path, str]]:
    """Embeddings, float32 [E] of unit length, of the pictures with one face, and why the others have none.

    aligned: whether they are FFHQ crops. progress: told how many of how many are done.
    """
    from torch.nn.functional import normalize

    from kinblend.cancellation import check_cancelled

    known: dict[Path, Tensor] = {}
    lost: dict[Path, str] = {}
    for start in range(0, len(pictures), CHUNK):
        check_cancelled()
        crops = {picture: face_crop(picture, aligned) for picture in pictures[start : start + CHUNK]}
        lost |= {picture: crop for picture, crop in crops.items() if isinstance(crop, str)}
        seen = {picture: crop for picture, crop in crops.items() if not isinstance(crop, str)}
        if seen:
            known |= zip(seen, normalize(network.embed_faces(list(seen.values()))), strict=True)
        if progress is not None:
            progress(min(start + CHUNK, len(pictures)), len(pictures))
    return known, lost
