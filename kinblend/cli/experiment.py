"""`kinblend experiment`: whole experiments, from photographs to a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kinblend.cli import flags
from kinblend.cli.command import App
from kinblend.cli.output import check_folder, emit, log
from kinblend.cli.parsing import parse_sets
from kinblend.cli.progress import bar
from kinblend.errors import UsageError
from kinblend.files import keep_inputs
from kinblend.settings import load_settings

if TYPE_CHECKING:
    from kinblend.experiments.attributes import Plan
    from kinblend.experiments.material import Material
    from kinblend.interfaces import Blender
    from kinblend.pipeline import Engine

app = App(help="Whole experiments, from photographs to a report.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Whole experiments, from photographs to a report."""


@app.command("attributes")
def attributes(
    trios: Annotated[
        Path, typer.Argument(help="List of trios (.csv, .parquet), or what `families encode` wrote (.safetensors).")
    ],
    couples: Annotated[int, typer.Option(min=2, max=10_000, help="Couples, one of each family.")] = 10,
    people: Annotated[
        int, typer.Option(min=0, help="Other families of a list whose people test the models, or fit them.")
    ] = 40,
    fit_to: Annotated[
        Literal["samples", "people"] | None,
        typer.Option(help="What models are fitted to. Default: samples of the generator, where it draws any."),
    ] = None,
    samples: Annotated[int, typer.Option(min=50, help="How many faces the generator draws for that.")] = 1500,
    analyser: Annotated[
        list[str] | None,
        typer.Option(help="One of `kinblend analysers list`; repeatable. Default: the preferred ones."),
    ] = None,
    base: Annotated[
        str | None, typer.Option(help="Strategy whose children are edited. Default: the one that plugins prefer.")
    ] = None,
    strategy: Annotated[
        list[str] | None,
        typer.Option(help="One to compare; repeatable. Default: the preferred one and those that were trained."),
    ] = None,
    features: Annotated[int, typer.Option(min=1, max=100, help="Attributes that strengths are sought for.")] = 8,
    least: Annotated[float, typer.Option(min=0, max=1, help="R² that a model needs for that.")] = 0.2,
    looks: Annotated[int, typer.Option(min=2, max=1000, help="Pictures for each search of strengths.")] = 16,
    reach: Annotated[float, typer.Option(min=0.1, max=10, help="Largest strength, in standard deviations.")] = 3.0,
    aligned: Annotated[
        bool | None,
        typer.Option("--aligned/--not-aligned", help="They are FFHQ crops. Default: where prepare made them."),
    ] = None,
    identity: Annotated[
        str | None, typer.Option(help="Network of embeddings that are kept, as in `families encode`.")
    ] = None,
    workers: flags.Workers = None,
    sets: flags.Sets = None,
    seed: flags.Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder for report, tables and pictures.")] = Path("attributes"),
    backbone: flags.Backbone = None,
    device: flags.Device = None,
    precision: flags.Precision = None,
    memory_budget: flags.Budget = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Attributes read from codes and moved: do a couple's children come near the true one?

    Interrupted, the same command goes on. The report shows the photographs: treat it like them."""
    check_folder(out)
    options = parse_sets(sets or [], ("encoder",))
    engine = flags.open_engine(backbone, device, precision, memory_budget, options)
    from kinblend.experiments.attributes import Plan, run_attributes
    from kinblend.experiments.attributes_page import HEAD, error_cells
    from kinblend.experiments.attributes_report import check_report, write_findings
    from kinblend.identity import load_identity
    from kinblend.workers import suggested_workers

    check_report(out)
    edited = engine.blender(base)
    plan = Plan(
        (edited.name, edited),
        _strategies(engine, strategy or (), edited.name),
        fit_to,
        samples,
        features,
        least,
        looks,
        reach,
        seed,
    )
    cache = load_settings().home / "experiments"
    how = {
        "aligned": aligned,
        "identity": load_identity(identity).name,
        "encoder_options": options["encoder"],
        "workers": workers or suggested_workers(),
    }
    with bar("encode", None, quiet) as show:
        material = _material(trios, engine, plan, (couples, people), how, show)
        found = run_attributes(
            engine, material, analyser or (), cache, plan, lambda what, done, of: show(done, title=what, total=of)
        )
    for path in write_findings(out, found):
        log(f"wrote {path}")
    emit(found.report, as_json=as_json, rows=[error_cells(row) for row in found.report["errors"]], head=HEAD)


def _strategies(engine: Engine, names: list[str] | tuple[str, ...], base: str) -> dict[str, Blender]:
    """Those that are named; else the preferred one, and those whose weights the backbone has."""
    from kinblend.plugins import load_plugins

    blenders = load_plugins()["blender"]
    trained = [spec.name for spec in blenders if spec.weights and not engine.backbone.lacks(spec)]
    wanted = dict.fromkeys(names or [blenders.default().name, *trained])
    return {name: engine.blender(name) for name in wanted if name != base}


def _material(
    trios: Path,
    engine: Engine,
    plan: Plan,
    wanted: tuple[int, int],
    how: Mapping[str, Any],
    show: Callable[..., None],
) -> Material:
    """wanted: couples, and other families. how: what `from_photographs` takes beside."""
    from kinblend.experiments.material import from_codes, from_photographs
    from kinblend.families.trio_list import read_trio_list
    from kinblend.families.trios import load_trios

    couples, more = wanted
    if trios.suffix == ".safetensors":
        if how["aligned"] is not None:
            raise UsageError("--aligned is about photographs; encoded trios have none")
        return from_codes(load_trios(trios, engine.backbone.space), couples, plan.seed)
    listed = read_trio_list(trios)
    keep_inputs(picture for trio in listed for picture in (trio.father, trio.mother, trio.child))
    folder = load_settings().home / "families"
    return from_photographs(
        listed,
        engine.backbone,
        folder,
        couples,
        more,
        plan.seed,
        progress=lambda done, of: show(done, total=of),
        **how,
    )
