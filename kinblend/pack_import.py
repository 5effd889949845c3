"""Turns a checkpoint into a pack: in a folder beside the final one, which it takes the place of only when whole."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from kinblend.backbone import load_backbone
from kinblend.errors import CheckpointError, UsageError, wrap_plugin_errors
from kinblend.files import file_sha256, locked
from kinblend.plugins import load_plugins
from kinblend.registry import PluginSpec, check_name
from kinblend.storage.checkpoint_reader import describe_file, summarize_checkpoint
from kinblend.storage.packs import Pack, annotate, open_pack, renew

_TEMPORARY = re.compile(r"\.[^.]+\.[a-z0-9_]{8}")  # as `tempfile.mkdtemp` names them here

Importer = Callable[[Path, Path, str], Path | None]


def import_pack(
    checkpoint: str | Path,
    home: str | Path,
    name: str,
    importer: str = "",
    origin: Mapping[str, Any] | None = None,
    licence: str = "",
    again: bool = False,
) -> Pack:
    """The pack `home/name`, made of a checkpoint by the importer of that name, or by the first that knows the file.

    again: whether a pack that is there already is brought up to date, or mended; what was added to it stays.

    Its encoder and projector are built once, so that a pack that is there can be used. Its description gets the
    checkpoint's SHA-256 with what is known of its origin, and its licence.

    Raises `CheckpointError`, `PackError` and `UsageError`.
    """
    checkpoint, out = Path(checkpoint), Path(home) / _free_name(name)
    if not checkpoint.is_file():
        raise CheckpointError(f"{checkpoint} {'is a folder' if checkpoint.is_dir() else 'does not exist'}")
    if out.exists() and not again:
        raise UsageError(f"{out} exists already; remove it or choose another name")
    importers = load_plugins()["importer"]
    specs = [importers.get(importer)] if importer else list(importers)
    expected = (origin or {}).get("sha256_of_publisher")
    if expected is not None and expected != file_sha256(checkpoint):
        raise CheckpointError(f"{checkpoint} is not what its publisher gave: its SHA-256 differs; fetch it again")
    with locked(out.parent):
        _remove_strays(out.parent)
        if out.exists() and not again:
            raise UsageError(f"{out} exists already; remove it or choose another name")
        folder = Path(tempfile.mkdtemp(dir=out.parent, prefix=f".{out.name}."))
        try:
            made = folder / "pack"
            _convert(checkpoint, made, name, specs)
            sha256 = expected or file_sha256(checkpoint)
            notes: dict[str, Any] = {"name": name, "checkpoint": {"sha256": sha256, **(origin or {})}}
            _try(annotate(open_pack(made), notes | ({"licence": licence} if licence else {})))
            if out.exists():
                return renew(out, open_pack(made))
            made.rename(out)
            return open_pack(out)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def remove_strays(home: Path) -> None:
    """Remove the folders of imports that were killed. Waits for imports that are at work."""
    with locked(home):
        _remove_strays(home)


def _remove_strays(home: Path) -> None:
    for path in home.iterdir():
        if _TEMPORARY.fullmatch(path.name) and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)


def default_name(checkpoint: Path) -> str:
    """A pack's name made of a file's: that of the pack which is downloaded as a file of this name ("faces-1024" for
    "e4e_ffhq_encode.pt"); else the file's own, "Net_v1.0.pkl" → "net-v1-0"."""
    for source in load_plugins().packs.values():
        if source.downloads and source.downloads[0].filename == checkpoint.name:
            return source.name
    letters = [c if c.isascii() and c.isalnum() else "-" for c in checkpoint.stem.lower()]
    return "".join(letters).strip("-") or "imported"


def _free_name(name: str) -> str:
    """The name, if it may be taken. Raises `UsageError`."""
    check_name("pack", name)
    source = load_plugins().packs.get(name)
    if source is not None and source.folder is not None:
        raise UsageError(f"pack '{name}' comes with a plugin and can't be replaced; choose another name")
    return name


def _convert(checkpoint: Path, folder: Path, name: str, specs: Iterable[PluginSpec]) -> None:
    """Let the importers try, one after the other. A refusal is the last word only where nobody knows the file."""
    refusals, tried = [], []
    for spec in specs:
        tried.append(spec.name)
        try:
            if _converted(spec, checkpoint, folder, name):
                return
        except CheckpointError as error:
            refusals.append(error)
        shutil.rmtree(folder, ignore_errors=True)
    if refusals:
        raise refusals[0]
    if what := describe_file(checkpoint):
        raise CheckpointError(f"{checkpoint} is {what}")
    found = summarize_checkpoint(checkpoint)
    raise CheckpointError(
        f"no importer knows {checkpoint}{f', {found}' if found else ''}; there are: {', '.join(tried) or 'none'}"
    )


def _converted(spec: PluginSpec, checkpoint: Path, folder: Path, name: str) -> bool:
    convert: Importer = spec.load()
    with wrap_plugin_errors(f"importer '{spec.name}' of {load_plugins().distribution_of(spec)}"):
        return convert(checkpoint, folder, name) is not None


def _try(pack: Pack) -> None:
    """Build what the pack describes."""
    backbone = load_backbone(pack.folder)
    _ = backbone.projector
    if pack.description["encoder"] is not None:
        _ = backbone.encoder
