"""`kinblend families`: from pictures of families to what a blender is trained on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from kinblend.cli import flags
from kinblend.cli.output import check_file, say, wrote
from kinblend.cli.progress import bar
from kinblend.settings import load_settings

app = typer.Typer(help="Prepare pictures of families.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Prepare pictures of families."""


@app.command("encode")
def encode(
    trios: Annotated[Path, typer.Argument(help="CSV with the columns family, father, mother, child.")],
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("trios.safetensors"),
    backbone: flags.Backbone = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Pictures of trios → codes and embeddings in one file. Interrupted, it goes on where it stopped."""
    from kinblend.families.encode import encode_trios
    from kinblend.families.trios import read_trio_list, save_trios

    check_file(out)
    settings = load_settings(backbone=backbone)
    listed = read_trio_list(trios)
    with bar("encode", None, quiet) as show:
        encoded, lost = encode_trios(
            listed, settings.backbone, settings.home / "families", workers, lambda done, of: show(done, total=of)
        )
    save_trios(out, encoded)
    report = out.with_suffix(".lost.csv")
    report.write_text("".join(f'"{one.picture}","{one.reason}"\n' for one in lost), "utf-8")
    say(f"{len(encoded)} of {len(listed)} trios; {len(lost)} pictures were lost, see {report}")
    wrote([out], as_json)
