"""`kinblend morph`: one face becomes another, as a moving picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from kinblend.cli import flags
from kinblend.cli.output import check_file, emit, log, say_replaced, warn
from kinblend.cli.parents import backbone_of, person
from kinblend.cli.parsing import parse_sets
from kinblend.cli.progress import bar, followed

WHO = "A photograph, a latent, or the child.json of an earlier run."


def morph(
    first: Annotated[Path, typer.Argument(help=WHO)],
    second: Annotated[Path, typer.Argument(help=WHO)],
    through: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Somebody between the two, such as their child.json.")
    ] = None,
    frames: Annotated[int, typer.Option(min=2, max=300, help="Pictures from the first to the last.")] = 25,
    seconds: Annotated[
        float, typer.Option(min=0.2, max=60.0, help="From the first to the last, beside the rests at each.")
    ] = 3.0,
    rest: Annotated[float, typer.Option(min=0.0, max=10.0, help="Seconds that each person is shown.")] = 0.8,
    back: Annotated[bool, typer.Option("--back/--one-way", help="Play back to the first.")] = True,
    face: flags.Face = None,
    upscale: flags.Upscale = None,
    seed: flags.Seed = 0,
    sets: flags.Sets = None,
    backbone: flags.Backbone = None,
    encoder: flags.Encoder = None,
    device: flags.Device = None,
    precision: flags.Precision = None,
    memory_budget: flags.Budget = None,
    out: Annotated[
        Path, typer.Option(help="A .webp, .gif or .mp4 file; .mp4 needs ffmpeg.", rich_help_panel=flags.OUTPUT)
    ] = Path("morph.webp"),
    side: Annotated[int, typer.Option(min=32, max=1024, help="Pixels each way.", rich_help_panel=flags.OUTPUT)] = 512,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """One face becomes another, through the latents between them, as a moving picture.

    Everyone is shown as the backbone draws them. A record of how it was made lies beside it: morph.webp.json."""
    from kinblend.imaging.video import check_video_name, write_video

    check_video_name(out)
    check_file(out)
    people = [person(path) for path in (first, through, second) if path]
    record_file = out.with_name(f"{out.name}.json")
    check_file(record_file)
    options = parse_sets(sets or [], ("encoder", "projector"))
    from kinblend.files import atomic_write
    from kinblend.pipeline.morph import make_morph, stops

    stops(frames, len(people))
    backbone = backbone or backbone_of(*people)
    engine = flags.open_engine(backbone, device, precision, memory_budget, options, encoder)
    log("encode …")
    known = []
    for path in people:
        with followed("encode", quiet):
            known.append(engine.parent(path, face, upscale))
    warn(f"{path}: {line}" for path, one in zip(people, known, strict=True) for line in one.warnings)
    with bar("morph", frames, quiet) as show:
        made = make_morph(engine, known, frames, side=side, seed=seed, progress=lambda done, total: show(done))
    moving, resting = round(1000 * seconds / (frames - 1)), round(1000 * rest)
    shown, milliseconds = made.played(moving, max(moving, resting), back=back)
    say_replaced([out, record_file])
    log(f"write {out} …")
    write_video(out, shown, milliseconds)
    record = {**made.record, "milliseconds": {"moving": moving, "resting": max(moving, resting)}, "back": back}
    atomic_write(record_file, (json.dumps(record, indent=2, sort_keys=True) + "\n").encode())
    files = [str(out), str(record_file)]
    emit({**record, "files": files}, as_json=as_json, rows=[[path] for path in files], head=["file"])
