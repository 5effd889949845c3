"""The embeddings of families' photographs, of unit length."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from kinblend.datasets import Trios
from kinblend.errors import InputError


def of_children(trios: Trios) -> Tensor:
    """[n, E]."""
    return F.normalize(trios.embedding, dim=1)


def of_parents(trios: Trios) -> tuple[Tensor, Tensor]:
    """The fathers' and the mothers', each [n, E]. Raises `InputError` where they are not known."""
    if trios.father_embedding is None or trios.mother_embedding is None:
        raise InputError("the trios have no embeddings of the parents; encode them with `kinblend families encode`")
    return F.normalize(trios.father_embedding, dim=1), F.normalize(trios.mother_embedding, dim=1)


def of_couples(trios: Trios) -> Tensor:
    """The mean of both parents', [n, E]. Raises `InputError` where they are not known."""
    father, mother = of_parents(trios)
    return F.normalize(father + mother, dim=1)
