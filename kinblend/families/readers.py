"""Reads a folder of families with the reader that knows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kinblend.errors import InputError, PluginError, wrap_plugin_errors
from kinblend.families.model import KinshipSet
from kinblend.plugins import load_plugins

Reader = Callable[[Path], KinshipSet | None]


def read_families(path: str | Path, format: str | None = None) -> tuple[str, KinshipSet]:
    """What the folder or file at `path` holds, and the name of the reader that knew it.

    format: the reader to use; None asks one after the other.
    Raises `InputError` where no reader knows it, and `UnknownPluginError`.
    """
    path = Path(path)
    if not path.exists():
        raise InputError(f"{path} does not exist")
    plugins = load_plugins()
    registry = plugins["dataset"]
    specs = [registry.get(format)] if format else list(registry)
    refusals: list[InputError] = []
    for spec in specs:
        reader: Reader = spec.load()
        with wrap_plugin_errors(f"reader '{spec.name}' of {plugins.distribution_of(spec)}"):
            try:
                found = reader(path)
            except InputError as error:  # the last word only where nobody knows it
                refusals.append(error)
                continue
            if not isinstance(found, KinshipSet | None):
                raise PluginError(f"it gave a {type(found).__name__}, not a kinblend.KinshipSet")
        if found is not None:
            return spec.name, found
    if refusals:
        raise refusals[0]
    names = ", ".join(spec.name for spec in specs)
    raise InputError(f"{path} is not laid out as {names}; see docs/families.md for what each expects")
