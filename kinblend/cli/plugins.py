"""`kinblend plugins`: what was loaded, and what was left out and why."""

from __future__ import annotations

from dataclasses import asdict

from kinblend.cli import flags
from kinblend.cli.output import emit


def plugins(as_json: flags.Json = False, quiet: flags.Quiet = False) -> None:
    """List plugins; a broken one is named with the reason."""
    from kinblend.plugins import load_plugins

    loaded, hidden = load_plugins(), _hidden()
    notes = [_note([name for name, source in hidden if source == report.name]) for report in loaded.reports]
    rows = [
        [r.name, f"{r.distribution} {r.version}", r.error or f"ok{note}"]
        for r, note in zip(loaded.reports, notes, strict=True)
    ]
    emit([asdict(r) for r in loaded.reports], as_json=as_json, rows=rows, head=["plugin", "from", "state"])


def _hidden() -> list[tuple[str, str]]:
    """Commands of plugins that bear the name of one of ours, and the plugins."""
    import typer

    from kinblend.cli.app import app
    from kinblend.plugins import load_plugins

    ours = set(getattr(typer.main.get_command(app), "commands", ()))
    return [(spec.name, spec.source) for spec in load_plugins()["command"] if spec.name in ours]


def _note(names: list[str]) -> str:
    listed = ", ".join(map(repr, names))
    return f"; its command {listed} can't be called: kinblend has one of that name" if names else ""
