"""`kinblend doctor`: does everything a run needs work on this machine?"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version

import typer

from kinblend.cli import flags
from kinblend.cli.output import emit
from kinblend.cli.plugins import found_problems
from kinblend.errors import KinblendError, ModelError
from kinblend.settings import load_settings


def doctor(as_json: flags.Json = False, quiet: flags.Quiet = False) -> None:
    """Check this installation. Exit code 1 if something is wrong."""
    results = [_check(name, check) for name, check in CHECKS]
    emit(
        results,
        as_json=as_json,
        rows=[[str(r["check"]), "ok" if r["ok"] else "PROBLEM", str(r["found"])] for r in results],
        head=["check", "", "found"],
    )
    if not all(result["ok"] for result in results):
        raise typer.Exit(1)


def _check(name: str, check: Callable[[], str]) -> dict[str, object]:
    try:
        return {"check": name, "ok": True, "found": check()}
    # Whatever is wrong, the other checks must still be made.
    except Exception as error:
        text = str(error) if isinstance(error, KinblendError) else f"{type(error).__name__}: {error}"
        return {"check": name, "ok": False, "found": " ".join(text.split())}


def _python() -> str:
    return f"{platform.python_version()}, {sys.executable}"


def _torch() -> str:
    import torch

    devices = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    threads = torch.get_num_threads()
    used = f"{threads} thread{'s' if threads > 1 else ''}"
    return f"{torch.__version__}, {used}, {', '.join(devices) or 'no CUDA device: work is done on the CPU'}"


def _libraries() -> str:
    names = ("numpy", "pillow", "pluggy", "pydantic", "safetensors", "typer", "rich", "facenet-pytorch")
    import_module("dlib")
    return ", ".join(f"{name} {version(name)}" for name in names)


def _faces() -> str:
    """Run detector and landmarker on a plain picture: they load, and find nothing."""
    from PIL import Image

    from kinblend.faces.detect import detect
    from kinblend.faces.landmarks import predict_in_crop
    from kinblend.identity import load_identity

    picture = Image.new("RGB", (256, 256), "grey")
    predict_in_crop(picture)
    if found := detect(picture):
        raise KinblendError(f"the detector finds {len(found)} faces in a plain grey picture; choose another")
    return f"detector, landmarker and identity network ({load_identity().name}) work"


def _plugins() -> str:
    from kinblend.plugins import load_plugins

    loaded = load_plugins()
    reports = loaded.reports
    broken = [f"{report.name}: {report.error}" for report in reports if report.error]
    broken += [f"{report.name}: {problem}" for report in reports for problem in found_problems(loaded, report)]
    if broken:
        raise KinblendError("; ".join(broken))
    return f"all {len(reports)} load"


def _packs() -> str:
    from kinblend.plugins import load_plugins
    from kinblend.storage.pack_index import find_pack, installed

    home, sources = load_settings().packs, load_plugins().packs
    shipped = [name for name, source in sources.items() if source.folder is not None]
    names = sorted({*installed(home), *shipped})
    for name in names:
        find_pack(name, home, sources).verify()
    if not names:
        raise ModelError("no model pack is installed; see `kinblend models list`")
    return f"{', '.join(names)}: all files are as they were written"


def _backbone() -> str:
    from kinblend.backbone import load_backbone

    backbone = load_backbone()
    return f"{backbone.name}: encoder {backbone.encoder.name} and projector {backbone.projector.name} load"


def _home() -> str:
    home = load_settings().home
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    if not os.access(existing, os.W_OK):
        raise KinblendError(f"{home} can't be written; set KINBLEND_HOME to a folder of yours")
    with tempfile.TemporaryFile(dir=existing):
        return f"{home}, {shutil.disk_usage(existing).free / 1e9:.0f} GB free"


CHECKS: tuple[tuple[str, Callable[[], str]], ...] = (
    ("python", _python),
    ("torch", _torch),
    ("libraries", _libraries),
    ("faces", _faces),
    ("plugins", _plugins),
    ("packs", _packs),
    ("backbone", _backbone),
    ("home", _home),
)
