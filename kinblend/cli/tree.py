"""`kinblend tree`: a family tree in a file, every descendant without a photograph predicted and drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kinblend.cli import flags
from kinblend.cli.output import check_folder, emit, log, say_replaced, warn
from kinblend.cli.parents import backbone_of
from kinblend.cli.parsing import parse_sets
from kinblend.cli.progress import bar
from kinblend.settings import load_settings


def tree(
    family: Annotated[Path, typer.Argument(help="The people, as TOML or JSON; docs/family-tree.md has examples.")],
    blender: flags.Blender = None,
    sets: flags.ChildSets = None,
    seed: flags.ChildSeed = 0,
    siblings: Annotated[float | None, flags.SIBLINGS] = None,
    mutation: Annotated[float | None, flags.MUTATION] = None,
    neutral: flags.Neutral = True,
    editor: flags.Editor = None,
    upscale: Annotated[str | None, typer.Option("--upscale", help=flags.UPSCALE)] = None,
    backbone: flags.Backbone = None,
    encoder: flags.Encoder = None,
    device: flags.Device = None,
    precision: flags.Precision = None,
    memory_budget: flags.Budget = None,
    judge: flags.Judge = False,
    font: Annotated[
        Path | None,
        typer.Option(help="A TrueType or OpenType font. Default: one built in.", rich_help_panel=flags.OUTPUT),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="FOLDER", help="Where to write.", rich_help_panel=flags.OUTPUT)] = Path(
        "tree"
    ),
    side: Annotated[
        int, typer.Option(min=64, max=1024, help="Pixels of each face in tree.png.", rich_help_panel=flags.OUTPUT)
    ] = 240,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """A family tree: whoever has no photograph is predicted, children of predicted parents too, and all are drawn.

    Writes tree.png, tree.json, and a picture, a latent and a manifest of each predicted person. Ended at any moment,
    it goes on when it is called again; who is finished is kept."""
    check_folder(out)
    options = parse_sets(sets or [], ("blender", "editor", "encoder", "projector"))
    from kinblend.family_tree import planned_files, predict_tree, read_tree
    from kinblend.family_tree.draw import check_names, check_size
    from kinblend.pipeline.request import ChildRequest

    read = read_tree(family)
    check_names(list(read.people), read.title, font)
    check_size(list(read.people), read.couples, side)
    settings = load_settings(editor=editor)
    fields = {
        "blender": blender or (None if read.blender else settings.blender),
        "blender_options": options["blender"],
        "projector_options": options["projector"],
        "editor": settings.editor,
        "editor_options": options["editor"],
        "siblings": siblings,
        "mutation": mutation,
        "neutral": neutral,
        "seed": seed,
        "upscaler": upscale,
        "judge": judge,
    }
    request = ChildRequest.of({name: value for name, value in fields.items() if value not in (None, {})})
    backbone = backbone or backbone_of(*read.photos.values())
    engine = flags.open_engine(backbone, device, precision, memory_budget, options, encoder)
    files = planned_files(engine, read, out, request)
    log(f"{len(read.people)} people, {sum(one.predicted for one in read.people.values())} to be predicted")
    with bar("tree", len(read.people), quiet) as show:

        def follow(name: str, done: int, total: int) -> None:
            if done == 0:
                say_replaced([path for path in files if path.suffix == ".png"])
            show(done, name, total)

        predicted = predict_tree(engine, read, out, request, side=side, font=font, progress=follow)
    log(f"made with backbone {engine.backbone.name}: {', '.join(predicted.made) or 'nobody'}")
    if predicted.kept:
        log(f"kept of before: {', '.join(predicted.kept)}")
    warn(predicted.warnings)
    written = [str(path) for path in predicted.files]
    data = {**predicted.record, "made": predicted.made, "kept": predicted.kept, "files": written}
    emit(data, as_json=as_json, rows=[[path] for path in written], head=["file"])
