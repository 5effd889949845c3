"""Settings: flags beat `KINBLEND_*` variables beat `kinblend.toml` beat the defaults here."""

from __future__ import annotations

import logging
import os
import sys
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from kinblend.errors import UsageError

FILE = "kinblend.toml"
LOG = logging.getLogger(__name__)

_told: set[str] = set()  # variables that were warned of


@dataclass(frozen=True)
class Settings:
    """What a user may set for all commands."""

    home: Path  # packs and caches live here
    offline: bool = False  # forbid the network
    backbone: str | None = None  # None: the installed pack that plugins prefer
    encoder: str | None = None  # None: the backbone's own
    blender: str | None = None  # None: the one that plugins prefer, and likewise the editor
    editor: str | None = None
    detector: str | None = None  # None: what plugins prefer; likewise the next three
    landmarker: str | None = None
    identity_network: str | None = None
    upscaler: str | None = None
    device: str = "auto"  # "cpu", "cuda", "cuda:1", "auto"
    precision: str = "auto"  # "fp32", "bf16", "fp16", "auto"
    memory_budget: str | None = None  # "2GiB"; None: no limit
    token: str | None = field(default=None, repr=False)  # what clients of `kinblend serve` must know

    @property
    def packs(self) -> Path:
        """The folder of installed model packs."""
        return self.home / "packs"


def load_settings(folder: Path | None = None, environ: Mapping[str, str] | None = None, **flags: Any) -> Settings:
    """Settings from `kinblend.toml` in `folder` (default: where we stand), the environment and `flags`.

    A flag that is None was not given. A `KINBLEND_…` that means nothing is warned of, once.
    Raises `UsageError` for an unknown key or a value of the wrong kind.
    """
    environ = os.environ if environ is None else environ
    for name in environ:
        if name.startswith(_PREFIX) and name not in _VARIABLES and name not in _told:
            _told.add(name)
            LOG.warning("%s is set, and means nothing; there are: %s", name, ", ".join(_VARIABLES))
    path = (folder or Path.cwd()) / FILE
    values: dict[str, Any] = _read_file(path)
    values |= {name: environ[variable] for variable, name in _VARIABLES.items() if environ.get(variable)}
    values.update({name: value for name, value in flags.items() if value is not None})
    unknown = sorted(set(values) - set(_NAMES))
    if unknown:
        raise UsageError(f"unknown setting {', '.join(unknown)} in {path}; there are: {', '.join(_NAMES)}")
    settings = Settings(home=default_home(environ))
    return replace(settings, **{name: _convert(name, value) for name, value in values.items()})


def home_folder() -> Path:
    """The folder of packs, caches and users' own weights: KINBLEND_HOME, or the platform's user-data folder."""
    return load_settings().home


def default_home(environ: Mapping[str, str]) -> Path:
    """The platform's user-data folder for kinblend."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "kinblend"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "kinblend"
    return Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "kinblend"


_NAMES = tuple(field.name for field in fields(Settings))
_PREFIX = "KINBLEND_"
_VARIABLES = {_PREFIX + name.upper(): name for name in _NAMES}


def _read_file(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"{path} can't be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from error


def _convert(name: str, value: Any) -> Any:
    if name == "home" and isinstance(value, (str, Path)):
        return Path(value).expanduser()
    if name == "offline":
        if isinstance(value, bool):
            return value
        if str(value).lower() in ("1", "true", "yes", "on"):
            return True
        if str(value).lower() in ("0", "false", "no", "off"):
            return False
        raise UsageError(f"offline must be 1 or 0, not {value!r}")
    if name == "memory_budget" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise UsageError(f"{name} must be text, not {value!r}")
    return value
