"""`kinblend evaluate`: how good is it?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kinblend.cli import flags
from kinblend.cli.output import put, say

app = typer.Typer(help="Measure backbones.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Measure backbones."""


@app.command("backbone")
def backbone(
    faces: Annotated[Path, typer.Option(help="Folder or zip of FFHQ-aligned pictures of different people.")],
    pairs: Annotated[int, typer.Option(min=1, help="Random couples whose children are looked at.")] = 200,
    backbone: flags.Backbone = None,
    device: flags.Device = None,
    precision: flags.Precision = None,
    memory_budget: flags.Budget = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Reconstructions, children by every strategy, and edits, of people the backbone never saw."""
    from kinblend.evaluation.people import read_faces

    people = read_faces(faces)
    engine = flags.open_engine(backbone, device, precision, memory_budget)
    from kinblend.evaluation.backbone import evaluate

    report = evaluate(engine, people, pairs, say)
    put(report, as_json=as_json, rows=_rows(report), head=["figure", "value"])


def _rows(report: dict[str, Any], above: str = "") -> list[list[str]]:
    rows: list[list[str]] = []
    for name, value in report.items():
        title = f"{above}{name}"
        rows += _rows(value, f"{title}, ") if isinstance(value, dict) else [[title, str(value)]]
    return rows
