"""`kinblend partner`: a child and one parent in, the other parent's likely face out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer

from kinblend.cli import flags, parents
from kinblend.cli.output import check_folder, emit, log, say_replaced, warn
from kinblend.cli.parsing import parse_sets
from kinblend.cli.progress import followed

WHO = "A photograph, a latent, or the child.json of an earlier run."


def partner(
    child: Annotated[Path, typer.Argument(help=f"The child. {WHO}")],
    parent: Annotated[Path, typer.Argument(help="The parent who is known, likewise.")],
    age: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=80.0,
            metavar="YEARS",
            help="Of the other parent. Default: 35.",
            rich_help_panel=flags.CHILD,
        ),
    ] = None,
    sex: Annotated[
        Literal["female", "male"] | None,
        typer.Option(
            help="Of the other parent. Default: the other one than the parent seems to have.",
            rich_help_panel=flags.CHILD,
        ),
    ] = None,
    inverse: Annotated[
        float,
        typer.Option(
            min=0.0,
            max=1.0,
            metavar="X",
            help="How far from the known parent, beyond the child, 0 to 1; 1: as if the child were their average.",
            rich_help_panel=flags.CHILD,
        ),
    ] = 0.0,
    child_face: Annotated[int | None, typer.Option(min=1, help="Which face of the child's photograph.")] = None,
    parent_face: Annotated[int | None, typer.Option(min=1, help="Which face of the parent's photograph.")] = None,
    upscale: flags.Upscale = None,
    seed: flags.Seed = 0,
    sets: flags.Sets = None,
    editor: flags.Editor = None,
    backbone: flags.Backbone = None,
    encoder: flags.Encoder = None,
    device: flags.Device = None,
    precision: flags.Precision = None,
    memory_budget: flags.Budget = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where to write.", rich_help_panel=flags.OUTPUT)] = Path(
        "partner"
    ),
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """The other parent's likely face, of a child and one parent. It is play: nobody can be found by it.

    Writes partner.png, partner.safetensors, and partner.json, which says how they were made."""
    options = parse_sets(sets or [], ("encoder", "editor", "projector"))
    check_folder(out)
    people = [parents.person(path) for path in (child, parent)]
    backbone = backbone or parents.backbone_of(*people)
    engine = flags.open_engine(backbone, device, precision, memory_budget, options, encoder)
    from kinblend.files import atomic_write, check_target
    from kinblend.imaging.encode import write_picture
    from kinblend.latents import save_latent
    from kinblend.pipeline.partner import plan_partner, predict_partner
    from kinblend.settings import load_settings

    mover = engine.editor(load_settings(editor=editor).editor, options["editor"])
    plan_partner(mover, age, sex, inverse)
    picture, latent, record_file = (out / f"partner{suffix}" for suffix in (".png", ".safetensors", ".json"))
    for path in (picture, latent, record_file):
        check_target(path)
    log("encode …")
    known = []
    for path, face in zip(people, (child_face, parent_face), strict=True):
        with followed("encode", quiet):
            known.append(engine.parent(path, face, upscale))
    log("predict and render …")
    with engine.pool:
        made = predict_partner(engine, known[0], known[1], mover, age=age, sex=sex, inverse=inverse, seed=seed)
    say_replaced([picture, latent, record_file])
    write_picture(picture, made.picture)
    save_latent(latent, made.latent)
    record = {**made.record, "warnings": list(made.warnings)}
    atomic_write(record_file, (json.dumps(record, indent=2, sort_keys=True) + "\n").encode())
    years = None if made.age is None else f"{made.age:g} years"
    log(", ".join(filter(None, ["the other parent", made.sex, years])))
    warn(made.warnings)
    files = [str(path) for path in (picture, latent, record_file)]
    emit({**record, "files": files}, as_json=as_json, rows=[[path] for path in files], head=["file"])
