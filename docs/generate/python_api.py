"""The reference of Python: a page for each public module, filled by mkdocstrings."""

import importlib
import pkgutil
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
    return {path(name): page(name) for name in modules()} | {"reference/python.md": index()}


def page(name: str) -> str:
    """A module; of a package without names of its own, each module in it."""
    module = importlib.import_module(name)
    lines = [f"# {name}", f"::: {name}"]
    if hasattr(module, "__path__") and not hasattr(module, "__all__"):
        inner = sorted(found.name for found in pkgutil.iter_modules(module.__path__) if found.name[0] != "_")
        lines += [f"## {name}.{one}\n\n::: {name}.{one}\n    options:\n      heading_level: 3" for one in inner]
    return "\n\n".join(lines) + "\n"


def path(module: str) -> str:
    return f"reference/python/{module.replace('kinblend.', '')}.md"


def index() -> str:
    rows = []
    for name in modules():
        first = (importlib.import_module(name).__doc__ or "").strip().split("\n\n")[0]
        rows.append([f"[{code(name)}]({path(name).removeprefix('reference/')})", " ".join(first.split())])
    return (
        "# Python\n\nNames here stay; import from nothing else of kinblend. [plugins.md](../plugins.md) says what "
        "plugins may count on beside.\n" + table(["module", "what is in it"], rows)
    )
