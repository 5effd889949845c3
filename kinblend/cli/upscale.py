"""`kinblend upscale`: a small face, larger."""

from __future__ import annotations

from typing import Annotated

import typer

from kinblend.cli import flags
from kinblend.cli.completion import names
from kinblend.cli.output import check_file, emit_paths, log, warn
from kinblend.cli.steps import Out, Picture


def upscale(
    picture: Picture,
    out: Out = None,
    upscaler: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="One of `kinblend upscalers list`. Default: the one that plugins prefer.",
            autocompletion=names("upscaler"),
        ),
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Instead: the face by every upscaler, side by side in one picture.")
    ] = False,
    face: flags.Face = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Enlarge the face in a small photograph, with what is around it. `--upscale` of other commands does it for
    them."""
    from kinblend.errors import UsageError
    from kinblend.imaging import read_image
    from kinblend.imaging.encode import check_picture_name, says_synthetic, write_picture
    from kinblend.pipeline.upscaled import upscale_face
    from kinblend.plugins import load_plugins
    from kinblend.settings import load_settings

    if compare and upscaler is not None:
        raise UsageError("--compare shows all upscalers; leave out --upscaler")
    path = flags.default_out(picture, ".upscaled.png", out)
    check_picture_name(path)
    check_file(path)
    wanted = load_settings(upscaler=upscaler).upscaler
    chosen = None if compare else [wanted or load_plugins()["upscaler"].default().name]
    made = upscale_face(read_image(picture), chosen, face=face, name=str(picture))
    larger = made.sheet() if compare else next(iter(made.pictures.values()))
    write_picture(path, larger, synthetic=says_synthetic(picture))
    warn(f"{name} is left out: {reason}" for name, reason in made.unavailable.items())
    log(f"a face of {made.size:.0f} px, by {', '.join(made.pictures)}")
    emit_paths([path], as_json, face=round(made.size, 1), upscalers=list(made.pictures))
