"""Pages of the site as tests see them: their blocks of code, and the pages that are made from the code."""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
if str(DOCS) not in sys.path:
    sys.path.append(str(DOCS))

BLOCK = re.compile(r"(?:<!-- (?P<mark>[^\n]*?) -->\n)?^```(?P<language>\w*)\n(?P<text>.*?)^```", re.M | re.S)
NAME = re.compile(r"# (\S+\.(?:py|toml))\n")


@dataclass(frozen=True)
class Block:
    """A block of code. mark: the comment before it. name: of the file that it is, if its first line says one."""

    language: str
    text: str
    mark: str
    name: str


def blocks(page: Path) -> Iterator[Block]:
    for found in BLOCK.finditer(page.read_text("utf-8")):
        named = NAME.match(found["text"])
        yield Block(found["language"], found["text"], found["mark"] or "", named[1] if named else "")


def commands(block: Block) -> list[str]:
    """The commands of a console block, each in one line."""
    lines = block.text.replace("\\\n", " ").splitlines()
    return [line[2:].partition(" #")[0].strip() for line in lines if line.startswith("$ ")]


@cache
def generated() -> dict[str, str]:
    """The pages that are made from the code: path → Markdown."""
    from generate.hooks import generated

    return generated()
