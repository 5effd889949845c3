"""`kinblend blenders list`, `kinblend blenders show NAME`, and the same for the other kinds."""

from __future__ import annotations

from typing import Annotated

import typer

from kinblend.cli import flags
from kinblend.cli.guarded import App
from kinblend.cli.output import put, say


def group(kind: str) -> App:
    """The commands for one kind of plugin."""
    app = App(help=f"List and show {kind}s.", no_args_is_help=True)

    @app.command("list")
    def list_all(as_json: flags.Json = False, quiet: flags.Quiet = False) -> None:
        """List them."""
        from kinblend.plugins import load_plugins

        specs = list(load_plugins()[kind])
        data = [{"name": s.name, "summary": s.summary, "plugin": s.source} for s in specs]
        put(data, as_json=as_json, rows=[[s.name, s.summary] for s in specs], head=[kind, "what it does"])

    @app.command("show")
    def show(
        name: Annotated[str, typer.Argument(help="Its name.")],
        as_json: flags.Json = False,
        quiet: flags.Quiet = False,
    ) -> None:
        """Show one and the options it takes."""
        from kinblend.plugins import load_plugins

        spec = load_plugins()[kind].get(name)
        schema = spec.options_model().model_json_schema()
        data = {"name": spec.name, "summary": spec.summary, "plugin": spec.source, "options": schema}
        rows = [
            [_flag(kind, key), str(field.get("default", "")), str(field.get("description", ""))]
            for key, field in schema.get("properties", {}).items()
        ] or [["(no options)", "", ""]]
        if kind == "editor":
            data["attributes"] = known = _attributes(name)
            rows += [[f"--edit {attribute}=…", "", note] for attribute, note in known.items()]
        put(data, as_json=as_json, rows=rows, head=["option", "default", spec.summary])

    return app


def _flag(kind: str, key: str) -> str:
    """How an option is given: trainers take theirs as flags of their own."""
    return f"--{key.replace('_', '-')}" if kind == "trainer" else f"--set {kind}.{key}="


def _attributes(editor: str) -> dict[str, str]:
    """What an editor can move on the backbone in use; nothing where it can't be made without options."""
    from kinblend.backbone import load_backbone, make_plugin
    from kinblend.errors import KinblendError
    from kinblend.interfaces import Editor
    from kinblend.settings import load_settings

    try:
        made = make_plugin("editor", editor, load_backbone(load_settings().backbone).context)
    except KinblendError as error:
        say(f"its attributes are not known: {error}")
        return {}
    return dict(made.attributes()) if isinstance(made, Editor) else {}
