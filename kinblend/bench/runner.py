"""What the steps of a run take on a backbone, at several sizes, batches and precisions."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from kinblend.backbone import Backbone, load_backbone
from kinblend.bench.beside import busy_processes, fair_share, over_fair_share
from kinblend.bench.profile import profile
from kinblend.bench.timing import Measurement, cold, hardware, measure
from kinblend.device import DevicePool
from kinblend.errors import UnsupportedError, wrap_plugin_errors
from kinblend.pipeline import Engine
from kinblend.plugins import load_plugins

if TYPE_CHECKING:
    from kinblend.bench.reference import Reference
    from kinblend.types import Latent

BUILT_IN = ("load", "encode", "blend", "synthesize", "batch", "project", "run", "cold")
SIZES = (64, 128, 256, 512, 1024)  # px
PROJECTED = 2  # steps of a projection that are timed


def known_steps() -> tuple[str, ...]:
    """All that can be timed: what is built in, then what plugins bring."""
    brought = [spec.name for spec in load_plugins()["benchmark"] if spec.name not in BUILT_IN]
    return (*BUILT_IN, *brought)


@dataclass(frozen=True)
class Plan:
    """What to measure.

    backbone: a pack's name or folder. sizes: of pictures, in pixels; those the pack can't make are left out, the
        largest it can make comes always. None: `SIZES` for one picture, the largest alone for batches.
    batches: how many pictures at a time; what plugins bring takes the most of them.
    people: photographs of a father and a mother, for encode, run and cold.
    steps: of `known_steps()`. rounds: of which the median is taken.
    options: of encoder and projector, by kind. beside: other processes that keep a core busy meanwhile.
    """

    backbone: str
    device: str = "auto"
    memory_budget: str | None = None
    sizes: Sequence[int] | None = None
    batches: Sequence[int] = (1, 2, 4, 8)
    precisions: Sequence[str] = ("fp32", "bf16")
    steps: Sequence[str] = field(default_factory=known_steps)
    rounds: int = 7
    people: tuple[Path, Path] | None = None
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    beside: int = 0

    @property
    def plugin_options(self) -> dict[str, Mapping[str, Any]]:
        """As `Engine` and `load_backbone` take them."""
        return {f"{kind}_options": self.options.get(kind, {}) for kind in ("encoder", "projector")}


def bench(plan: Plan, reference: Reference | None = None, log: Callable[[str], None] = print) -> dict[str, Any]:
    """The report: `hardware`, `backbone`, `cases`, and `against` where there is a reference."""
    report: dict[str, Any] = {"backbone": plan.backbone, "beside": plan.beside, "cases": []}
    with busy_processes(plan.beside):
        _measure(plan, reference, log, report)
    return report


def _measure(plan: Plan, reference: Reference | None, log: Callable[[str], None], report: dict[str, Any]) -> None:
    """Fill the report."""
    for precision in plan.precisions:
        pool = DevicePool(plan.device, plan.memory_budget, precision)
        report.setdefault("hardware", hardware(pool.memory))
        for step, taken in _Bench(plan, pool, log).cases():
            case = {"step": step, "precision": precision, **taken}
            if plan.beside:
                case["fair_share"] = fair_share(plan.beside)
                case["over_fair_share"] = over_fair_share(case, plan.beside)
            log(f"{case['step']} {precision}: {case['seconds']:.3f} s")
            report["cases"].append(case)
        if reference is not None:
            report.setdefault("against", []).extend(reference.compare(_loaded(plan, pool), plan.rounds, precision))
        pool.release()


def _loaded(plan: Plan, pool: DevicePool) -> Backbone:
    options = plan.plugin_options
    return load_backbone(
        plan.backbone,
        pool,
        encoder_options=options["encoder_options"],
        projector_options=options["projector_options"],
    )


class _Bench:
    """The cases of one precision."""

    def __init__(self, plan: Plan, pool: DevicePool, log: Callable[[str], None]) -> None:
        self.plan, self.pool, self.log, self.backbone = plan, pool, log, _loaded(plan, pool)

    def cases(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for step in self.plan.steps:
            cases = getattr(self, f"_{step}")() if step in BUILT_IN else self._brought(step)
            yield from ((step, case) for case in cases)

    def _one(self, work: Callable[[], object], rounds: int | None = None, **words: Any) -> dict[str, Any]:
        with self.pool:
            taken = measure([work], rounds or self.plan.rounds, self.pool.memory)[0]
        return words | asdict(taken)

    def _load(self) -> Iterator[dict[str, Any]]:
        def load() -> None:
            backbone = _loaded(self.plan, self.pool)
            _ = backbone.projector
            if backbone.pack.description["encoder"] is not None:
                _ = backbone.encoder

        yield self._one(load)

    def _encode(self) -> Iterator[dict[str, Any]]:
        if not self._has_people:
            return
        engine = self._engine()
        crops = [engine.parent(path).crop for path in self.plan.people or ()]
        for count in (1, 2):
            yield self._one(partial(self.backbone.encode, crops[:count]), batch=count)

    def _blend(self) -> Iterator[dict[str, Any]]:
        engine = self._engine()
        father, mother = self._parents
        yield self._one(partial(engine.blend, father, mother, engine.blender()))

    def _synthesize(self) -> Iterator[dict[str, Any]]:
        """All sizes in turn, so that their ratios hold on a busy machine, too."""
        sizes, latents = self._sizes(), self._latents(1)
        works = [partial(self.backbone.render, latents, size=size) for size in sizes]
        with self.pool:
            taken = measure(works, self.plan.rounds, self.pool.memory)
        yield from ({"size": size, "batch": 1} | asdict(one) for size, one in zip(sizes, taken, strict=True))

    def _batch(self) -> Iterator[dict[str, Any]]:
        for size in self._sizes() if self.plan.sizes is not None else [self.backbone.projector.resolution]:
            for count in self.plan.batches:
                taken = self._one(partial(self.backbone.render, self._latents(count), size=size), batch=count)
                yield taken | {"size": size, "each": taken["seconds"] / count}

    def _project(self) -> Iterator[dict[str, Any]]:
        """One step of it: what `PROJECTED` steps take more than none."""
        crop = self.backbone.render(self._latents(1))[0]
        works = [partial(self.backbone.project, crop, steps=steps) for steps in (0, PROJECTED)]
        try:
            with self.pool:
                none, some = measure(works, self._few, self.pool.memory)
        except UnsupportedError:
            return
        yield asdict(some) | {name: _per_step(none, some, name) for name in ("seconds", "fastest", "cpu_seconds")}

    def _run(self) -> Iterator[dict[str, Any]]:
        """A run of an engine that has run before, on people it does not remember."""
        if not self._has_people:
            return
        engine, (father, mother) = self._engine(), cast(tuple[Path, Path], self.plan.people)

        def run() -> None:
            engine.forget()
            engine.run(father, mother)

        yield self._one(run, size=self.backbone.projector.resolution)

    def _cold(self) -> Iterator[dict[str, Any]]:
        """`kinblend run` from its start to its end, in a process of its own; and where the time goes."""
        if not self._has_people:
            return
        import tempfile

        father, mother = map(str, self.plan.people or ())
        with tempfile.TemporaryDirectory() as out:
            words = [sys.executable, "-m", "kinblend.cli", "run", "--father", father, "--mother", mother, "--quiet"]
            words += ["--backbone", self.plan.backbone, "--precision", self.pool.precision, "--out", out]
            words += ["--device", str(self.pool.device)]
            for kind, options in self.plan.options.items():
                words += [f"--set={kind}.{key}={json.dumps(value)}" for key, value in options.items()]
            words += ["--memory-budget", self.plan.memory_budget] if self.plan.memory_budget else []
            runs = sorted((cold(words) for _ in range(self.plan.rounds)), key=lambda taken: taken.seconds)
            engine = {
                "backbone": self.plan.backbone,
                "device": str(self.pool.device),
                "precision": self.pool.precision,
                "memory_budget": self.plan.memory_budget,
                **self.plan.plugin_options,
            }
            parts = profile({"engine": engine, "people": [father, mother], "out": out}, self.plan.rounds)
        yield asdict(replace(runs[len(runs) // 2], fastest=runs[0].seconds)) | {"profile": parts}

    def _brought(self, name: str) -> Iterator[dict[str, Any]]:
        """A step that a plugin brings."""
        plugins = load_plugins()
        spec, batch = plugins["benchmark"].get(name), max(self.plan.batches)
        try:
            with wrap_plugin_errors(f"benchmark '{name}' of {plugins.distribution_of(spec)}"):
                work = spec.load()(self.backbone, batch, self.pool.precision)
                taken = self._one(work, self._few, batch=batch)
        except UnsupportedError as error:
            self.log(f"{name} {self.pool.precision} is left out: {error}")
        else:
            yield taken

    @property
    def _few(self) -> int:
        """Rounds of what takes long."""
        return max(1, self.plan.rounds // 3)

    def _engine(self) -> Engine:
        words = self.plan
        budget, options = words.memory_budget, words.plugin_options
        return Engine(
            words.backbone,
            words.device,
            self.pool.precisions,
            budget,
            encoder_options=options.get("encoder_options"),
            projector_options=options.get("projector_options"),
        )

    def _sizes(self) -> list[int]:
        most = self.backbone.projector.resolution
        return [size for size in self.plan.sizes or SIZES if size < most] + [most]

    def _latents(self, count: int) -> list[Latent]:
        """Children of the two."""
        engine, (father, mother) = self._engine(), self._parents
        return [engine.blend(father, mother, engine.blender()).latent] * count

    @cached_property
    def _parents(self) -> list[Latent]:
        """Of the people where there are some and an encoder, else drawn."""
        import torch

        from kinblend.types import Latent

        if self._has_people:
            engine = self._engine()
            return [engine.parent(path).latent for path in self.plan.people or ()]
        space = self.backbone.space
        codes = torch.randn(2, space.layers, space.dim, generator=torch.Generator().manual_seed(0))
        return [Latent(code, space) for code in codes]

    @property
    def _has_people(self) -> bool:
        return self.plan.people is not None and self.backbone.pack.description["encoder"] is not None


def _per_step(none: Measurement, some: Measurement, name: str) -> float:
    return float((getattr(some, name) - getattr(none, name)) / PROJECTED)
