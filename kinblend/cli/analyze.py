"""`kinblend analyze`: what did a trained blender learn?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from kinblend.cli import flags
from kinblend.cli.output import check_folder, emit, log
from kinblend.cli.parsing import named_files
from kinblend.cli.trainer_commands import default_trainer
from kinblend.cli.trio_files import load_encoded


def analyze(
    trios: Annotated[list[Path], typer.Option(help="What `families encode` wrote; repeatable.")],
    blender: Annotated[
        str | None, typer.Option(help="Default: the one that `kinblend train blender` trains.")
    ] = None,
    weights: Annotated[Path | None, typer.Option(help="Of the blender; default: the pack's own.")] = None,
    control: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FILE",
            help="Weights that know of no inheritance, untrained or of shuffled families; repeatable.",
        ),
    ] = None,
    split: Annotated[Literal["train", "val", "test"], typer.Option(help="Whose couples.")] = "test",
    limit: Annotated[int, typer.Option(min=2, help="Couples at most.")] = 500,
    seed: flags.Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder for report, pictures and tables.")] = Path("analysis"),
    backbone: flags.Backbone = None,
    device: flags.Device = None,
    precision: flags.Precision = None,
    memory_budget: flags.Budget = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Weights by layer and element, the most consistent ones, the bias to a parent, and what is inherited together,
    beside controls."""
    check_folder(out)
    files = named_files(control or [], "--control")
    from kinblend.evaluation import weights as work
    from kinblend.evaluation.weight_correlations import correlate
    from kinblend.evaluation.weight_report import FIGURES, figures_of, write_analysis

    loaded, together = load_encoded(trios, backbone, seed, machine=(device, precision, memory_budget))
    rows, used = together.split_rows(seed)[split][:limit], work.used_elements(together)
    summaries, correlations = {}, {}
    groups = loaded.projector.layer_groups()
    strategy = blender or default_trainer("blender")
    for name, file in {"trained": None if weights is None else str(weights), **files}.items():
        log(name)
        options = {} if file is None else {"weights": file}
        maps, swapped = (
            work.weight_maps(loaded, together, rows, strategy, options, turned) for turned in (False, True)
        )
        summaries[name] = work.summarize(maps, swapped, used)
        correlations[name] = correlate(maps, groups, used, seed)
    for path in write_analysis(out, summaries, len(rows), correlations):
        log(f"wrote {path}")
    figures = {name: figures_of(summary) for name, summary in summaries.items()}
    listed = {name: [asdict(one) for one in work.most_consistent(summary)] for name, summary in summaries.items()}
    table = [[word, *(f"{figures[name][key]:.4g}" for name in figures)] for key, word in FIGURES.items()]
    emit({"figures": figures, "consistent": listed}, as_json=as_json, rows=table, head=["figure", *figures])
