"""`kinblend bench scale`: what many couples cost, in core-hours, memory and hours."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kinblend.cli import flags
from kinblend.cli.bench import example_parents
from kinblend.cli.output import check_file, emit, log
from kinblend.cli.parsing import parse_sets
from kinblend.errors import ModelError, UsageError
from kinblend.files import atomic_write
from kinblend.settings import load_settings

if TYPE_CHECKING:
    from kinblend.bench.costs import Cost
    from kinblend.bench.scale import Scaling, Worker


def scale(
    couples: Annotated[int, typer.Option(min=1, help="Of the estimate.")] = 10_000,
    people: Annotated[int, typer.Option(min=2, help="Of the estimate: who the couples are of.")] = 2000,
    children: Annotated[int, typer.Option(min=1, max=100, help="Of each couple, also of those that are timed.")] = 1,
    size: Annotated[int, typer.Option(min=64, max=8000, help="Of photographs: the longer side, in px.")] = 1024,
    workers: Annotated[
        list[int] | None,
        typer.Option(min=1, help="At once; repeatable, 1 is always among them. Default: 1, 2, 4 to all cores."),
    ] = None,
    father: Annotated[Path | None, typer.Option(help="A photograph; default: an example person.")] = None,
    mother: Annotated[Path | None, typer.Option(help="A photograph; default: an example person.")] = None,
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PART.KEY=VALUE", help="An option of encoder or projector; repeatable."),
    ] = None,
    backbone: flags.Backbone = None,
    encoder: flags.Encoder = None,
    device: flags.Device = None,
    precision: flags.Precision = None,
    memory_budget: flags.Budget = None,
    out: Annotated[Path | None, typer.Option(help="Also write the report there, as JSON.")] = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Time workers of `kinblend batch` here, alone and several at once, and estimate what many couples cost."""
    if out is not None:
        check_file(out)
    options = parse_sets(sets or [], ("encoder", "projector"))
    if people > 2 * couples:
        raise UsageError(f"--people {people}: {couples} couples are of at most {2 * couples} people")
    photographs = example_parents(father, mother)
    if photographs is None:
        raise ModelError("there is nobody to time: give --father and --mother, or run `pip install kinblend[demo]`")
    settings = load_settings(
        backbone=backbone, device=device, precision=precision, memory_budget=memory_budget, encoder=encoder
    )
    from kinblend.backbone import choose_backbone
    from kinblend.batch import EngineOptions
    from kinblend.bench.costs import Order, estimate
    from kinblend.bench.scale import describe, measure_scale
    from kinblend.bench.timing import hardware

    engine = EngineOptions(
        str(choose_backbone(settings.backbone)),
        settings.device,
        settings.precision,
        settings.memory_budget,
        options["encoder"],
        options["projector"],
        settings.encoder,
    )
    pool = engine.open().pool
    counts = sorted({1, *workers}) if workers else None
    one, found = measure_scale(engine, photographs, size, children, counts, log)
    order = Order(couples, people, children)
    cost = estimate(order, one, found, str(pool.device), size)
    report = {"backbone": engine.backbone, "hardware": hardware(pool.memory), **describe(one, found)}
    report |= {"order": asdict(order), "size": size, "cost": asdict(cost)}
    if out is not None:
        atomic_write(out, (json.dumps(report, indent=2, sort_keys=True) + "\n").encode())
    emit(report, as_json=as_json, rows=_rows(one, found, cost), head=["what", "", "CPU"])
    for sentence in cost.assumptions:
        log(f"assumed: {sentence}")


def _rows(one: Worker, scaling: Sequence[Scaling], cost: Cost) -> list[list[str]]:
    return [
        ["start of a worker", f"{one.cold:.2f} s", f"{one.cold_cpu:.2f} s"],
        ["a photograph", f"{one.photograph:.3f} s", f"{one.photograph_cpu:.3f} s"],
        ["a child", f"{one.child:.3f} s", f"{one.child_cpu:.3f} s"],
        *(row for case in scaling for row in _case(case)),
        ["core-hours", f"{cost.core_hours:.2f}", ""],
        ["GPU-hours", "not measured" if cost.gpu_hours is None else f"{cost.gpu_hours:.2f}", ""],
        [f"hours with workers {cost.workers}", "not estimated" if cost.hours is None else f"{cost.hours:.2f}", ""],
    ]


def _case(case: Scaling) -> list[list[Any]]:
    others = "not known" if case.others is None else f"{case.others:.0%}"
    private = "not known" if case.private is None else f"{case.private / 2**20:.0f} MiB"
    name = f"workers {case.workers}"
    return [
        [f"{name}: children per second, ratio to one", f"{case.rate:.2f}", f"{case.ratio:.2f}"],
        [f"{name}: memory of each, own", private, ""],
        [f"{name}: others took of the machine", others, ""],
    ]
