"""`kinblend blenders list`, `kinblend blenders show NAME`, and the same for the other three kinds."""

from __future__ import annotations

from typing import Annotated

import typer

from kinblend.cli.output import put


def group(kind: str) -> typer.Typer:
    """The commands for one kind of plugin."""
    app = typer.Typer(help=f"List and show {kind}s.", no_args_is_help=True)

    @app.command("list")
    def list_all(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
        """List them."""
        from kinblend.plugins import load_plugins

        specs = list(load_plugins()[kind])
        data = [{"name": s.name, "summary": s.summary, "plugin": s.source} for s in specs]
        put(data, as_json=as_json, rows=[[s.name, s.summary] for s in specs], head=[kind, "what it does"])

    @app.command("show")
    def show(
        name: Annotated[str, typer.Argument(help="Its name.")],
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Show one and the options it takes."""
        from kinblend.plugins import load_plugins

        spec = load_plugins()[kind].get(name)
        schema = spec.options_model().model_json_schema()
        rows = [
            [f"--set {kind}.{key}", str(field.get("default", "")), str(field.get("description", ""))]
            for key, field in schema.get("properties", {}).items()
        ]
        data = {"name": spec.name, "summary": spec.summary, "plugin": spec.source, "options": schema}
        put(
            data,
            as_json=as_json,
            rows=rows or [["(no options)", "", ""]],
            head=["option", "default", spec.summary],
        )

    return app
