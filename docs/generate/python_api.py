"""The reference of Python: a page for each public module, filled by mkdocstrings."""

import re
from pathlib import Path

from generate.pieces import code, table

ROOT = Path(__file__).parents[2]


def modules() -> list[str]:
    """The public modules, as docs/plugins.md names them."""
    text = (ROOT / "docs" / "plugins.md").read_text("utf-8")
    sentence = text[text.index("What is public") :].split("\n\n")[0]
    return sorted(set(re.findall(r"`(kinblend(?:\.[a-z_]+)?)`", sentence)))


def pages() -> dict[str, str]:
    """Path → Markdown, `reference/python/kinblend.md` and so on."""
    return {path(name): f"# {name}\n\n::: {name}\n" for name in modules()} | {"reference/python.md": index()}


def path(module: str) -> str:
    return f"reference/python/{module.replace('kinblend.', '')}.md"


def index() -> str:
    import importlib

    rows = []
    for name in modules():
        first = (importlib.import_module(name).__doc__ or "").strip().split("\n\n")[0]
        rows.append([f"[{code(name)}]({path(name).removeprefix('reference/')})", " ".join(first.split())])
    return (
        "# Python\n\nNames here stay; import from nothing else of kinblend. [plugins.md](../plugins.md) says what "
        "plugins may count on beside.\n" + table(["module", "what is in it"], rows)
    )
