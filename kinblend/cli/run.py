"""`kinblend run`: two photographs in, children out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kinblend.cli.output import put, say
from kinblend.cli.words import parse_edits, parse_sets
from kinblend.settings import load_settings


def run(
    father: Annotated[Path, typer.Option(help="Photograph of the father.")],
    mother: Annotated[Path, typer.Option(help="Photograph of the mother.")],
    blender: Annotated[str | None, typer.Option(help="Strategy; see `kinblend blenders list`.")] = None,
    sets: Annotated[list[str] | None, typer.Option("--set", help="blender.key=value; repeatable.")] = None,
    edit: Annotated[list[str] | None, typer.Option(help="attribute=strength; repeatable.")] = None,
    children: Annotated[int, typer.Option(min=1, help="How many children.")] = 1,
    seed: Annotated[int, typer.Option(help="Everything random is drawn from it.")] = 0,
    face: Annotated[int | None, typer.Option(help="Which face, from the left, where there are several.")] = None,
    backbone: Annotated[str | None, typer.Option(help="Model pack: a name or a folder.")] = None,
    device: Annotated[str | None, typer.Option(help="auto, cpu, cuda, cuda:N.")] = None,
    precision: Annotated[str | None, typer.Option(help="auto, fp32, bf16, fp16.")] = None,
    memory_budget: Annotated[str | None, typer.Option(help="Device memory for weights, 2GiB say.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for what is written.")] = Path("out"),
    sheet: Annotated[bool, typer.Option("--sheet", help="Also one picture with parents and children.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Predict children of two people."""
    options, edits = parse_sets(sets or [], "blender"), parse_edits(edit or [])
    settings = load_settings(
        backbone=backbone, blender=blender, device=device, precision=precision, memory_budget=memory_budget
    )
    from kinblend.pipeline import Engine

    engine: Any = Engine(
        settings.backbone,
        settings.device,
        settings.precision,  # type: ignore[arg-type]  # the pool refuses what it doesn't know
        settings.memory_budget,
    )
    result = engine.run(
        father,
        mother,
        settings.blender,
        options,
        edits,
        children,
        seed,
        father_face=face,
        mother_face=face,
        on_stage=None if quiet else lambda stage: say(f"{stage} …"),
    )
    written = [str(path) for path in result.save(out, with_sheet=sheet)]
    put(
        result.manifest | {"files": written},
        as_json=as_json,
        rows=[[path] for path in written],
        head=["wrote"],
    )
