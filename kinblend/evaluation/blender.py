"""Do predicted children look like the true ones? Every strategy on families that no training saw."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F

from kinblend.backbone import make_plugin
from kinblend.errors import InputError, UnsupportedError, UsageError
from kinblend.evaluation.attributes import Dominance, TrueChildren, dominances, one_row_each
from kinblend.evaluation.blender_jobs import (
    BATCH,
    SEEDS,
    ChildrenJob,
    MeasureJob,
    Renderer,
    make_children,
    measure_codes,
)
from kinblend.evaluation.blender_jobs import Strategy as Strategy
from kinblend.evaluation.bootstrap import Estimate, over_families
from kinblend.evaluation.processes import SharedBackbone, share_work
from kinblend.evaluation.retrieval import Scores, candidates, scores, siblings
from kinblend.families.trios import Trios
from kinblend.identity import load_identity
from kinblend.plugins import load_plugins
from kinblend.workers import ThisProcess, Workers, opened_workers

if TYPE_CHECKING:
    from kinblend.backbone import Backbone

MEAN = "mean of the parents' embeddings"
PARENTS = ("father ", "mother ")  # begin the names of the parents' groups
LEAST = 5  # families of a group that is reported

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Metrics:
    """What is said of one strategy or reference: estimates by name, and those of AUC by group.

    auc, rank, own, others: as in `Scores`. less_baseline: AUC less that of the default strategy, row by row.
    less_mean: AUC less that of the mean of the parents' embeddings. father, mother: cosine to them. diversity: one
    less the mean cosine between children of one couple with different seeds. detection: the share of pictures with
    one face. attributes: mean squared errors, as `attributes.TrueChildren.errors` gives them.
    """

    figures: Mapping[str, Estimate]
    groups: Mapping[str, Estimate] = field(default_factory=dict)
    attributes: Mapping[str, Estimate] = field(default_factory=dict)


def default_strategies(
    backbone: Backbone,
    added: Mapping[str, Strategy] | None = None,
    progress: Progress | None = None,
    only: Sequence[str] = (),
) -> dict[str, Strategy]:
    """Every registered strategy and its variants (`PluginSpec.variants`), and those that are added.

    added: name → strategy and options. only: names of the registered ones to take; default: all. A strategy that the
    pack has no weights for, or that its projector can't draw, is left out; progress is told so. Raises `UsageError`
    for a name that there is not.
    """
    known: dict[str, Strategy] = {}
    for spec in load_plugins()["blender"]:
        known |= {
            spec.name: (spec.name, {}),
            **{name: (spec.name, options) for name, options in spec.variants.items()},
        }
    if missing := [name for name in only if name not in known]:
        raise UsageError(f"there is no strategy {missing[0]!r} to evaluate; there are: {', '.join(known)}")
    found: dict[str, Strategy] = {}
    for name, (strategy, options) in known.items():
        if only and name not in only:
            continue
        try:
            make_plugin("blender", strategy, backbone.context, options)
        except UnsupportedError as error:
            if progress is not None:
                progress(f"left out: {error}")
            continue
        found[name] = (strategy, options)
    return found | dict(added or {})


def select_test_rows(trios: Trios, seed: int, per_family: int) -> list[int]:
    """Rows of the test families, at most so many of each, drawn by `seed`. Raises `InputError` without any."""
    rows_of: dict[str, list[int]] = {}
    for row in trios.split_rows(seed)["test"]:
        rows_of.setdefault(trios.families[row], []).append(row)
    if not rows_of:
        raise InputError("no family is in the test part; make the list of trios with a test part, such as 70/10/20")
    numbers = random.Random(seed)
    chosen = [numbers.sample(rows, min(per_family, len(rows))) for _, rows in sorted(rows_of.items())]
    return [row for rows in chosen for row in sorted(rows)]


def evaluate(
    backbone: Backbone,
    trios: Trios,
    rows: Sequence[int],
    strategies: Mapping[str, Strategy],
    pictures: int = 100,
    progress: Progress | None = None,
    *,
    workers: int | Workers = 1,
) -> dict[str, Any]:
    """All figures.

    rows: of families that no training saw, as `select_test_rows` gives them; siblings are looked for in all of
        `trios`.
    pictures: so many rows are looked at for diversity, detection and attributes. progress: told each part.
    workers: who makes and looks at the children, by 16; of a number, so many processes, 1 being this one. Whoever
        does it, the report is the same.
    Returns {"trios", "families", "identity", "similarity_scale", "baseline", "strategies", "references",
    "attributes", "dominance", "small_groups"}. strategies, references: name → `Metrics` as a dictionary. The
    references render nothing: the mean of the parents' embeddings, each parent's, a sibling's, and an unrelated
    child's of the same sex. attributes: reference → error by attribute; dominance: attribute → {"share", "null",
    "seen"}; small_groups: group → its families, where they are too few to be reported.
    Raises `WorkerLostError` where processes are killed again and again.
    """
    log = progress or (lambda _: None)
    with opened_workers(workers, -(-len(rows) // BATCH)) as crew:
        judge = BlenderEvaluator(backbone, trios.select(rows), crew)
        log("attributes")
        people = MeasuredTrios(judge, pictures)
        found: dict[str, Predicted] = {}
        for name, strategy in strategies.items():
            log(name)
            found[name] = judge.children(strategy, pictures, people.rows)
        baseline = load_plugins()["blender"].default().name
        if baseline not in found:
            log(baseline)
        base = judge.scores((found.get(baseline) or judge.children((baseline, {}))).embeddings)
    lines: dict[str, Metrics] = {}
    for name, children in found.items():
        looked_at = {"diversity": children.diversity, "detection": children.detection}
        line = judge.line(children.embeddings, None if name == baseline else base, looked_at)
        lines[name] = replace(line, attributes=people.truth.errors(children.attributes))
    log("references")
    references = {name: judge.line(embedding, base) for name, embedding in judge.references(trios)}
    return {
        "trios": len(rows),
        "families": len(set(judge.trios.families)),
        "identity": trios.identity,
        "similarity_scale": asdict(judge.identity.scale) if judge.identity.scale else None,
        "baseline": baseline,
        "strategies": {name: asdict(line) for name, line in lines.items()},
        "references": {name: asdict(line) for name, line in references.items()},
        "attributes": {name: _plain(errors) for name, errors in people.references().items()},
        "dominance": {name: {**asdict(found), "seen": found.seen} for name, found in people.dominances()},
        "small_groups": judge.small_groups(),
    }


@dataclass(frozen=True)
class Predicted:
    """One strategy's children.

    embeddings: unit embeddings [n, E]. diversity, detection: of those that were looked at, float32 [c]. attributes:
    [m, A].
    """

    embeddings: Tensor
    diversity: Tensor
    detection: Tensor
    attributes: Tensor


class BlenderEvaluator:
    """Knows the true children, and compares predictions with them.

    trios: those that are judged. crew: who makes the children.
    """

    def __init__(self, backbone: Backbone, trios: Trios, crew: Workers | None = None) -> None:
        self.trios, self.identity = trios, load_identity(trios.identity)
        self._shared, self._crew = SharedBackbone(backbone), crew or ThisProcess()
        self.truth = F.normalize(trios.embedding, dim=1)
        self.others = candidates(trios)
        known = (trios.father_embedding, trios.mother_embedding)
        self.parents = {
            name: F.normalize(embedding, dim=1)
            for name, embedding in zip(("father", "mother"), known, strict=True)
            if embedding is not None
        }

    def children(self, strategy: Strategy, looked_at: int = 0, measured: Sequence[int] = ()) -> Predicted:
        """A strategy's children of all trios. Trio i has the seed i, and for diversity also n + i, 2 n + i and so on.

        looked_at: so many trios, the first ones, are looked at for diversity and detection. measured: rows whose
        attributes are measured.
        """
        jobs = [self._job(strategy, first, looked_at, measured) for first in range(0, len(self.trios), BATCH)]
        done = share_work(self._crew, make_children, jobs)
        return Predicted(
            torch.cat([torch.tensor(some.embeddings) for some in done]),
            torch.cat([torch.tensor(some.diversity) for some in done]),
            torch.tensor([one for some in done for one in some.detected]).float(),
            torch.cat([torch.tensor(some.attributes) for some in done]),
        )

    def _job(self, strategy: Strategy, first: int, looked_at: int, measured: Sequence[int]) -> ChildrenJob:
        father, mother = (codes[first : first + BATCH] for codes in (self.trios.father, self.trios.mother))
        return ChildrenJob(
            self._shared,
            self.trios.identity,
            strategy,
            father.numpy(),
            mother.numpy(),
            [first + turn * len(self.trios) for turn in range(SEEDS)],
            min(max(looked_at - first, 0), len(father)),
            [row - first for row in measured if first <= row < first + len(father)],
        )

    def predict(self, codes: Tensor) -> Tensor:
        """Unit embeddings [n, E] of rendered codes [n, L, D]."""
        return Renderer(self._shared, self.trios.identity).predict(codes)

    def measure(self, codes: Tensor) -> Tensor:
        """Attributes [n, A] of rendered codes."""
        jobs = [MeasureJob(self._shared, self.trios.identity, some.numpy()) for some in torch.split(codes, BATCH)]
        return torch.cat([torch.tensor(found) for found in share_work(self._crew, measure_codes, jobs)])

    def scores(self, found: Tensor) -> Scores:
        """Of predictions [n, E]."""
        return scores(found, self.truth, self.others)

    def references(self, everyone: Trios) -> Iterator[tuple[str, Tensor]]:
        """What renders nothing, name and embeddings [n, E]. everyone: where siblings may be found."""
        if len(self.parents) == 2:
            yield MEAN, self.mean()
        for name, embedding in self.parents.items():
            yield f"{name}'s photograph", embedding
        if self.trios.nuclear_families and self.trios.children:
            yield "a sibling", siblings(self.trios, everyone)
        numbers = torch.Generator().manual_seed(0)
        stranger = torch.multinomial(self.others.float() + 1e-9, 1, generator=numbers)[:, 0]
        yield "an unrelated child", self.truth[stranger]

    def mean(self) -> Tensor:
        """The mean of the parents' embeddings, unit length."""
        return F.normalize(self.parents["father"] + self.parents["mother"], dim=1)

    def line(self, found: Tensor, base: Scores | None, more: Mapping[str, Tensor] | None = None) -> Metrics:
        """All that is said of predictions [n, E]. base: what AUC is compared with."""
        ours = self.scores(found)
        values = {"auc": ours.auc, "rank": ours.rank, "own": ours.own, "others": ours.others}
        if base is not None:
            values["less_baseline"] = ours.auc - base.auc
        if len(self.parents) == 2:
            values["less_mean"] = ours.auc - self.scores(self.mean()).auc
        values |= {name: (found * embedding).sum(1) for name, embedding in self.parents.items()}
        values |= more or {}
        figures = {name: self._estimate(value) for name, value in values.items()}
        return Metrics({name: e for name, e in figures.items() if e is not None}, dict(self._groups(ours.auc)))

    def small_groups(self) -> dict[str, int]:
        """Groups of too few families to be reported, and how many they have."""
        counted = self.others.any(1).tolist()
        found = {
            name: len({f for f, own, one in zip(self.trios.families, inside, counted, strict=True) if own and one})
            for name, inside in self._members()
        }
        return {name: count for name, count in found.items() if count < LEAST}

    def _groups(self, auc: Tensor) -> Iterator[tuple[str, Estimate]]:
        for name, inside in self._members():
            found = self._estimate(torch.where(torch.tensor(inside), auc, torch.nan))
            if found is not None and found.families >= LEAST:
                yield name, found

    def _members(self) -> Iterator[tuple[str, list[bool]]]:
        """Groups by name, and which rows are in them."""
        kinds = {kind: members for kind, members in self.trios.groups.items() if not kind.startswith(PARENTS)}
        for kind, members in {**kinds, **couples(self.trios)}.items():
            for group in sorted(set(members) - {""}):
                yield f"{kind} {group}", [member == group for member in members]

    def _estimate(self, values: Tensor) -> Estimate | None:
        return over_families(values, self.trios.families[: len(values)])


class MeasuredTrios:
    """The attributes of some trios, of as many families as there are. count: trios at most. rows: theirs."""

    def __init__(self, judge: BlenderEvaluator, count: int) -> None:
        self.rows = one_row_each(judge.trios.families, count)
        some = judge.trios.select(self.rows)
        self.truth = TrueChildren(judge.measure(some.child), candidates(some), some.families)
        self.father, self.mother = judge.measure(some.father), judge.measure(some.mother)

    def references(self) -> dict[str, dict[str, Estimate]]:
        """Errors of the parents, of an unrelated child (the null), and of the mean of all other children."""
        return {
            "father": self.truth.errors(self.father),
            "mother": self.truth.errors(self.mother),
            "an unrelated child": self.truth.null(),
            "the mean child": self.truth.mean_child(),
        }

    def dominances(self) -> Iterator[tuple[str, Dominance]]:
        """By attribute."""
        return dominances(self.truth, self.father, self.mother)


def couples(trios: Trios) -> dict[str, list[str]]:
    """{"couple": "of one ethnicity", "of mixed ethnicity" or "" (not known) for each trio}; {} where none is."""
    known = [trios.groups.get(f"{parent} ethnicity", [""] * len(trios)) for parent in ("father", "mother")]
    if not any(map(any, known)):
        return {}
    pairs = zip(*known, strict=True)
    return {"couple": ["" if not (f and m) else f"of {'one' if f == m else 'mixed'} ethnicity" for f, m in pairs]}


def _plain(errors: Mapping[str, Estimate]) -> dict[str, dict[str, Any]]:
    return {name: asdict(error) for name, error in errors.items()}
