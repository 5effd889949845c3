"""Whom an experiment is about: couples with their true children, and more people to test feature models on."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from kinblend.errors import ImageError, InputError
from kinblend.experiments.looking import SIDE, Looker, Progress
from kinblend.experiments.readings import Looks
from kinblend.families.trio_list import PICTURES, TrioFiles
from kinblend.files import file_sha256

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from kinblend.backbone import Backbone
    from kinblend.families.trios import Trios


@dataclass(frozen=True)
class Person:
    """row, role: where in the trios: 3, "mother". family: the extended one. code: float32 [L, D]. couple: whether
    they belong to a couple that children are predicted of. sex: as the list has it, "m", "f" or ""."""

    row: int
    role: str
    family: str
    code: Tensor
    couple: bool
    sex: str


class Photographs:
    """The faces in the photographs of trios. aligned: they are FFHQ crops already; None: those that `prepare`
    made."""

    def __init__(self, trios: Sequence[TrioFiles], aligned: bool | None) -> None:
        self._trios, self._aligned = trios, aligned
        self._crops: dict[tuple[int, str], Image] = {}

    def name(self, row: int, role: str) -> str:
        """What no other face has: the SHA-256 of its file, and how it was cut out."""
        return f"{file_sha256(getattr(self._trios[row], role))} {self._aligned}"

    def crop(self, row: int, role: str) -> Image:
        """256 px in FFHQ geometry. Raises `InputError`."""
        if (row, role) not in self._crops:
            self._crops[row, role] = _crop(getattr(self._trios[row], role), self._aligned)
        return self._crops[row, role]


@dataclass(frozen=True)
class Material:
    """Trios in a latent space.

    couples: rows of which children are predicted, one of each family. photographs: of the trios; None where only
    codes are known. rejected: pictures that were no use."""

    trios: Trios
    couples: Sequence[int]
    photographs: Photographs | None = None
    rejected: Sequence[str] = field(default=())

    @property
    def seen_in(self) -> str:
        """Where people are seen: "photographs" or "pictures of codes"."""
        return "photographs" if self.photographs else "pictures of codes"

    def look(self, looker: Looker, who: Sequence[tuple[int, str]], progress: Progress | None = None) -> list[Looks]:
        """What analysers say of some of the people, each given by row and role."""
        if self.photographs is None:
            return looker.codes(torch.stack([getattr(self.trios, role)[row] for row, role in who]), progress)
        names = [self.photographs.name(row, role) for row, role in who]
        crop = self.photographs.crop
        return looker.photographs(names, lambda at: crop(*who[at]), progress)

    def people(self) -> list[Person]:
        """Everyone once, by their codes: a parent of two children is one person."""
        couples, found = set(self.couples), dict[bytes, Person]()
        families = {self.trios.families[row] for row in couples}
        sexes = self.trios.groups.get("sex", [""] * len(self.trios))
        for row in sorted(range(len(self.trios)), key=lambda row: row not in couples):
            for role in PICTURES:
                code, family = getattr(self.trios, role)[row], self.trios.families[row]
                sex = {"father": "m", "mother": "f"}.get(role, sexes[row])
                person = Person(row, role, family, code, family in families, sex)
                found.setdefault(code.numpy().tobytes(), person)
        return list(found.values())


def from_codes(trios: Trios, couples: int, seed: int) -> Material:
    """Of encoded trios: couples of their test part, where their list names parts, else of all families."""
    return Material(trios, _chosen(trios.families, trios.splits, couples, seed))


def from_photographs(
    listed: Sequence[TrioFiles],
    backbone: Backbone,
    cache_folder: Path,
    couples: int,
    more: int,
    seed: int,
    workers: Any = 1,
    progress: Progress | None = None,
    *,
    aligned: bool | None = None,
    identity: str | None = None,
    encoder_options: Mapping[str, Any] | None = None,
) -> Material:
    """Of photographs: they are encoded as `families.encode.encode_trios` does, each once for all commands.

    couples, more: how many trios are wanted to predict children of, and how many others for their people.
    Raises `InputError` where no trio has three pictures that will do.
    """
    from kinblend.families.encode import encode_trios

    families = [trio.family for trio in listed]
    splits = [trio.split for trio in listed if trio.split]
    chosen = _chosen(families, splits, couples, seed)
    others = [row for row in _chosen(families, (), len(listed), seed) if families[row] not in _of(families, chosen)]
    some = [listed[row] for row in [*chosen, *others[:more]]]
    trios, rejected = encode_trios(
        some,
        str(backbone.pack.folder),
        cache_folder,
        workers,
        progress,
        aligned=aligned,
        identity=identity,
        encoder=backbone.chosen_encoder,
        encoder_options=encoder_options,
    )
    refused = {one.picture for one in rejected}
    kept = [trio for trio in some if refused.isdisjoint((trio.father, trio.mother, trio.child))]
    known = {id(listed[row]) for row in chosen}
    rows = [row for row, trio in enumerate(kept) if id(trio) in known]
    if not rows:
        raise InputError("no couple has three pictures that will do; ask for more couples, or use other photographs")

    return Material(trios, rows, Photographs(kept, aligned), [one.reason for one in rejected])


def _chosen(families: Sequence[str], splits: Sequence[str], count: int, seed: int) -> list[int]:
    """Rows, one of each family, at most so many; of the test part, where there are parts."""
    numbers, of_family = random.Random(seed), dict[str, list[int]]()
    for row, family in enumerate(families):
        if not splits or splits[row] == "test":
            of_family.setdefault(family, []).append(row)
    if not of_family:
        raise InputError("no family is in the test part; make the list of trios with a test part, such as 70/10/20")
    found = [numbers.choice(rows) for _, rows in sorted(of_family.items())]
    numbers.shuffle(found)
    return sorted(found[:count])


def _of(families: Sequence[str], rows: Sequence[int]) -> set[str]:
    return {families[row] for row in rows}


def _crop(path: Path, aligned: bool | None) -> Image:
    """The face in a photograph. Raises `InputError`."""
    from kinblend.faces import align, find_face
    from kinblend.families.encode import enlarge_small
    from kinblend.families.prepared import prepared_folder
    from kinblend.imaging import read_image

    image = read_image(path)
    if prepared_folder(path) is not None if aligned is None else aligned:
        if image.width != image.height:
            raise ImageError(f"{path} is {image.width}×{image.height} pixels; an aligned crop is square")
        return image.resize((SIDE, SIDE))
    image = enlarge_small(image)
    return align(image, find_face(image, name=str(path)).landmarks, SIDE)
