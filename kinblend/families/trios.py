"""Trios as latents and embeddings in one file: no picture is needed after that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.errors import CorruptFileError, InputError, UsageError
from kinblend.families.splits import split_families
from kinblend.storage.checksummed import read_checksummed, write_checksummed
from kinblend.storage.latents import read_space
from kinblend.types import LatentSpace

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Trios:
    """What trios became in one latent space.

    father, mother, child: codes, float32 [n, L, D]. embedding: the child's identity, float32 [n, E].
    families: n names; a split must keep each family on one side. space: of the codes.
    splits: n parts ("train", "val", "test"), where the list of trios names them.
    father_embedding, mother_embedding: the parents' identities, float32 [n, E], where they were kept.
    nuclear_families, children: n names of the nuclear family and of the child, "" where the list names none.
    groups: what else is known of each child: "sex" → n of "m", "f" and "", "age", "ethnicity" likewise;
        of the parents "father age", "mother ethnicity" and so on.
    identity: the network that the embeddings come from, or several with a plus between them.
    """

    father: Tensor
    mother: Tensor
    child: Tensor
    embedding: Tensor
    families: Sequence[str]
    space: LatentSpace
    splits: Sequence[str] = ()
    father_embedding: Tensor | None = None
    mother_embedding: Tensor | None = None
    nuclear_families: Sequence[str] = ()
    children: Sequence[str] = ()
    groups: Mapping[str, Sequence[str]] = field(default_factory=dict)
    identity: str = "dlib"

    def __len__(self) -> int:
        return len(self.families)

    def split_rows(self, seed: int) -> dict[str, list[int]]:
        """Rows of "train", "val" and "test": as the list says, else as `split_families` does by `seed`."""
        splits = self.row_splits(seed)
        return {part: [row for row, own in enumerate(splits) if own == part] for part in ("train", "val", "test")}

    def row_splits(self, seed: int) -> Sequence[str]:
        """The part of each row, as `split_rows` has them."""
        drawn = split_families(self.families, seed)
        return self.splits or [drawn[family] for family in self.families]

    def select(self, rows: Sequence[int]) -> Trios:
        """Some of the trios, in the order of `rows`."""
        import torch

        index = torch.tensor(rows, dtype=torch.long)
        tensors: dict[str, Any] = {
            name: getattr(self, name)[index] for name in TENSORS if getattr(self, name) is not None
        }
        names: dict[str, Any] = {
            name: [getattr(self, name)[row] for row in rows] for name in NAMES if getattr(self, name)
        }
        groups = {name: [values[row] for row in rows] for name, values in self.groups.items()}
        return replace(self, **tensors, **names, groups=groups)

    def seen_by(self, identity: str | None) -> Trios:
        """The same trios with the embeddings of some of their identity networks, where they have those of several.

        identity: such as "one" of "one+other"; None: all. Raises `UsageError` for one that is none of them.
        """
        from kinblend.identity import load_identity
        from kinblend.identity.joint import JointIdentity

        if identity in (None, self.identity):
            return self
        chosen, known = load_identity(identity), load_identity(self.identity)
        if not isinstance(known, JointIdentity):
            raise UsageError(f"these trios have embeddings of {self.identity}, not of {identity}; encode them anew")
        embeddings: dict[str, Any] = {
            name: known.select(tensor, chosen) for name in EMBEDDINGS if (tensor := getattr(self, name)) is not None
        }
        return replace(self, **embeddings, identity=chosen.name)


PICTURES = ("father", "mother", "child")
EMBEDDINGS = ("embedding", "father_embedding", "mother_embedding")
TENSORS = (*PICTURES, *EMBEDDINGS)
NAMES = ("families", "splits", "nuclear_families", "children")


def save_trios(path: str | Path, trios: Trios) -> None:
    """Write trios, all or nothing."""
    tensors = {name: getattr(trios, name) for name in TENSORS if getattr(trios, name) is not None}
    names = {name: list(getattr(trios, name)) for name in NAMES if getattr(trios, name)}
    groups = {name: list(values) for name, values in trios.groups.items()}
    description = {"kind": "trios", "space": asdict(trios.space), "groups": groups, "identity": trios.identity}
    write_checksummed(path, tensors, description | names)


def load_trios(path: str | Path, space: LatentSpace | None = None) -> Trios:
    """Read trios. space: which they must belong to. Raises `CorruptFileError`, `LatentSpaceError`."""
    tensors, header = read_checksummed(path, "trios")
    try:
        known: dict[str, Any] = {name: header[name] for name in (*NAMES, "groups", "identity") if name in header}
        trios = Trios(space=read_space(path, header.get("space")), **(known | tensors))
    except (KeyError, TypeError) as error:
        raise CorruptFileError(f"{path} is incomplete: {error}") from error
    if problem := _problem(trios):
        raise CorruptFileError(f"{path}: {problem}; encode the list of trios again")
    if space is not None:
        space.require(trios.space, f"file of trios ({path})")
    return trios


def _problem(trios: Trios) -> str:
    """What of a file does not fit together; "" for nothing."""
    import torch

    code = (trios.space.layers, trios.space.dim)
    for name in TENSORS:
        tensor = getattr(trios, name)
        shape = code if name in PICTURES else tensor.shape[1:] if tensor is not None else ()
        if tensor is not None and (tensor.dtype != torch.float32 or tensor.shape != (len(trios.father), *shape)):
            return f"its tensor {name} is {tensor.dtype} of shape {list(tensor.shape)}"
    lists = {name: getattr(trios, name) for name in NAMES if name == "families" or getattr(trios, name)}
    if not isinstance(trios.groups, dict) or not isinstance(trios.identity, str):
        return "its groups are no lists of texts"
    for name, values in (lists | trios.groups).items():
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            return f"its {name!r:.60} are no list of texts"
        if len(values) != len(trios.father):
            return f"it has {len(trios.father)} trios, but {len(values)} {name!r:.60}"
    if not set(trios.splits) <= {"train", "val", "test"}:
        return "its splits are others than train, val and test"
    return ""


def join_trios(several: Sequence[Trios], seed: int = 0) -> Trios:
    """All of them as one; each keeps its own split, drawn by `seed` where its list named none.

    Families of different sets are different families, whatever they are called. What only some of the sets know is
    left out, or "" for a name. Raises `InputError` where they are of several spaces or identity networks.
    """
    import torch

    if len(several) == 1:
        return several[0]
    if len({(trios.space, trios.identity) for trios in several}) > 1:
        raise InputError("these trios were encoded with different backbones or identity networks; encode them alike")

    def names(what: str) -> list[str]:
        return [name for trios in several for name in getattr(trios, what) or [""] * len(trios)]

    tensors: dict[str, Any] = {
        name: torch.cat([getattr(trios, name) for trios in several])
        for name in TENSORS
        if all(getattr(trios, name) is not None for trios in several)
    }
    groups = {name for trios in several for name in trios.groups}
    return Trios(
        **tensors,
        families=[f"{number}/{family}" for number, trios in enumerate(several) for family in trios.families],
        space=several[0].space,
        splits=[part for trios in several for part in trios.row_splits(seed)],
        nuclear_families=names("nuclear_families"),
        children=names("children"),
        groups={g: [v for t in several for v in t.groups.get(g, [""] * len(t))] for g in sorted(groups)},
        identity=several[0].identity,
    )
