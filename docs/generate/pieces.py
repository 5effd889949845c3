"""Pieces of Markdown that the generated pages are made of."""

import re
from collections.abc import Iterable, Sequence

SPECIAL = re.compile(r"([\\*_\[\]<>|])")


def prose(text: object) -> str:
    """Text as it is to be read, in one line: what Markdown would take for its own is escaped, but for `code`."""
    parts = re.split(r"(`[^`]*`)", " ".join(str(text).replace("\\[", "[").split()))
    return "".join(part.replace("|", "&#124;") if part[:1] == "`" else escaped(part) for part in parts)


def escaped(text: str) -> str:
    return SPECIAL.sub(lambda found: f"&#{ord(found[1])};", text)


def code(text: object) -> str:
    """Text between backticks, safe in a table too; nothing for nothing."""
    said = str(text).replace("`", "'")
    return f"<code>{escaped(said.replace('&', '&amp;'))}</code>" if "|" in said else f"`{said}`" if said else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table, with an empty line before and after. Its cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(["", *(f"| {' | '.join(cell or ' ' for cell in line)} |" for line in lines), ""])


def fenced(text: str, language: str = "") -> str:
    return f"\n```{language}\n{text.strip()}\n```\n"
