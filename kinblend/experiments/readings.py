"""What analysers answer of faces, as columns of numbers and of classes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kinblend.evaluation.readings import Reading as Reading
from kinblend.evaluation.readings import read_guess as read_guess

if TYPE_CHECKING:
    from torch import Tensor

Looks = Mapping[str, Reading]  # of one face: analyser → what it says


@dataclass(frozen=True)
class Columns:
    """The attributes that faces have: analyser and name of each, and what it is called in reports.

    An attribute that several analysers know is called by its name for the first of them, and "name (analyser)" for
    the others.
    """

    numbers: Sequence[tuple[str, str, str]]
    classes: Sequence[tuple[str, str, str]]

    @classmethod
    def of(cls, faces: Iterable[Looks], analysers: Sequence[str]) -> Columns:
        """All attributes of some faces. analysers: in the order in which they come first."""
        faces = list(faces)
        kinds = {}
        for kind in ("numbers", "classes"):
            labels: dict[str, tuple[str, str, str]] = {}
            for who in analysers:
                names = {name for face in faces for name in getattr(face.get(who, Reading()), kind)}
                for name in sorted(names):
                    label = f"{name} ({who})" if name in labels else name
                    labels[label] = (who, name, label)
            kinds[kind] = tuple(labels.values())
        return cls(**kinds)

    @property
    def names(self) -> list[str]:
        """What the numbers are called."""
        return [label for _, _, label in self.numbers]

    def values(self, faces: Sequence[Looks]) -> Tensor:
        """The numbers, float32 [n, A]; NaN where one was not told."""
        import torch

        rows = [[face[who].numbers.get(name, math.nan) for who, name, _ in self.numbers] for face in faces]
        return torch.tensor(rows, dtype=torch.float32).view(len(faces), len(self.numbers))

    def words(self, faces: Sequence[Looks], label: str) -> list[str]:
        """One of the classes by its label, of each face; "" where it was not told."""
        [(who, name, _)] = [column for column in self.classes if column[2] == label]
        return [face[who].classes.get(name, "") for face in faces]
