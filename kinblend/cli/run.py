"""`kinblend run`: two photographs in, children out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import typer

from kinblend.cli import flags, parents
from kinblend.cli.age_and_sex import Age, SexOption, describe_default, parse_request
from kinblend.cli.output import check_folder, emit, log, warn
from kinblend.cli.parsing import parse_edits, parse_sets
from kinblend.cli.parts import From, choose_parts, read_from
from kinblend.cli.progress import stages
from kinblend.cli.repeat import read_manifest
from kinblend.errors import UsageError
from kinblend.face_interfaces import SimilarityScale
from kinblend.files import check_target
from kinblend.settings import load_settings


def run(
    first: parents.First = None,
    second: parents.Second = None,
    father: parents.Father = None,
    mother: parents.Mother = None,
    face: parents.Face = None,
    father_face: parents.FatherFace = None,
    mother_face: parents.MotherFace = None,
    source: From = None,
    age: Age = None,
    sex: SexOption = None,
    children: flags.Children = 1,
    siblings: flags.Siblings = 0.0,
    mutation: flags.Mutation = 0.0,
    blender: flags.Blender = None,
    edit: flags.Edits = None,
    sets: flags.ChildSets = None,
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
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where to write, or a picture: anna.jpg. Default: out.",
            rich_help_panel=flags.OUTPUT,
        ),
    ] = None,
    sheet: Annotated[
        bool,
        typer.Option("--sheet", help="Also one picture with parents and children.", rich_help_panel=flags.OUTPUT),
    ] = False,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Predict children of two people: eight years old, sex drawn from the seed, unless asked otherwise.

    Writes child.png, child.safetensors and child.json, which --json prints."""
    father, mother = parents.who_is_who([path for path in (first, second) if path], father, mother)
    given = parse_sets(sets or [], ("blender", "editor", "encoder", "projector"))
    edits, settings = parse_edits(edit or []), load_settings(blender=blender, editor=editor)
    again, parts = read_from(source or [])
    chosen = settings.blender
    if parts:
        chosen, given["blender"] = choose_parts(parts, blender, settings.blender, given["blender"])
    from kinblend.pipeline.request import ChildRequest
    from kinblend.pipeline.result import files_of, folder_of, stale_files

    wanted = parse_request(age, sex, edits)
    fields = {
        "blender": chosen,
        "blender_options": given["blender"],
        "projector_options": given["projector"],
        "editor": settings.editor,
        "editor_options": given["editor"],
        "age": wanted.age,
        "sex": wanted.sex,
        "by_default": tuple(sorted(wanted.by_default)),
        "edits": edits,
        "neutral": neutral,
        "siblings": siblings or None,
        "mutation": mutation or None,
        "seed": seed,
        "children": children,
        "father_face": face if father_face is None else father_face,
        "mother_face": face if mother_face is None else mother_face,
        "upscaler": upscale,
        "judge": judge,
    }
    request = ChildRequest.of({name: value for name, value in fields.items() if value not in (None, {})})
    if again is not None:
        repeated = read_manifest(again, backbone, given)
        request, backbone, given["encoder"] = repeated.request, repeated.backbone, repeated.encoder_options
        encoder = repeated.chosen_encoder(encoder)
        repeated.check_photographs(father, mother)
    if father is None or mother is None:
        raise UsageError("give both photographs: kinblend run FATHER MOTHER")
    out = out or _default_out(again, father, mother)
    check_folder(folder_of(out))
    files = files_of(out, request.children, with_sheet=sheet)
    for path in (*files, *stale_files(out, files)):
        check_target(path)
    replaced = any(path.exists() for path in files)
    backbone = backbone or parents.backbone_of(father, mother)
    engine = flags.open_engine(backbone, device, precision, memory_budget, given, encoder)
    if again is not None:
        repeated.check_backbone(engine.backbone)
    with parents.telling_which_face(), stages(quiet) as begin:

        def on_stage(stage: str) -> None:
            if replaced and stage == "detect":  # from here on nothing is refused as invalid usage
                log(f"note: the children of an earlier run in {out} will be replaced; --out names another folder")
            begin(stage)

        result = engine.run(father, mother, request, on_stage=on_stage)
    log(f"made with backbone {engine.backbone.name}, strategy {result.manifest['blender']['name']}")
    if line := describe_default(result.manifest["asked"]):
        log(line)
    warn(result.warnings)
    for line in _similarity(result.manifest):
        log(line)
    written = [str(path) for path in result.save(out, with_sheet=sheet)]
    emit(result.manifest | {"files": written}, as_json=as_json, rows=[[path] for path in written], head=["file"])


def _default_out(*inputs: Path | None) -> Path:
    """`out`; where one of the inputs lies there, such as children of before, the next folder that is free."""
    out = Path("out")
    if out.resolve() not in {path.parent.resolve() for path in inputs if path is not None}:
        return out
    return next(folder for number in count(2) if not (folder := Path(f"out-{number}")).exists())


def _similarity(manifest: Mapping[str, Any]) -> Iterator[str]:
    """How like its parents each child is, and what such figures mean."""
    several = len(manifest["similarity"]) > 1
    for number, one in enumerate(manifest["similarity"], 1):
        who = f"child {number}: " if several else ""
        yield f"{who}like father {one['father']:.2f}, like mother {one['mother']:.2f}"
    scale = manifest["similarity_scale"]
    means = f"; usual are: {SimilarityScale(**scale)}" if scale else ""
    yield f"(similarity by {manifest['identity_network']}{means})"
