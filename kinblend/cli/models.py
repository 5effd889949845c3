"""`kinblend models`: the model packs on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kinblend.cli.output import put, say
from kinblend.settings import load_settings

if TYPE_CHECKING:
    from kinblend.storage.packs import Pack

app = typer.Typer(help="List, show and verify model packs.", no_args_is_help=True)


@app.command("list")
def list_all(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List packs: installed ones and ones that can be pulled."""
    from kinblend.plugins import load_plugins
    from kinblend.storage.library import installed

    here = installed(load_settings().packs)
    sources = load_plugins().packs
    data = [
        {
            "name": name,
            "installed": name in here or (name in sources and sources[name].folder is not None),
            "summary": sources[name].summary if name in sources else "imported",
        }
        for name in sorted({*here, *sources})
    ]
    rows = [[str(d["name"]), "yes" if d["installed"] else "no", str(d["summary"])] for d in data]
    put(data, as_json=as_json, rows=rows, head=["pack", "installed", "what it is"])


@app.command("show")
def show(name: Annotated[str, typer.Argument(help="A pack's name or folder.")]) -> None:
    """Print a pack's description as JSON."""
    put(dict(_find(name).description), as_json=True)


@app.command("verify")
def verify(name: Annotated[str, typer.Argument(help="A pack's name or folder.")]) -> None:
    """Hash every file of a pack; exit code 4 if one differs."""
    pack = _find(name)
    pack.verify()
    say(f"{pack.name}: {len(pack.files)} files verified")


def _find(name: str) -> Pack:
    from kinblend.plugins import load_plugins
    from kinblend.storage.library import find_pack

    return find_pack(name, load_settings().packs, load_plugins().packs)


@app.command("import")
def import_checkpoint(
    checkpoint: Annotated[Path, typer.Argument(help="A published checkpoint: .pt or .pkl.")],
    name: Annotated[str, typer.Option(help="Name of the pack; default: the file's.")] = "",
    importer: Annotated[str, typer.Option(help="Which importer; default: the first that knows the file.")] = "",
) -> None:
    """Turn a published checkpoint into a model pack. Nothing inside it is executed."""
    from kinblend.plugins import load_plugins
    from kinblend.storage.importing import import_pack

    name = name or checkpoint.stem.replace("_", "-").lower()
    importers = load_plugins()["importer"]
    specs = [importers.get(importer)] if importer else list(importers)
    pack = import_pack(checkpoint, load_settings().packs / name, name, [spec.load() for spec in specs])
    say(f"{pack.name}: {pack.resolution} px, in {pack.folder}")
