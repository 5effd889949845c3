"""`kinblend traverse`: what do single elements of a code do?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kinblend.cli import flags
from kinblend.cli.output import check_folder, emit, log
from kinblend.errors import InputError, UsageError


def traverse(
    elements: Annotated[
        list[str] | None, typer.Argument(metavar="LAYER:DIMENSION…", help="Elements, counted from 0: 6:141.")
    ] = None,
    consistent: Annotated[
        Path | None,
        typer.Option(help="Elements from a consistent.csv of `kinblend analyze`, of its first network."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Elements of that file at most.")] = 8,
    latents: Annotated[
        list[Path] | None, typer.Option(help="Latents of people; repeatable. Default: drawn by the generator.")
    ] = None,
    people: Annotated[int, typer.Option(min=3, help="How many people are looked at.")] = 8,
    reach: Annotated[float, typer.Option(min=0.1, max=20, help="How far, in standard deviations.")] = 3.0,
    controls: Annotated[int, typer.Option(min=0, help="Random elements of each layer beside them.")] = 8,
    seed: flags.Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder for report, table and pictures.")] = Path("traversal"),
    backbone: flags.Backbone = None,
    device: flags.Device = None,
    precision: flags.Precision = None,
    memory_budget: flags.Budget = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """What single elements of a code do: pictures of both ends, where they differ, which attribute goes along."""
    check_folder(out)
    names = [*(elements or []), *(_listed(consistent, limit) if consistent else [])]
    if not names:
        raise UsageError("name elements, such as 6:141, or give --consistent, what `kinblend analyze` found")
    engine = flags.open_engine(backbone, device, precision, memory_budget)
    from kinblend.evaluation import traversal as work
    from kinblend.evaluation.traversal_report import HEAD, summary, summary_row, write_traversals

    wanted = list(dict.fromkeys(work.Element.of(name, engine.backbone.space) for name in names))
    with engine.pool:
        if latents:
            import torch

            from kinblend.latents import load_latent

            codes = torch.stack([load_latent(path, engine.backbone.space).code for path in latents])
            who = work.people_of(engine.backbone, codes, people)
        else:
            who = work.drawn_people(engine.backbone, people, seed)
        found = work.traverse(engine.backbone, who, wanted, reach, controls, seed, log)
    for path in write_traversals(out, found, who, reach):
        log(f"wrote {path}")
    emit([summary(one) for one in found], as_json=as_json, rows=[summary_row(one) for one in found], head=HEAD)


def _listed(path: Path, limit: int) -> list[str]:
    """The elements in a table with the columns layer and dimension. Raises `InputError`."""
    from kinblend.storage.tables import read_table

    table = read_table(path)
    if not {"layer", "dimension"} <= set(table.columns):
        raise InputError(f"{path} has {table.describe()}; the columns layer and dimension are needed")
    first = table.rows[0][1].get("network") if table.rows else None
    rows = [row for _, row in table.rows if row.get("network") == first]
    return [f"{str(row['layer']).strip()}:{str(row['dimension']).strip()}" for row in rows[:limit]]
