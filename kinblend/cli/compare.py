"""`kinblend compare`: the child of two people by several strategies, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kinblend.cli import flags, parents
from kinblend.cli.age_and_sex import Age, SexOption, describe_default, parse_request
from kinblend.cli.output import check_folder, emit, log, say_replaced, warn
from kinblend.cli.parsing import parse_edits, parse_names, parse_sets
from kinblend.cli.progress import STAGES, stages
from kinblend.errors import UsageError
from kinblend.settings import load_settings

if TYPE_CHECKING:
    from kinblend.pipeline import Engine
    from kinblend.pipeline.compare import Comparison

PARTS = ("editor", "encoder", "projector")  # whose options all strategies share
OF_PARENTS = ("detect", "encode")  # stages of the first strategy alone


def compare(
    first: parents.First = None,
    second: parents.Second = None,
    father: parents.Father = None,
    mother: parents.Mother = None,
    face: parents.Face = None,
    father_face: parents.FatherFace = None,
    mother_face: parents.MotherFace = None,
    blenders: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,…",
            help="Strategies, comma between. Default: all of `kinblend blenders list` that this backbone can use.",
            rich_help_panel=flags.CHILD,
        ),
    ] = None,
    age: Age = None,
    sex: SexOption = None,
    children: flags.Children = 1,
    edit: flags.Edits = None,
    sets: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="PART.KEY=VALUE",
            help="Of a strategy, by its name, NAME.share=0.3; or of editor, encoder, projector; repeatable.",
            rich_help_panel=flags.CHILD,
        ),
    ] = None,
    seed: flags.ChildSeed = 0,
    neutral: flags.Neutral = True,
    editor: flags.Editor = None,
    upscale: parents.Upscale = None,
    backbone: flags.Backbone = None,
    encoder: flags.Encoder = None,
    device: flags.Device = None,
    precision: flags.Precision = None,
    memory_budget: flags.Budget = None,
    judge: flags.Judge = True,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER", help="Where to write, or the picture: sheet.png.", rich_help_panel=flags.OUTPUT
        ),
    ] = Path("compare"),
    side: Annotated[
        int, typer.Option(min=32, max=2048, help="Pixels of each face in the sheet.", rich_help_panel=flags.OUTPUT)
    ] = 384,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """The child of two people by several strategies, in one picture with their names.

    Also writes what `kinblend run` does, for each strategy in a folder of its own; --json prints the manifests. Of
    several children each strategy has a row."""
    father, mother = parents.who_is_who([path for path in (first, second) if path], father, mother)
    if father is None or mother is None:
        raise UsageError("give both photographs: kinblend compare FATHER MOTHER")
    names = parse_names(blenders, "--blenders") if blenders is not None else None
    from kinblend.pipeline.compare import compare_strategies, compared_files, requests_of, usable_strategies
    from kinblend.pipeline.request import ChildRequest
    from kinblend.pipeline.result import folder_of
    from kinblend.plugins import load_plugins

    options = parse_sets(sets or [], (*(names or [spec.name for spec in load_plugins()["blender"]]), *PARTS))
    edits = parse_edits(edit or [])
    wanted = parse_request(age, sex, edits)
    fields: dict[str, Any] = {
        "projector_options": options["projector"],
        "editor": load_settings(editor=editor).editor,
        "editor_options": options["editor"],
        "age": wanted.age,
        "sex": wanted.sex,
        "by_default": tuple(sorted(wanted.by_default)),
        "edits": edits,
        "neutral": neutral,
        "seed": seed,
        "children": children,
        "father_face": face if father_face is None else father_face,
        "mother_face": face if mother_face is None else mother_face,
        "upscaler": upscale,
        "judge": judge,
    }
    request = ChildRequest.of({name: value for name, value in fields.items() if value not in (None, {})})
    check_folder(folder_of(out))
    backbone = backbone or parents.backbone_of(father, mother)
    engine = flags.open_engine(backbone, device, precision, memory_budget, options, encoder)
    if names is None:
        names, left_out = usable_strategies(engine.backbone)
        for why in left_out:
            log(f"left out: {why}")
        for name in sorted({name for name, given in options.items() if given} - {*names, *PARTS}):
            raise UsageError(
                f"--set {name}.…: {name} is not among the strategies that are compared: {', '.join(names)}"
            )
    requests = requests_of(request, names, options)
    files = compared_files(out, names, children)
    with parents.telling_which_face(), stages(quiet, STAGES + (STAGES - len(OF_PARENTS)) * (len(names) - 1)) as begin:
        begun: list[str] = []

        def on_stage(name: str, stage: str) -> None:
            if not begun:  # from here on nothing is refused as invalid usage
                say_replaced(files)
            begun.append(stage)
            if name == names[0] or stage not in OF_PARENTS:  # who are known by then
                begin(f"{name}: {stage}")

        made = compare_strategies(engine, father, mother, requests, on_stage)
    _report(engine, made)
    written = [str(path) for path in made.save(out, side=side)]
    manifests = {name: result.manifest for name, result in made.results.items()}
    data = {"manifests": manifests, "warnings": made.warnings, "files": written}
    emit(data, as_json=as_json, rows=[[path] for path in written], head=["file"])


def _report(engine: Engine, made: Comparison) -> None:
    """How like its parents each child is, a line for each strategy."""
    manifests = {name: result.manifest for name, result in made.results.items()}
    first = next(iter(manifests.values()))
    log(f"made with backbone {engine.backbone.name}")
    if line := describe_default(first["asked"]):
        log(line)
    warn(made.warnings)
    for name, manifest in manifests.items():
        for number, one in enumerate(manifest["similarity"], 1):
            who = f"{name}, child {number}" if len(manifest["similarity"]) > 1 else name
            log(f"{who}: like father {one['father']:.2f}, like mother {one['mother']:.2f}")
    log(f"(similarity by {first['identity_network']})")
