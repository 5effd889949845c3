"""`--from father=eyes,nose`: parts of the face from one parent. `--from child.json`: the same children again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kinblend.cli import flags
from kinblend.errors import UsageError
from kinblend.files import keep_inputs

if TYPE_CHECKING:
    from kinblend.registry import PluginSpec

PARENTS = ("father", "mother")
WIDGET = "parts"  # of the option that a strategy takes parts by, in its JSON schema

From = Annotated[
    list[str] | None,
    typer.Option(
        "--from",
        metavar="PARENT=PART,…",
        help="Parts of the face from one parent: father=eyes,nose; repeatable. Or a child.json: the same children "
        "again, of the same photographs.",
        rich_help_panel=flags.CHILD,
    ),
]


def read_from(words: Sequence[str]) -> tuple[Path | None, dict[str, str]]:
    """The manifest that is named, and part → parent; of the two, one is empty.

    A word is about parts where it begins with "father=" or "mother=", else it is a file. Raises `UsageError`.
    """
    manifests = [Path(word) for word in words if not word.startswith(tuple(f"{one}=" for one in PARENTS))]
    parts: dict[str, str] = {}
    for word in words:
        parent, equals, names = word.partition("=")
        if equals and parent in PARENTS:
            _add(parts, parent, names, word)
    for path in manifests:
        if "=" in path.name and not path.exists():
            raise UsageError(f"--from {path}: write father=eyes or mother=eyes, or the name of a child.json")
    if len(manifests) > 1:
        raise UsageError(f"--from names {len(manifests)} manifests: give one")
    if manifests and parts:
        raise UsageError(
            f"--from {manifests[0]} makes the same children again, with the parts they had: leave out the parts"
        )
    keep_inputs(manifests)
    return (manifests[0] if manifests else None), parts


def choose_parts(
    parts: Mapping[str, str], named: str | None, usual: str | None, options: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """The strategy that takes parts, and its options with them.

    named: the strategy that a flag names. usual: that of the settings, which counts where it takes parts. options:
    what is set of the strategy already. Raises `UsageError` where a strategy is named that takes none, where none
    does, and where parts are set twice.
    """
    from kinblend.plugins import load_plugins

    blenders = load_plugins()["blender"]
    known = {spec.name: key for spec in blenders.by_preference() if (key := _option(spec))}
    if not known:
        raise UsageError("no strategy that is installed takes parts of the face")
    if named is not None and named not in known:
        blenders.get(named)
        raise UsageError(f"the strategy {named} takes no parts of the face: leave it out, or use {', '.join(known)}")
    name = named or (usual if usual in known else next(iter(known)))
    key = known[str(name)]
    if key in options:
        raise UsageError(f"the parts are given twice, by --from and --set blender.{key}: give them once")
    return str(name), {**options, key: dict(parts)}


def _add(parts: dict[str, str], parent: str, names: str, word: str) -> None:
    found = [name.strip() for name in names.split(",") if name.strip()]
    if not found:
        raise UsageError(f"--from {word!r}: name parts, comma between: {parent}=eyes,nose")
    for name in found:
        if parts.setdefault(name, parent) != parent:
            raise UsageError(f"{name} can't come from both parents: leave it out and both count, or name one")


def _option(spec: PluginSpec) -> str:
    """The option that a strategy takes parts by; empty where it has none."""
    fields = spec.options_schema().get("properties", {})
    return next((key for key, field in fields.items() if field.get("widget") == WIDGET), "")
