"""`kinblend plugins`: what was loaded, and what was left out and why."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from kinblend.cli.output import put


def plugins(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List plugins; a broken one is named with the reason."""
    from kinblend.plugins import load_plugins

    reports = load_plugins().reports
    rows = [[r.name, f"{r.distribution} {r.version}", r.error or "ok"] for r in reports]
    put([asdict(r) for r in reports], as_json=as_json, rows=rows, head=["plugin", "from", "state"])
