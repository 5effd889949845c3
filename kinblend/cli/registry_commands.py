"""`kinblend blenders list`, `kinblend blenders show NAME`, and the same for the other kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from kinblend.cli import flags
from kinblend.cli.allowed import allowed_values, default_value, span
from kinblend.cli.command import App
from kinblend.cli.completion import names
from kinblend.cli.output import emit, log
from kinblend.cli.plugin_commands import flags_of
from kinblend.errors import KinblendError

if TYPE_CHECKING:
    from kinblend.backbone import Backbone
    from kinblend.interfaces import Editor
    from kinblend.registry import PluginSpec
    from kinblend.storage.packs import Pack


COMMANDS = ("command", "evaluation")  # plugins whose options are the flags of a function
ABOUT = {
    "encoder": "face to latent",
    "blender": "the strategies, two latents to a child's",
    "editor": "age, smile and the like",
    "projector": "latent to picture",
    "trainer": "what `kinblend train` runs",
    "importer": "checkpoint to model pack",
    "dataset": "readers of kinship sets",
    "analyser": "what a network sees in a face",
    "detector": "picture to faces",
    "landmarker": "face to 68 points",
    "identity-network": "face to embedding",
    "upscaler": "small picture to larger one",
    "evaluation": "what `kinblend evaluate` runs",
    "benchmark": "steps that `kinblend bench` times",
    "command": "what plugins add to this list",
}


def group(kind: str) -> App:
    """The commands for one kind of plugin."""
    app = App(help=f"List and show {kind.replace('-', ' ')}s: {ABOUT[kind]}.", no_args_is_help=True)

    @app.command("list")
    def list_all(backbone: flags.Backbone = None, as_json: flags.Json = False, quiet: flags.Quiet = False) -> None:
        """List them, with those that lack weights on the backbone in use."""
        from kinblend.plugins import load_plugins

        specs = load_plugins()[kind].by_preference()
        lacking = _lacking(specs, backbone)
        data = [
            {
                "name": s.name,
                "summary": s.summary,
                "plugin": s.source,
                "available": s.name not in lacking,
                "note": lacking.get(s.name),
            }
            for s in specs
        ]
        rows = [[s.name, s.summary, *([lacking.get(s.name, "")] if lacking else [])] for s in specs]
        emit(data, as_json=as_json, rows=rows, head=[kind, "what it does", *(["not available"] if lacking else [])])

    @app.command("show")
    def show(
        name: str = typer.Argument(help="Its name.", metavar="NAME", autocompletion=names(kind)),
        backbone: flags.Backbone = None,
        as_json: flags.Json = False,
        quiet: flags.Quiet = False,
    ) -> None:
        """Show one and the options it takes."""
        from kinblend.plugins import load_plugins

        spec = load_plugins()[kind].get(name)
        schema = spec.options_schema() if kind not in COMMANDS else flags_of(spec)
        data = {"name": spec.name, "summary": spec.summary, "plugin": spec.source, "options": schema}
        fields = schema.get("properties", {})
        required = schema.get("required", ())
        rows = [
            [
                _flag(kind, key, field),
                allowed_values(field, schema),
                "required" if key in required else default_value(field),
                str(field.get("description", "")),
            ]
            for key, field in fields.items()
        ] or [["(no options)", "", "", ""]]
        if kind == "editor":
            data["attributes"] = known = _attributes(name, backbone)
            rows += [[f"--edit {attribute}=…", about.values, "", about.note] for attribute, about in known.items()]
            data["attributes"] = {attribute: about.note for attribute, about in known.items()}
        for key in (key for key, field in fields.items() if field.get("widget") == "layers"):
            data["groups"] = groups = _groups(backbone)
            rows += [
                [_flag(kind, f"{key}.{_word(name)}"), "0 to 1", "", f"layers {span}"] for name, span in groups.items()
            ]
        for key in (key for key, field in fields.items() if kind == "blender" and field.get("widget") == "parts"):
            data["parts"] = _names_for(name, key, backbone)
            rows += [[_flag(kind, f"{key}.{part}"), "father or mother", "", ""] for part in data["parts"]]
        emit(data, as_json=as_json, rows=rows, head=["option", "values", "default", spec.summary])

    return app


def _lacking(specs: Sequence[PluginSpec], backbone: str | None) -> dict[str, str]:
    """Name → why it can't be used here: a package that is not installed, weights that the backbone has none of."""
    pack = _pack(backbone) if any(spec.weights for spec in specs) else None
    found = {}
    for spec in specs:
        missing = [name for name, version in spec.required_versions().items() if not version]
        if missing:
            found[spec.name] = f"needs the package {', '.join(missing)}"
        elif pack and pack.lacks(spec.weights):
            found[spec.name] = f"{pack.name} has no weights for {spec.name} yet"
    return found


def _pack(backbone: str | None) -> Pack | None:
    """The pack of the backbone in use; nothing is hashed or loaded."""
    from kinblend.backbone import choose_backbone
    from kinblend.plugins import load_plugins
    from kinblend.settings import load_settings
    from kinblend.storage.pack_index import find_pack

    try:
        return find_pack(choose_backbone(backbone), load_settings().packs, load_plugins().packs)
    except KinblendError as error:
        log(f"the backbone is not known: {error}")
        return None


def _flag(kind: str, key: str, field: Mapping[str, Any] | None = None) -> str:
    """How an option is given: trainers and commands take theirs as flags of their own."""
    if kind in COMMANDS:
        return str((field or {}).get("flag", key))
    return f"--{key.replace('_', '-')}" if kind == "trainer" else f"--set {kind}.{key}="


def _word(group: str) -> str:
    """A group's name without spaces."""
    return group.replace(" ", "-")


def _attributes(editor: str, backbone: str | None) -> dict[str, _Attribute]:
    """What an editor can move on the backbone in use, with its targets; nothing where it can't be made without
    options."""
    from kinblend.backbone import make_plugin
    from kinblend.interfaces import Editor

    loaded = _backbone(backbone)
    try:
        made = make_plugin("editor", editor, loaded.context) if loaded else None
    except KinblendError as error:
        log(f"its attributes are not known: {error}")
        return {}
    return _described(made) if isinstance(made, Editor) else {}


@dataclass(frozen=True)
class _Attribute:
    """values: which strengths it was fitted for, and its targets. note: what more of it means."""

    values: str
    note: str


def _described(editor: Editor) -> dict[str, _Attribute]:
    targets, strengths, spans = editor.targets(), editor.strength_ranges(), editor.target_ranges()
    found = {}
    for name, note in editor.attributes().items():
        fitted = [span(*strengths[name])] if name in strengths else []
        goals = [
            f"{spans[name][0]:.2g}y to {spans[name][1]:.2g}y" if goal == "years" and name in spans else goal
            for goal in targets.get(name, ())
        ]
        note = f"{note}; targets: {', '.join(targets[name])}" if targets.get(name) else note
        found[name] = _Attribute(", ".join([*fitted, *goals]), note)
    return found


def _groups(backbone: str | None) -> dict[str, Any]:
    """The groups of layers of the backbone in use: name → "0-6"."""
    loaded = _backbone(backbone)
    return (
        {name: f"{first}-{last}" for name, (first, last) in loaded.projector.layer_groups().items()} if loaded else {}
    )


def _names_for(blender: str, option: str, backbone: str | None) -> list[str]:
    """What an option of a strategy can name on the backbone in use; nothing where it can't be made without
    options."""
    from kinblend.backbone import make_plugin
    from kinblend.interfaces import Blender

    loaded = _backbone(backbone)
    try:
        made = make_plugin("blender", blender, loaded.context) if loaded else None
    except KinblendError as error:
        log(f"its parts are not known: {error}")
        return []
    return list(made.names_for(option)) if isinstance(made, Blender) else []


def _backbone(name: str | None) -> Backbone | None:
    from kinblend.backbone import load_backbone

    try:
        return load_backbone(name)
    except KinblendError as error:
        log(f"the backbone is not known: {error}")
        return None
