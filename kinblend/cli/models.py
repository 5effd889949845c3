"""`kinblend models`: the model packs on this machine."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kinblend.cli import flags
from kinblend.cli.output import put, say
from kinblend.cli.progress import bar
from kinblend.errors import OfflineError
from kinblend.settings import load_settings

if TYPE_CHECKING:
    from kinblend.storage.packs import Pack

app = typer.Typer(help="List, pull, import, show and verify model packs.", no_args_is_help=True)


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


@app.command("pull")
def pull(
    name: Annotated[str, typer.Argument(help="A pack that `kinblend models list` shows.")],
    quiet: flags.Quiet = False,
) -> None:
    """Download a pack's checkpoint, check its SHA-256 and import it. Interrupted, it goes on where it stopped."""
    from kinblend.plugins import load_plugins
    from kinblend.storage.download import fetch
    from kinblend.storage.importing import import_pack
    from kinblend.storage.library import find_download, installed

    settings, plugins = load_settings(), load_plugins()
    source, importer = find_download(name, plugins.packs)
    if name in installed(settings.packs):
        say(f"{name} is installed already")
        return
    if settings.offline:
        raise OfflineError(f"pack '{name}' must be downloaded, and KINBLEND_OFFLINE forbids the network")
    folder = settings.home / "downloads" / name
    for file in source.downloads:
        with bar(file.filename, None, quiet, in_bytes=True) as show:
            fetch(file, folder, lambda done, total, show=show: show(done, total=total))  # type: ignore[misc]
    checkpoint = folder / source.downloads[0].filename
    if not quiet:
        say(f"importing {checkpoint.name} …")
    pack = import_pack(checkpoint, settings.packs / name, name, [plugins["importer"].get(importer).load()])
    shutil.rmtree(folder)
    if not any(folder.parent.iterdir()):
        folder.parent.rmdir()
    say(f"{pack.name}: {pack.resolution} px, in {pack.folder}")
    if source.licence:
        say(f"licence: {source.licence}")


@app.command("add")
def add(
    name: Annotated[str, typer.Argument(help="A pack's name or folder.")],
    file: Annotated[Path, typer.Argument(help="What to add: trained weights, directions.")],
    to: Annotated[str, typer.Option("--as", help="Its name in the pack; default: the file's own.")] = "",
) -> None:
    """Add a .safetensors file to a pack: blender.safetensors (for `learned`) or directions.safetensors."""
    from kinblend.storage.packs import add_file

    pack = add_file(_find(name), file, to or file.name)
    say(f"{pack.name}: {len(pack.files)} files, in {pack.folder}")


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
