"""What this project's docstrings mean, told to mkdocstrings: examples, and lines `name: text` about parameters."""

import re
from typing import Any

from griffe import Extension, Function

ABOUT = re.compile(r"(\w+(?:, \w+)*): (.*)")


class Docstrings(Extension):
    """Rewrites each docstring before it is parsed."""

    def on_object(self, *, obj: Any, **_: Any) -> None:
        if obj.docstring is None:
            return
        text = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.M)
        if isinstance(obj, Function):
            text = listed(text, {parameter.name.lstrip("*") for parameter in obj.parameters})
        obj.docstring.value = text


def listed(text: str, names: set[str]) -> str:
    """Lines that begin with parameters as items of a list, each with what belongs to it in one line."""
    lines: list[str] = []
    item = False
    for line in text.splitlines():
        about = ABOUT.match(line)
        if about and set(about[1].split(", ")) <= names:
            if not item and lines and lines[-1].strip():
                lines.append("")
            names_said = ", ".join(f"`{name}`" for name in about[1].split(", "))
            lines.append(f"- {names_said}: {about[2]}")
            item = True
        elif item and line.strip() and line.startswith(" "):
            lines[-1] += f" {line.strip()}"
        else:
            if item and line.strip():
                lines.append("")
            lines.append(line)
            item = False
    return "\n".join(lines)
