"""`kinblend prepare`: photographs of families → clean, aligned crops and their latents."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kinblend.cli import flags
from kinblend.cli.families import Format, Source
from kinblend.cli.output import emit, log
from kinblend.cli.progress import bar
from kinblend.settings import load_settings

if TYPE_CHECKING:
    from kinblend.families.prepare import Prepared


def prepare(
    path: Source,
    out: Annotated[Path, typer.Option(help="Folder to write: a new one, or its own.")] = Path("prepared"),
    format: Format = None,
    size: Annotated[list[int] | None, typer.Option(help="Side of the crops: 256, 512, 1024; repeatable.")] = None,
    upscale: Annotated[
        str | None,
        typer.Option(help="For small faces: one of `kinblend upscalers list`, or off. Default: what plugins prefer."),
    ] = None,
    upscale_under: Annotated[int, typer.Option(min=0, help="Pixels of a small face.")] = 128,
    min_face_px: Annotated[
        float, typer.Option(min=1, help="Faces of a lower effective resolution are rejected.")
    ] = 24,
    max_yaw: Annotated[float, typer.Option(min=0, max=90, help="Degrees a head may be turned.")] = 40,
    backbone: flags.Backbone = None,
    only_trios: Annotated[
        bool, typer.Option("--only-trios", help="Leave out who is in no trio with pictures of all three.")
    ] = False,
    latents: Annotated[bool, typer.Option("--latents/--no-latents", help="Encode the crops.")] = True,
    workers: flags.Workers = None,
    ray: flags.Ray = None,
    gpus_each: flags.GpusEach = 0.0,
    cache: Annotated[Path | None, typer.Option(help="What is done already; default: in KINBLEND_HOME.")] = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Find, judge, enlarge, align and encode all pictures of a kinship set. If interrupted, it resumes.

    Pictures that can't be used are listed in rejected.csv and shown on contact sheets; that is not a failure.
    Exit code 3: none could be used."""
    from kinblend.backbone import choose_backbone
    from kinblend.families.left import only_valid_trios
    from kinblend.families.prepare import PrepareOptions, prepare
    from kinblend.families.readers import read_families
    from kinblend.plugins import load_plugins

    home = load_settings().home
    options = PrepareOptions(
        sizes=tuple(sorted(set(size or [256]))),
        upscaler=upscale or load_plugins()["upscaler"].default().name,
        upscale_under=upscale_under,
        min_face_px=min_face_px,
        max_yaw=max_yaw,
        backbone=str(choose_backbone(backbone)) if latents else None,
    )
    name, found = read_families(path, format)
    for defect in found.defects:
        log(str(defect))
    if only_trios:
        found = only_valid_trios(found)
    if options.upscaler != "off":
        log(f"small faces are enlarged by {options.upscaler}, which takes long; --upscale off leaves it out")
    with flags.open_workers(ray, gpus_each, workers) as crew, bar("prepare", None, quiet) as show:
        folder = cache or home / "prepare"
        done = prepare(found, out, options, folder, crew, lambda count, of: show(count, total=of))
    log(f"{name}: {len(done.kept)} pictures kept, {len(done.rejected)} rejected, {len(found.defects)} defects")
    _report(out, done, as_json)


def _report(out: Path, done: Prepared, as_json: bool) -> None:
    rows = [[stage, kind, str(count)] for (stage, kind), count in done.rejections().items()]
    speed = {stage: round(done.pictures[stage] / seconds, 2) for stage, seconds in done.seconds.items() if seconds}
    for stage, rate in speed.items():
        log(f"{stage}: {done.pictures[stage]} pictures anew, {rate} a second and process")
    rejected = [{"stage": stage, "kind": kind, "count": count} for (stage, kind), count in done.rejections().items()]
    data = {
        "out": str(out),
        "kept": len(done.kept),
        "rejected": rejected,
        "anew": dict(done.pictures),
        "per_second": speed,
    }
    emit(
        data,
        as_json=as_json,
        rows=[*rows, ["", "kept", str(len(done.kept))]],
        head=["stage", "rejected because", "pictures"],
    )
