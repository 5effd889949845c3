"""`kinblend evaluate encoders`: which encoder for which purpose?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kinblend.cli import flags
from kinblend.cli.completion import packs
from kinblend.cli.output import check_folder, emit, log
from kinblend.cli.parsing import parse_edits, read_value
from kinblend.cli.progress import stages
from kinblend.errors import FaceError, InputError, KinblendError, OptionError, UsageError

if TYPE_CHECKING:
    from PIL.Image import Image

CROP = 512  # px of the faces that are cut out of photographs


def encoders(
    photos: Annotated[
        list[Path], typer.Argument(metavar="PHOTOS", help="Photographs of different people; folders and zips, too.")
    ],
    aligned: flags.Aligned = False,
    backbone: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A model pack, by name or folder; repeatable. Default: all that are here.",
            rich_help_panel=flags.MACHINE,
            autocompletion=packs,
        ),
    ] = None,
    encoder: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:KEY=VALUE,…]",
            help="One of `kinblend encoders list`, with options; repeatable. Default: each pack's own, and variants.",
        ),
    ] = None,
    edit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=STRENGTH",
            help="An edit that is made and undone; repeatable. Default: age=2, where an editor knows it.",
        ),
    ] = None,
    edits: Annotated[bool, typer.Option(help="Measure edits, too, which takes longest.")] = True,
    identity: Annotated[
        list[str] | None,
        typer.Option(
            help="A judge, one of `kinblend identity-networks list`; repeatable. Default: two that can be loaded."
        ),
    ] = None,
    analyser: Annotated[
        list[str] | None,
        typer.Option(
            help="Says how far an edit moved what it names; repeatable. Default: all that are used by default."
        ),
    ] = None,
    people: Annotated[int | None, typer.Option(min=2, help="So many of the photographs at most.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for tables and picture.")] = Path("encoders"),
    device: flags.Device = None,
    precision: flags.Precision = None,
    memory_budget: flags.Budget = None,
    workers: flags.TimedWorkers = None,
    ray: flags.Ray = None,
    gpus_each: flags.GpusEach = 0.0,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Encoders side by side: reconstruction, editability, seconds and memory, on photographs of people."""
    check_folder(out)
    flags.check_workers(ray, gpus_each, workers)
    wanted = [_encoder(word) for word in encoder or []]
    if edit and not edits:
        raise UsageError("--edit names edits, and --no-edits measures none; leave one of them out")
    from kinblend.evaluation import encoders as work
    from kinblend.evaluation.encoder_memory import peak_memory
    from kinblend.evaluation.encoder_report import figure_rows, head_of, report_of, write_encoders
    from kinblend.evaluation.readings import ask_analyser, usable_analysers

    candidates = work.find_candidates(backbone or (), wanted)
    names, faces = _faces(photos, aligned, people)
    who = work.People.of(names, faces, identity or ())
    machine, analysers = (device, precision, memory_budget), analyser or usable_analysers()
    for name in analysers:
        ask_analyser(name, faces[:1])  # one that lacks something says so now
    chosen = work.edits_of(candidates, parse_edits(edit or []) if edits else None, *machine)
    outcomes, memory = [], []
    with flags.open_workers(ray, gpus_each, workers, 1) as crew, stages(quiet, len(candidates)) as begin:
        for candidate in candidates:
            try:
                engine = candidate.open(*machine)
                with engine.pool:
                    edits_here = chosen[candidate.backbone]
                    outcomes.append(work.measure(candidate, engine, who, edits_here, analysers, begin, workers=crew))
            except KinblendError as error:
                log(f"left out {candidate.title}: {error}")
                continue
            memory.append(peak_memory(candidate, faces[0], *machine))
    if not outcomes:
        raise UsageError("no encoder is left to measure; `kinblend models list` shows packs, and where to get more")
    for path in write_encoders(out, outcomes, who, memory):
        log(f"wrote {path}")
    emit(
        report_of(outcomes, who, memory),
        as_json=as_json,
        rows=figure_rows(outcomes, memory),
        head=head_of(outcomes),
    )


def _encoder(word: str) -> tuple[str, dict[str, Any], str]:
    """`"mine:steps=3,fast=true"` → `("mine", {"steps": 3, "fast": True}, the word itself)`. Raises `OptionError`."""
    name, _, rest = word.partition(":")
    options = {}
    for part in filter(None, rest.split(",")):
        key, equals, text = part.partition("=")
        if not equals or not key:
            raise OptionError(f"--encoder {word!r}: write --encoder NAME:KEY=VALUE")
        options[key] = read_value(text)
    return name, options, word


def _faces(photos: Sequence[Path], aligned: bool, most: int | None) -> tuple[list[str], list[Image]]:
    """Names and faces of the photographs that have one. Raises `InputError` where they are fewer than two."""
    from kinblend.evaluation.face_dataset import photographs
    from kinblend.faces import cut_face

    names: list[str] = []
    faces: list[Image] = []
    for name, picture in photographs(photos):
        if most is not None and len(faces) == most:
            break
        try:
            faces.append(picture if aligned else cut_face(picture, CROP, name=name).face.image)
            names.append(name)
        except FaceError as error:
            log(f"left out: {error}")
    if len(faces) < 2:
        raise InputError(f"faces of {len(faces)} people were found in the photographs; at least 2 are needed")
    return names, faces
