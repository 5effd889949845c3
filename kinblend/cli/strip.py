"""`kinblend strip`: one person at several ages, or several values of another attribute."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kinblend.cli import flags, parents
from kinblend.cli.output import check_file, check_folder, emit, log, say_replaced, warn
from kinblend.cli.parsing import parse_edits, parse_sets
from kinblend.cli.progress import bar, followed
from kinblend.errors import UsageError

if TYPE_CHECKING:
    from kinblend.interfaces import Editor
    from kinblend.pipeline import Engine
    from kinblend.pipeline.result import Parent

AGES = "4,8,16,30,50,70"
MOVING = "A moving picture"  # a panel of the help
SIDE, MOVING_SIDE = 384, 512
STILL = (".png", ".jpg", ".jpeg")  # names of a row alone


@dataclass(frozen=True)
class Wanted:
    """What a strip is of. values: of the attribute; others: edits that all pictures have."""

    attribute: str
    values: Sequence[str]
    others: Mapping[str, str]


@dataclass(frozen=True)
class Played:
    """How a strip is shown as a moving picture. seconds: from the first value to the last; rest: at each."""

    frames: int = 49
    seconds: float = 4.0
    rest: float = 0.6
    back: bool = True
    captions: bool = True


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
    frames: Annotated[
        int | None,
        typer.Option(
            min=2, max=300, help=f"Pictures from first to last. Default: {Played.frames}.", rich_help_panel=MOVING
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=0.2,
            max=60.0,
            help=f"From first to last, beside the rests. Default: {Played.seconds:g}.",
            rich_help_panel=MOVING,
        ),
    ] = None,
    rest: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=10.0,
            help=f"Seconds that each value is shown. Default: {Played.rest:g}.",
            rich_help_panel=MOVING,
        ),
    ] = None,
    back: Annotated[
        bool | None,
        typer.Option("--back/--one-way", help="Play back to the first, the default.", rich_help_panel=MOVING),
    ] = None,
    captions: Annotated[
        bool | None,
        typer.Option("--captions/--no-captions", help="Write age or value below.", rich_help_panel=MOVING),
    ] = None,
    out: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER",
            help="Where to write; or the row alone, ages.png or .jpg; or a moving picture: ages.webp, .gif or, where "
            "there is ffmpeg, .mp4.",
            rich_help_panel=flags.OUTPUT,
        ),
    ] = Path("strip"),
    side: Annotated[
        int | None,
        typer.Option(
            min=32,
            max=2048,
            help=f"Pixels of each picture. Default: {SIDE}, of a moving one {MOVING_SIDE}.",
            rich_help_panel=flags.OUTPUT,
        ),
    ] = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """One person at several ages, or with more and more of another attribute.

    Writes strip.png with all of them in a row, and a picture and a latent of each. strip.json says how they were
    made. With --out ages.png the row alone, with --out ages.webp one moving picture, and how it was made in a .json
    beside it."""
    from kinblend.imaging.video import KINDS, check_video_name

    given = {"frames": frames, "seconds": seconds, "rest": rest, "back": back, "captions": captions}
    wished: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    played, moving = Played(**wished), out.suffix.lower() in KINDS and not out.is_dir()
    if wished and not moving:
        raise UsageError(f"{next(iter(wished))} is of a moving picture: name one by --out ages.webp, .gif or .mp4")
    still = out.suffix.lower() in STILL and not out.is_dir()
    wanted = Wanted(*_wanted(ages, edit), parse_edits(fixed or []))
    options = parse_sets(sets or [], ("encoder", "editor", "projector"))
    if moving:
        check_video_name(out)
    if moving or still:
        check_file(out)
        check_file(_record_of(out))
    else:
        check_folder(out)
    person = parents.person(person)
    backbone = backbone or parents.backbone_of(person)
    engine = flags.open_engine(backbone, device, precision, memory_budget, options, encoder)
    from kinblend.pipeline.moving_strip import plan_frames
    from kinblend.pipeline.strip import plan_strip, strip_warnings
    from kinblend.settings import load_settings

    mover = engine.editor(load_settings(editor=editor).editor, options["editor"])
    values = plan_strip(mover, wanted.attribute, wanted.values, wanted.others)
    if moving:
        plan_frames(played.frames, values)
    log("encode …")
    with followed("encode", quiet):
        who = engine.parent(person, face, upscale)
    if moving:
        found, record = _write_moving(engine, who, mover, wanted, out, side or MOVING_SIDE, quiet, played)
    else:
        found, record = _write_strip(engine, who, mover, wanted, out, side or SIDE, row_alone=still)
    warnings = strip_warnings(who, mover, wanted.attribute, values, wanted.others)
    warn(warnings)
    files = [str(path) for path in found]
    data = {**record, "warnings": warnings, "files": files}
    emit(data, as_json=as_json, rows=[[path] for path in files], head=["file"])


def _write_strip(
    engine: Engine, who: Parent, mover: Editor, wanted: Wanted, out: Path, side: int, *, row_alone: bool
) -> tuple[list[Path], dict[str, Any]]:
    """The row, a picture and a latent of each, and the record; what was written, and the record.

    row_alone: `out` is the row's picture, not a folder."""
    from kinblend.files import atomic_write, check_target
    from kinblend.imaging.encode import write_picture
    from kinblend.latents import save_latent
    from kinblend.pipeline.strip import make_strip

    log(f"edit and render {len(wanted.values)} pictures …")
    with engine.pool:
        made = make_strip(engine, who, mover, wanted.attribute, wanted.values, wanted.others)
    row, note = (out, _record_of(out)) if row_alone else (out / "strip.png", out / "strip.json")
    names = [] if row_alone else made.names
    pictures = [out / f"{name}.png" for name in names]
    latents = [out / f"{name}.safetensors" for name in names]
    written = [row, *pictures, *latents, note]
    for path in written:
        check_target(path)
    say_replaced(written)
    write_picture(row, made.sheet(side))
    for path, picture, latent in zip(pictures, made.pictures, made.latents, strict=False):
        write_picture(path, picture)
        save_latent(path.with_suffix(".safetensors"), latent)
    record = {**made.record, "warnings": list(made.warnings)}
    atomic_write(note, (json.dumps(record, indent=2, sort_keys=True) + "\n").encode())
    return written, record


def _write_moving(
    engine: Engine,
    who: Parent,
    mover: Editor,
    wanted: Wanted,
    out: Path,
    side: int,
    quiet: bool,
    played: Played,
) -> tuple[list[Path], dict[str, Any]]:
    """The moving picture and the record beside it; what was written, and the record."""
    from kinblend.files import atomic_write
    from kinblend.imaging.video import write_video
    from kinblend.pipeline.moving_strip import make_moving_strip

    with bar("strip", played.frames, quiet) as show:
        made = make_moving_strip(
            engine,
            who,
            mover,
            wanted.attribute,
            wanted.values,
            wanted.others,
            played.frames,
            side=side,
            captions=played.captions,
            progress=lambda done, total: show(done),
        )
    each, resting = round(1000 * played.seconds / (played.frames - 1)), round(1000 * played.rest)
    shown, milliseconds = made.played(each, max(each, resting), back=played.back)
    written = [out, _record_of(out)]
    say_replaced(written)
    log(f"write {out} …")
    write_video(out, shown, milliseconds)
    record = {**made.record, "milliseconds": {"moving": each, "resting": max(each, resting)}, "back": played.back}
    atomic_write(_record_of(out), (json.dumps(record, indent=2, sort_keys=True) + "\n").encode())
    return written, record


def _record_of(out: Path) -> Path:
    return out.with_name(f"{out.name}.json")


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
