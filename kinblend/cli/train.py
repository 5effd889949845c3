"""`kinblend train`: trainers that plugins bring."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from kinblend.cli.output import say
from kinblend.cli.words import read_value
from kinblend.errors import UsageError
from kinblend.settings import load_settings

app = typer.Typer(help="Train backbones and blenders.", no_args_is_help=True)


@app.command("backbone", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def backbone(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A trainer; `kinblend trainers list`.")],
    out: Annotated[Path | None, typer.Option(help="The pack's folder; default: among the installed packs.")] = None,
) -> None:
    """Train a backbone and write its model pack. The trainer's options are flags: --faces FILE, say; see
    `kinblend trainers show NAME`."""
    from kinblend.plugins import load_plugins
    from kinblend.storage.packs import open_pack

    spec = load_plugins()["trainer"].get(name)
    options = spec.parse_options(flags_to_options(context.args))
    folder = out or load_settings().packs / name
    spec.load()(options, folder, say)
    pack = open_pack(folder)
    pack.verify()
    say(f"use it with --backbone {pack.name if out is None else folder.resolve()}")
    typer.echo(folder)


@app.command("blender", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def blender(
    context: typer.Context,
    name: Annotated[str, typer.Option(help="A trainer; `kinblend trainers list`.")] = "learned",
    out: Annotated[Path, typer.Option(help="File for the weights.")] = Path("blender.safetensors"),
) -> None:
    """Train a blender's weights. The trainer's options are flags: --trios FILE, say; see
    `kinblend trainers show learned`. Interrupted, it goes on from its checkpoint."""
    from kinblend.plugins import load_plugins

    spec = load_plugins()["trainer"].get(name)
    spec.load()(spec.parse_options(flags_to_options(context.args)), out, say)
    say(f"use it with --blender {name} --set blender.weights={out}")
    typer.echo(out)


def flags_to_options(words: Sequence[str]) -> dict[str, Any]:
    """`["--faces", "f.zip", "--workers=4"]` → `{"faces": "f.zip", "workers": 4}`. Raises `UsageError`."""
    options: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        flag, equals, text = word.partition("=")
        if not flag.startswith("--") or len(flag) < 3:
            raise UsageError(f"{word!r}: write --option value")
        if not equals:
            if not rest or rest[0].startswith("--"):
                raise UsageError(f"{flag} needs a value")
            text = rest.pop(0)
        options[flag[2:].replace("-", "_")] = read_value(text)
    return options
