"""`kinblend run`: two photographs in, children out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kinblend.cli import flags
from kinblend.cli.age_and_sex import Age, SexOption, describe_default, parse_request
from kinblend.cli.output import check_folder, emit, log
from kinblend.cli.parsing import parse_edits, parse_sets
from kinblend.cli.progress import stages
from kinblend.cli.repeat import read_manifest
from kinblend.errors import SeveralFacesError, UsageError
from kinblend.files import check_target
from kinblend.settings import load_settings


def run(
    father: Annotated[Path | None, typer.Option(help="Photograph of the father.")] = None,
    mother: Annotated[Path | None, typer.Option(help="Photograph of the mother.")] = None,
    again: Annotated[
        Path | None, typer.Option("--from", help="A child.json: the same children again, of the same photographs.")
    ] = None,
    blender: Annotated[str | None, typer.Option(help="Strategy; see `kinblend blenders list`.")] = None,
    sets: flags.Sets = None,
    age: Age = None,
    sex: SexOption = None,
    edit: flags.Edits = None,
    editor: flags.Editor = None,
    neutral: flags.Neutral = True,
    children: Annotated[int, typer.Option(min=1, help="How many children.")] = 1,
    seed: flags.Seed = 0,
    judge: Annotated[
        bool,
        typer.Option(
            "--judge/--no-judge", help="Note which age and sex an independent network sees; takes about a second."
        ),
    ] = True,
    father_face: Annotated[int | None, typer.Option(min=1, help="Which face of the father's photograph.")] = None,
    mother_face: Annotated[int | None, typer.Option(min=1, help="Which face of the mother's photograph.")] = None,
    face: Annotated[int | None, typer.Option(min=1, help="Which face, from the left, of both photographs.")] = None,
    backbone: flags.Backbone = None,
    device: flags.Device = None,
    precision: flags.Precision = None,
    memory_budget: flags.Budget = None,
    out: Annotated[Path, typer.Option(help="Folder for what is written.")] = Path("out"),
    sheet: Annotated[bool, typer.Option("--sheet", help="Also one picture with parents and children.")] = False,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Predict children of two people: eight years old, sex drawn from the seed, unless asked otherwise.

    With --json the manifest is printed."""
    given = parse_sets(sets or [], ("blender", "editor", "encoder", "projector"))
    edits, settings = parse_edits(edit or []), load_settings(blender=blender, editor=editor)
    from kinblend.pipeline.request import ChildRequest
    from kinblend.pipeline.result import files_of

    wanted = parse_request(age, sex, edits)
    fields = {
        "blender": settings.blender,
        "blender_options": given["blender"],
        "projector_options": given["projector"],
        "editor": settings.editor,
        "editor_options": given["editor"],
        "age": wanted.age,
        "sex": wanted.sex,
        "by_default": tuple(sorted(wanted.by_default)),
        "edits": edits,
        "neutral": neutral,
        "seed": seed,
        "children": children,
        "father_face": face if father_face is None else father_face,
        "mother_face": face if mother_face is None else mother_face,
        "judge": judge,
    }
    request = ChildRequest.of({name: value for name, value in fields.items() if value not in (None, {})})
    if again is not None:
        repeated = read_manifest(again, backbone, given)
        request, backbone, given["encoder"] = repeated.request, repeated.backbone, repeated.encoder_options
        repeated.check_photographs(father, mother)
    if father is None or mother is None:
        raise UsageError("give both photographs: --father FILE --mother FILE")
    check_folder(out)
    for path in files_of(out, request.children, with_sheet=sheet):
        check_target(path)
    engine = flags.open_engine(backbone, device, precision, memory_budget, given)
    if again is not None:
        repeated.check_backbone(engine.backbone)
    try:
        with stages(quiet) as on_stage:
            result = engine.run(father, mother, request, reconstruct=sheet, on_stage=on_stage)
    except SeveralFacesError as error:
        raise SeveralFacesError(f"{error}. For one parent alone: --father-face N, --mother-face N") from error
    if line := describe_default(result.manifest["asked"]):
        log(line)
    written = [str(path) for path in result.save(out, with_sheet=sheet)]
    emit(result.manifest | {"files": written}, as_json=as_json, rows=[[path] for path in written], head=["wrote"])
