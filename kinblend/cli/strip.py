"""`kinblend strip`: one person at several ages, or several values of another attribute."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from kinblend.cli import flags, parents
from kinblend.cli.output import check_folder, emit, log, say_replaced, warn
from kinblend.cli.parsing import parse_edits, parse_sets
from kinblend.cli.progress import followed
from kinblend.errors import UsageError

AGES = "4,8,16,30,50,70"


def strip(
    person: Annotated[Path, typer.Argument(help="A photograph, a latent, or the child.json of an earlier run.")],
    ages: Annotated[
        str | None, typer.Option("--age", metavar="YEARS,…", help=f"Ages, comma between. Default: {AGES}.")
    ] = None,
    edit: Annotated[
        str | None,
        typer.Option(metavar="NAME=VALUE,…", help="Another attribute: smile=-2,0,2 or gender=female,male."),
    ] = None,
    fixed: Annotated[
        list[str] | None,
        typer.Option("--with", metavar="NAME=VALUE", help="An edit in all pictures, as gender=female; repeatable."),
    ] = None,
    face: flags.Face = None,
    upscale: flags.Upscale = None,
    sets: flags.Sets = None,
    editor: flags.Editor = None,
    backbone: flags.Backbone = None,
    encoder: flags.Encoder = None,
    device: flags.Device = None,
    precision: flags.Precision = None,
    memory_budget: flags.Budget = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where to write.", rich_help_panel=flags.OUTPUT)] = Path(
        "strip"
    ),
    side: Annotated[
        int, typer.Option(min=32, max=2048, help="Pixels of each picture in strip.png.", rich_help_panel=flags.OUTPUT)
    ] = 384,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """One person at several ages, or with more and more of another attribute.

    Writes strip.png with all of them in a row, and a picture and a latent of each. strip.json says how they were
    made."""
    attribute, values = _wanted(ages, edit)
    others = parse_edits(fixed or [])
    options = parse_sets(sets or [], ("encoder", "editor", "projector"))
    check_folder(out)
    person = parents.person(person)
    backbone = backbone or parents.backbone_of(person)
    engine = flags.open_engine(backbone, device, precision, memory_budget, options, encoder)
    from kinblend.files import atomic_write, check_target
    from kinblend.imaging.encode import write_picture
    from kinblend.latents import save_latent
    from kinblend.pipeline.strip import make_strip, plan_strip
    from kinblend.settings import load_settings

    mover = engine.editor(load_settings(editor=editor).editor, options["editor"])
    plan_strip(mover, attribute, values, others)
    log("encode …")
    with followed("encode", quiet):
        who = engine.parent(person, face, upscale)
    log(f"edit and render {len(values)} pictures …")
    with engine.pool:
        made = make_strip(engine, who, mover, attribute, values, others)
    pictures = [out / f"{name}.png" for name in made.names]
    latents = [out / f"{name}.safetensors" for name in made.names]
    written = [out / "strip.png", *pictures, *latents]
    for path in (*written, out / "strip.json"):
        check_target(path)
    say_replaced([*written, out / "strip.json"])
    write_picture(out / "strip.png", made.sheet(side))
    for path, picture in zip(pictures, made.pictures, strict=True):
        write_picture(path, picture)
    for path, latent in zip(latents, made.latents, strict=True):
        save_latent(path, latent)
    record = {**made.record, "warnings": list(made.warnings)}
    atomic_write(out / "strip.json", (json.dumps(record, indent=2, sort_keys=True) + "\n").encode())
    warn(made.warnings)
    files = [str(path) for path in (*written, out / "strip.json")]
    emit({**record, "files": files}, as_json=as_json, rows=[[path] for path in files], head=["file"])


def _wanted(ages: str | None, edit: str | None) -> tuple[str, list[str]]:
    """The attribute and its values. Raises `UsageError`."""
    if ages is not None and edit is not None:
        raise UsageError("a strip is of one attribute: give --age or --edit")
    if edit is None:
        words = [word.strip().removesuffix("y") for word in (ages or AGES).split(",") if word.strip()]
        return "age", [f"{word}y" for word in words]
    name, equals, text = edit.partition("=")
    values = [value.strip() for value in text.split(",") if value.strip()]
    if not name or not equals or not values:
        raise UsageError(f"--edit {edit!r}: write an attribute and its values, comma between: smile=-2,0,2")
    return name, values
