"""`kinblend bench`: how fast is it here, and how much memory does it take?"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from kinblend.cli import flags
from kinblend.cli.command import App
from kinblend.cli.demo import FATHER, MOTHER
from kinblend.cli.output import check_file, emit, log
from kinblend.cli.parsing import parse_sets
from kinblend.errors import ModelError, UsageError
from kinblend.files import atomic_write
from kinblend.package_data import example_portrait
from kinblend.settings import load_settings

if TYPE_CHECKING:
    from kinblend.bench.reference import Reference

HEAD = ["step", "precision", "px", "batch", "ms", "CPU ms", "MiB", "ratio", "CPU ratio"]
SHARES = ["fair share", "times its fair share"]  # beside other processes


class BenchGroup(TyperGroup):
    """`kinblend bench` without the name of a subcommand times the steps."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        named = args if args and args[0] in self.commands else ["steps", *args]
        rest: list[str] = super().parse_args(ctx, named)
        return rest


app = App(cls=BenchGroup, help="Time the steps of a run; with `scale`, what many couples cost.")


@app.command("steps")
def bench(
    backbone: flags.Backbone = None,
    device: flags.Device = None,
    precision: Annotated[
        list[str] | None, typer.Option("--precision", help="fp32, bf16, fp16; repeatable. Default: fp32 and bf16.")
    ] = None,
    memory_budget: flags.Budget = None,
    size: Annotated[
        list[int] | None,
        typer.Option(
            "--size", min=4, help="Of pictures, in px; repeatable. Default: 64 and up; batches: the largest."
        ),
    ] = None,
    batch: Annotated[
        list[int] | None, typer.Option("--batch", min=1, help="Pictures at a time; repeatable. Default: 1, 2, 4, 8.")
    ] = None,
    step: Annotated[
        list[str] | None,
        typer.Option(
            "--step",
            help="load, encode, blend, synthesize, batch, project, run, cold, or a plugin's, as train; repeatable. "
            "Default: all.",
        ),
    ] = None,
    sets: flags.Sets = None,
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Of this process; one gives CPU times that other programs hardly change."),
    ] = None,
    beside: Annotated[
        int, typer.Option(min=0, help="Other processes that keep a core busy meanwhile, as on a busy machine.")
    ] = 0,
    rounds: Annotated[int, typer.Option(min=1, help="How often each is timed; the median counts.")] = 7,
    father: Annotated[Path | None, typer.Option(help="A photograph; default: an example person.")] = None,
    mother: Annotated[Path | None, typer.Option(help="A photograph; default: an example person.")] = None,
    against: Annotated[
        str | None,
        typer.Option(help="Run beside ours, for ratios: a Python file with synthesize(pack), or `openvino`."),
    ] = None,
    reference_model: Annotated[
        Path | None, typer.Option(help="For openvino: an .xml file with its .bin, or a wheel that has both.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Also write the report there, as JSON.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Also draw latency and memory, .png or .svg.")] = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Time the steps of a run, at several sizes, batches and precisions.

    `kinblend bench scale` says what many couples cost."""
    for path in (out, plot):
        if path is not None:
            check_file(path)
    settings = load_settings(device=device, memory_budget=memory_budget)
    from kinblend.backbone import choose_backbone
    from kinblend.bench.charts import check_plot
    from kinblend.bench.charts import plot as draw
    from kinblend.bench.runner import Plan, known_steps
    from kinblend.bench.runner import bench as run

    unknown = sorted(set(step or ()) - set(known_steps()))
    if unknown:
        raise UsageError(f"there is no step {unknown[0]!r}; use {', '.join(known_steps())}")
    if plot is not None:
        check_plot(plot, step or known_steps())
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    wanted = {"sizes": size, "batches": batch, "precisions": precision, "steps": step}
    plan = Plan(
        str(choose_backbone(backbone)),
        settings.device,
        settings.memory_budget,
        rounds=rounds,
        beside=beside,
        people=example_parents(father, mother),
        options=parse_sets(sets or [], ("encoder", "projector")),
        **{name: tuple(values) for name, values in wanted.items() if values},  # type: ignore[arg-type]
    )
    report = run(plan, _reference(against, reference_model), log)
    if out is not None:
        atomic_write(out, (json.dumps(report, indent=2, sort_keys=True) + "\n").encode())
    if plot is not None:
        draw(report, plot)
    emit(report, as_json=as_json, rows=_rows(report), head=HEAD + (SHARES if beside else []))


def _reference(against: str | None, model: Path | None) -> Reference | None:
    """Raises `UsageError` where it can't be had."""
    from kinblend.bench.openvino import OpenVINOGraph
    from kinblend.bench.reference import Reference

    if (against == "openvino") is not (model is not None):
        raise UsageError("write both: --against openvino --reference-model FILE")
    if model is not None:
        return Reference(OpenVINOGraph(model))
    return None if against is None else Reference.from_file(Path(against))


def example_parents(father: Path | None, mother: Path | None) -> tuple[Path, Path] | None:
    """Whose photographs are used: those given, the example people where they are installed, or nobody's."""
    try:
        return father or example_portrait(FATHER), mother or example_portrait(MOTHER)
    except ModelError:
        log(
            "no photographs: give --father and --mother, or run `pip install kinblend[demo]`; some steps are left out"
        )
        return None


def _rows(report: dict[str, Any]) -> list[list[str]]:
    return [row for case in report["cases"] + report.get("against", []) for row in _rows_of(case)]


def _rows_of(case: dict[str, Any]) -> list[list[str]]:
    """One for the case, and one for each part of a cold run."""
    whole = [
        case["step"],
        case["precision"],
        str(case.get("size", "")),
        str(case.get("batch", "")),
        f"{1000 * case['seconds']:.1f}",
        f"{1000 * case['cpu_seconds']:.1f}",
        f"{(case.get('peak_device') or case['peak_rss']) / 2**20:.0f}",
        f"{case['ratio']:.2f}" if "ratio" in case else "",
        f"{case['cpu_ratio']:.2f}" if "ratio" in case else "",
        *(f"{case[name]:.2f}" for name in ("fair_share", "over_fair_share") if name in case),
    ]
    parts = case.get("profile", {}).items()
    blank = [""] * (len(whole) - 5)
    return [whole] + [
        [f"{case['step']}: {part}", case["precision"], "", "", f"{1000 * seconds:.1f}", *blank]
        for part, seconds in parts
    ]
