"""Children of the couples in many ways, and how near each comes to the true child's attributes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from kinblend.evaluation.bootstrap import Estimate, over_families
from kinblend.evaluation.retrieval import scores
from kinblend.experiments.directions import Directions, FeatureEditor
from kinblend.experiments.looking import Looker
from kinblend.experiments.material import Material
from kinblend.experiments.observations import embed
from kinblend.experiments.readings import Columns, Looks
from kinblend.experiments.strengths import Sought, seek_strengths
from kinblend.faces.attributes import NAMES
from kinblend.pipeline.age_and_sex import OLDEST, YOUNGEST, AgeAndSex, SexChoice
from kinblend.types import Latent

if TYPE_CHECKING:
    from PIL.Image import Image

    from kinblend.interfaces import Blender
    from kinblend.pipeline import Engine

SEXES: Mapping[str, SexChoice] = {"m": "boy", "f": "girl"}


@dataclass(frozen=True)
class Scale:
    """What attributes are measured in. columns: all of them. spreads: a unit of each, [A], NaN for none. chosen:
    which of them strengths are sought for."""

    columns: Columns
    spreads: Tensor
    chosen: Sequence[int]

    def parts(self) -> dict[str, list[int]]:
        """Which attributes errors are of. chosen: those that strengths are sought for. heritable: of the face's shape
        and of the colours of eyes, skin and hair, not of the moment, nor age and sex. all: those that are read."""
        read = [at for at, spread in enumerate(self.spreads) if not bool(spread.isnan())]
        heritable = [at for at in read if self.columns.numbers[at][1] in NAMES]
        return {"chosen": list(self.chosen), "heritable": heritable, "all": read}

    def values(self, faces: Sequence[Looks]) -> Tensor:
        """Attributes in units, [n, A]."""
        return self.columns.values(faces) / self.spreads


@dataclass(frozen=True)
class Group:
    """Pictures of the same kind, one of each couple. name: what they are. values: [n, A], in units. pictures: 256 px.
    told: what was known of the true child when they were made: "", "age and sex", or "all".
    codes: of the pictures, [n, L, D], where they have any."""

    name: str
    values: Tensor
    pictures: Sequence[Image]
    told: str = ""
    codes: Tensor | None = None


class Couples:
    """The couples of an experiment, their true children, and what is predicted of them.

    Latents are codes alone: what a backbone copies from a parent's photograph (hair, surroundings) is left out.
    """

    def __init__(self, engine: Engine, looker: Looker, material: Material, scale: Scale, seed: int) -> None:
        self.engine, self.looker, self.scale, self.seed = engine, looker, scale, seed
        self.material, self.rows = material, list(material.couples)
        self.families = [material.trios.families[row] for row in self.rows]
        self.father, self.mother, self.child = (self._real(role) for role in ("father", "mother", "child"))
        self._looks = material.look(looker, [(row, "child") for row in self.rows])

    def of_codes(self, name: str, codes: Tensor, told: str = "") -> Group:
        """Pictures of codes, [n, L, D], one of each couple."""
        return Group(name, self.scale.values(self.looker.codes(codes)), self.looker.draw(codes), told, codes)

    def own_code(self, role: str) -> Group:
        """Pictures of the codes of the fathers, the mothers or the true children themselves."""
        return self.of_codes(f"{role}'s own code", self._codes(role), told="all" if role == "child" else "")

    def blended(self, name: str, blender: Blender, neutral: bool, with_age_and_sex: bool = False) -> Group | None:
        """Children by a strategy. neutral: the parents are made so first, as a run does. with_age_and_sex: moved to
        the true child's, as an analyser and the list have them; None where the editor can set neither."""
        engine, codes, moved = self.engine, [], False
        editor = engine.editor()
        for number, row in enumerate(self.rows):
            father, mother = (
                Latent(self._codes(role)[number].clone(), engine.backbone.space) for role in ("father", "mother")
            )
            if neutral:
                father, mother = (engine.neutral(parent, editor) for parent in (father, mother))
            child = replace(engine.blend(father, mother, blender, self.seed + row).latent, detail={})
            if with_age_and_sex:
                wanted = AgeAndSex(self.age(number), SEXES.get(self.sex(number)), frozenset({"age", "sex"}))
                edits = engine.child_spec(wanted, editor, {}, self.seed).all_edits
                moved = moved or bool(edits)
                child = engine.edit(child, editor, edits) if edits else child
            codes.append(child.code)
        if with_age_and_sex and not moved:
            return None
        return self.of_codes(name, torch.stack(codes), "age and sex" if moved else "")

    def seek(self, start: Tensor, directions: Directions, looks: int, reach: float) -> Iterator[Sought]:
        """The strengths that bring each child, of codes [n, L, D], nearest to the true one."""
        chosen = list(self.scale.chosen)
        for number in range(len(self.rows)):

            def look(strengths: Tensor, number: int = number) -> Tensor:
                code = self.moved(start[number], directions, strengths)
                return self.scale.values(self.looker.codes(code[None]))[0, chosen]

            yield seek_strengths(look, self.child.values[number, chosen], directions.effects, looks, reach)

    def moved(self, code: Tensor, directions: Directions, strengths: Tensor) -> Tensor:
        """A code [L, D], edited, and brought back to where faces are as any edit is."""
        backbone = self.engine.backbone
        editor = FeatureEditor(directions, backbone.context)
        edits = dict(zip(directions.names, map(float, strengths), strict=True))
        return self.engine.edit(Latent(code.clone(), backbone.space), editor, edits).code

    def errors(self, values: Tensor) -> dict[str, Tensor]:
        """Mean squared error of attributes [n, A] for each couple, [n], of each of the scale's parts."""
        squares = (values - self.child.values).square()
        return {part: squares[:, places].nanmean(1) for part, places in self.scale.parts().items()}

    def references(self) -> Iterator[tuple[str, Tensor]]:
        """What needs no prediction: values [n, A] of each parent and of the mean of the other families' children."""
        yield "the father", self.father.values
        yield "the mother", self.mother.values
        others = self._others()
        everybody = self.child.values[None].expand(len(self.rows), -1, -1)
        yield "the mean of the others' children", torch.where(others[:, :, None], everybody, torch.nan).nanmean(1)

    def unrelated(self) -> dict[str, Tensor]:
        """The mean error of the other families' children, [n]."""
        others = self._others()
        each = [self.errors(values) for values in self.child.values]
        return {
            part: torch.stack(
                [torch.where(others[:, at], one[part], torch.nan) for at, one in enumerate(each)]
            ).nanmean(0)
            for part in self.scale.parts()
        }

    def told_apart(self, embeddings: Tensor) -> Tensor:
        """How many of the other families' children are less like pictures with these unit embeddings [n, E] than the
        true child is, [n] in [0, 1]: 0.5 by chance. NaN where there is no other family."""
        return scores(embeddings, embed(self.child.pictures), self._others()).auc

    def estimate(self, values: Tensor) -> Estimate | None:
        """The mean of values [n] with its interval over families."""
        return over_families(values.float(), self.families)

    def age(self, number: int) -> float | None:
        """The age that the first analyser to tell one sees in the true child, in years; None where none does."""
        known = [label for _, name, label in self.scale.columns.numbers if name == "age"]
        if not known:
            return None
        value = float(self.scale.columns.values([self._looks[number]])[0, self.scale.columns.names.index(known[0])])
        return min(max(value, YOUNGEST), OLDEST) if value == value else None

    def sex(self, number: int) -> str:
        """The true child's, as the list has it, else as an analyser sees it: "m", "f" or ""."""
        listed = self.material.trios.groups.get("sex", [""] * len(self.material.trios))[self.rows[number]]
        labels = [label for _, name, label in self.scale.columns.classes if name == "gender"]
        return listed or (self.scale.columns.words([self._looks[number]], labels[0])[0] if labels else "")

    def _others(self) -> Tensor:
        """Whose children are of other families: bool [n, n]."""
        return torch.tensor([[one != other for other in self.families] for one in self.families])

    def _codes(self, role: str) -> Tensor:
        codes: Tensor = getattr(self.material.trios, role)[self.rows]
        return codes

    def _real(self, role: str) -> Group:
        """The photographs, or where there are none, pictures of the codes."""
        looks = self.material.look(self.looker, [(row, role) for row in self.rows])
        real = self.material.photographs
        pictures = [real.crop(row, role) for row in self.rows] if real else self.looker.draw(self._codes(role))
        return Group(role, self.scale.values(looks), pictures)
