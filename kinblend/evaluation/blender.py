"""Do predicted children look like the true ones? Every strategy on families that no training saw."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from kinblend.backbone import make_plugin
from kinblend.errors import InputError
from kinblend.evaluation.backbone import STRATEGIES
from kinblend.evaluation.bootstrap import Estimate, over_families
from kinblend.evaluation.kinship import Scores, candidates, scores, siblings
from kinblend.families.trios import Trios, only
from kinblend.identity import identity_by_name

if TYPE_CHECKING:
    from kinblend.backbone import Backbone
    from kinblend.interfaces import Blender

BASE = "average"  # what the others are compared with
BATCH, SEEDS = 16, 4
LEAST = 5  # families of a group that is reported

Strategy = tuple[str, Mapping[str, Any]]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Line:
    """What is said of one strategy or reference: estimates by name, and those of AUC by group.

    auc, rank, own, others: as in `Scores`. less_average: AUC less that of `average`, row by row. less_mean: AUC less
    that of the mean of the parents' embeddings. father, mother: cosine to them. diversity: one less the mean cosine
    between children of one couple with different seeds. detection: the share of pictures with one face.
    """

    figures: Mapping[str, Estimate]
    groups: Mapping[str, Estimate] = field(default_factory=dict)


def usual_strategies(backbone: Backbone, weights: Mapping[str, str]) -> dict[str, Strategy]:
    """Every registered strategy, both parents alone, and the learned one with each of several files of weights.

    weights: name → file. `learned` alone is left out where the pack has no weights.
    """
    from kinblend.plugins import load_plugins

    found: dict[str, Strategy] = {
        "father alone": ("average", {"share": 1.0}),
        "mother alone": ("average", {"share": 0.0}),
    }
    for spec in load_plugins()["blender"]:
        if spec.name != "learned" or "blender.safetensors" in backbone.pack.files:
            found[spec.name] = (spec.name, STRATEGIES.get(spec.name, {}))
    return found | {f"learned {name}": ("learned", {"weights": file}) for name, file in weights.items()}


def test_rows(trios: Trios, seed: int, per_family: int) -> Trios:
    """The test families, at most so many trios of each, drawn by `seed`. Raises `InputError` where there is none."""
    rows_of: dict[str, list[int]] = {}
    for row in trios.parts(seed)["test"]:
        rows_of.setdefault(trios.families[row], []).append(row)
    if not rows_of:
        raise InputError("no family is in the test part; make the list with --split 70/10/20, say")
    numbers = random.Random(seed)
    chosen = [numbers.sample(rows, min(per_family, len(rows))) for _, rows in sorted(rows_of.items())]
    return only(trios, [row for rows in chosen for row in sorted(rows)])


def evaluate(
    backbone: Backbone,
    trios: Trios,
    strategies: Mapping[str, Strategy],
    pictures: int = 100,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """All figures. trios: of families that no training saw, as `test_rows` gives them. pictures: so many trios are
    looked at for diversity and detection. progress: told each part.

    Returns {"trios", "families", "identity", "strategies", "references"}; each of the last two is name → `Line` as a
    dictionary. The references render nothing: the parents' own embeddings, their mean, siblings, and an unrelated
    child of the same sex.
    """
    say = progress or (lambda _: None)
    judge = Judge(backbone, trios)
    lines: dict[str, Line] = {}
    say(BASE)
    average = judge.predict(backbone, strategies.get(BASE, (BASE, {})))
    base = judge.scores(average)
    for name, strategy in strategies.items():
        say(name)
        found = average if name == BASE else judge.predict(backbone, strategy)
        lines[name] = judge.line(found, base if name != BASE else None, judge.pictures(backbone, strategy, pictures))
    say("references")
    references = {name: judge.line(found, base) for name, found in judge.references()}
    return {
        "trios": len(trios),
        "families": len(set(trios.families)),
        "identity": trios.identity,
        "strategies": {name: asdict(line) for name, line in lines.items()},
        "references": {name: asdict(line) for name, line in references.items()},
    }


class Judge:
    """Knows the true children, and compares predictions with them."""

    def __init__(self, backbone: Backbone, trios: Trios) -> None:
        self.trios, self.identity = trios, identity_by_name(trios.identity)
        self.projector = backbone.projector
        self.truth = F.normalize(trios.embedding, dim=1)
        self.others = candidates(trios)
        known = (trios.father_embedding, trios.mother_embedding)
        self.parents = (
            None if known[0] is None or known[1] is None else [F.normalize(e, dim=1) for e in known if e is not None]
        )
        self.mean = (
            None if self.parents is None else self.scores(F.normalize(self.parents[0] + self.parents[1], dim=1))
        )

    def predict(self, backbone: Backbone, strategy: Strategy, rows: int | None = None, seed: int = 0) -> Tensor:
        """Unit embeddings [n, E] of the rendered children, code alone. rows: only the first so many."""
        return torch.cat([self.embed(pictures) for pictures in self.render(backbone, strategy, rows, seed)])

    def render(
        self, backbone: Backbone, strategy: Strategy, rows: int | None = None, seed: int = 0
    ) -> Iterator[Tensor]:
        """Their pictures, float32 [n, 3, S, S], batch by batch. Trio i has the seed `seed` + i."""
        blender = cast("Blender", make_plugin("blender", strategy[0], backbone.context, strategy[1]))
        trios, noise = self.trios, self.projector.noise_kinds[0]
        with torch.inference_mode():
            for start in range(0, rows or len(trios), BATCH):
                some = range(start, min(start + BATCH, rows or len(trios)))
                codes = [blender.blend(trios.father[i], trios.mother[i], seed + i).code for i in some]
                yield self.projector.synthesize(torch.stack(codes), noise=noise, size=self.identity.best_side)

    def embed(self, pictures: Tensor) -> Tensor:
        """Unit embeddings of pictures."""
        with torch.inference_mode():
            return F.normalize(
                self.identity.of_pictures(pictures.contiguous(memory_format=torch.channels_last)), dim=1
            )

    def scores(self, found: Tensor) -> Scores:
        """Of predictions [n, E]."""
        return scores(found, self.truth, self.others)

    def pictures(self, backbone: Backbone, strategy: Strategy, count: int) -> dict[str, Tensor]:
        """Diversity and detection, of the first `count` trios."""
        from kinblend.faces.detect import detect_many
        from kinblend.imaging import to_pictures

        count = min(count, len(self.trios))
        first = list(self.render(backbone, strategy, count))
        born = [torch.cat([self.embed(pictures) for pictures in first])]
        faces = [len(found) == 1 for pictures in first for found in detect_many(to_pictures(pictures))]
        born += [self.predict(backbone, strategy, count, seed * len(self.trios)) for seed in range(1, SEEDS)]
        pairs = [(a * b).sum(1) for i, a in enumerate(born) for b in born[:i]]
        return {"diversity": 1 - torch.stack(pairs).mean(0), "detection": torch.tensor(faces).float()}

    def references(self) -> Iterator[tuple[str, Tensor]]:
        """What renders nothing, name and embeddings [n, E]."""
        if self.parents is not None:
            yield "mean of the parents' embeddings", F.normalize(self.parents[0] + self.parents[1], dim=1)
            yield "father's photograph", self.parents[0]
            yield "mother's photograph", self.parents[1]
        if self.trios.houses and self.trios.children:
            yield "siblings", siblings(self.trios, self.truth)
        numbers = torch.Generator().manual_seed(0)
        stranger = torch.multinomial(self.others.float() + 1e-9, 1, generator=numbers)[:, 0]
        yield "an unrelated child", self.truth[stranger]

    def line(self, found: Tensor, base: Scores | None, more: Mapping[str, Tensor] | None = None) -> Line:
        """All that is said of predictions [n, E]. base: what AUC is compared with."""
        ours = self.scores(found)
        values = {"auc": ours.auc, "rank": ours.rank, "own": ours.own, "others": ours.others}
        if base is not None:
            values["less_average"] = ours.auc - base.auc
        if self.parents is not None and self.mean is not None:
            values["less_mean"] = ours.auc - self.mean.auc
            values |= {name: (found * e).sum(1) for name, e in zip(("father", "mother"), self.parents, strict=True)}
        values |= more or {}
        figures = {name: self._estimate(value) for name, value in values.items()}
        return Line({name: e for name, e in figures.items() if e is not None}, dict(self._groups(ours.auc)))

    def _groups(self, auc: Tensor) -> Iterator[tuple[str, Estimate]]:
        for kind, members in self.trios.groups.items():
            for group in sorted(set(members) - {""}):
                inside = torch.tensor([member == group for member in members])
                found = self._estimate(torch.where(inside, auc, torch.nan))
                if found is not None and found.families >= LEAST:
                    yield f"{kind} {group}", found

    def _estimate(self, values: Tensor) -> Estimate | None:
        return over_families(values, self.trios.families[: len(values)])
