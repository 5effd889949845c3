"""How commands speak: data on stdout, everything else on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from kinblend.errors import KinblendError


def fail(error: KinblendError) -> int:
    """Print an error on stderr; returns the exit code."""
    print(f"kinblend: {error}", file=sys.stderr)
    return error.exit_code


def say(text: str) -> None:
    """A line for people, on stderr."""
    print(text, file=sys.stderr)


def put(data: Any, *, as_json: bool, rows: Sequence[Sequence[str]] = (), head: Sequence[str] = ()) -> None:
    """`data` as JSON, or `rows` on stdout: a table under `head` on a terminal, else tab-separated lines."""
    if as_json:
        print(json.dumps(data, indent=2, sort_keys=True))
        return
    if not sys.stdout.isatty():
        for row in rows:
            print("\t".join(row))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(*head, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
