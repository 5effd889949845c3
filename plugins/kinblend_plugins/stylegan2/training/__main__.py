"""`python -m kinblend_plugins.stylegan2.training`: the training by itself, where kinblend is not installed."""

from __future__ import annotations

import sys
from dataclasses import MISSING, fields
from inspect import Parameter, Signature
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer
from rich.console import Console

from kinblend.errors import KinblendError
from kinblend_plugins.stylegan2.training import faces
from kinblend_plugins.stylegan2.training.recipe import Recipe

app = typer.Typer(add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False)
app.command("pack")(faces.pack)


def train(out: Path, **values: Any) -> None:
    """Train, or go on from the checkpoint in OUT, and write the model pack there."""
    from kinblend_plugins.stylegan2.training import run

    console = Console(stderr=True, highlight=False, soft_wrap=True)
    run.train(Recipe(**values), out, console.print)
    typer.echo(out)


def _signature() -> Signature:
    hints = get_type_hints(Recipe)
    where = Annotated[Path, typer.Option(help="Folder for the pack; log, sheets and checkpoints below it.")]
    parameters = [Parameter("out", Parameter.KEYWORD_ONLY, annotation=where)]
    for entry in fields(Recipe):
        default = Parameter.empty if entry.default is MISSING else entry.default
        annotation: Any = Annotated[hints[entry.name], typer.Option(help=entry.metadata["help"])]
        parameters.append(Parameter(entry.name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation))
    return Signature(parameters)


train.__signature__ = _signature()  # type: ignore[attr-defined]
app.command("train")(train)


def main() -> None:
    """The command line. Exit codes as kinblend's; 130 after Ctrl-C."""
    try:
        app()
    except KinblendError as error:
        print(f"kinblend: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
