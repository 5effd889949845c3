"""Every command in the docs exists, with every flag that it is given there."""

import re
from functools import cache
from pathlib import Path

import pytest
from plugin_site import here

from kinblend.cli.trainer_commands import default_trainer

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
COMMAND = re.compile(r"(?:\$ |`)kinblend ([^`\n#]*)")


@cache
def help_of(*words: str) -> str:
    code, said, _ = here(*words, "--help", COLUMNS=300)
    return said if code == 0 else ""


def help_for(words: list[str]) -> str:
    """The help of the command that a line begins with."""
    names = []
    for word in words:
        if not re.fullmatch(r"[a-z][a-z0-9-]*", word):
            break
        names.append(word)
    if names[:1] == ["train"] and len(names) == 2:  # a flag comes next: the default trainer's
        names.append(default_trainer(names[1]))
    while names and not help_of(*names):
        names.pop()
    return help_of(*names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_the_docs_have_the_flags_they_are_given(page: Path) -> None:
    text = page.read_text("utf-8").replace("\\\n", " ")
    strange = {
        f"kinblend {line.strip()}: {flag}"
        for line in COMMAND.findall(text)
        for flag in re.findall(r"(?<!\S)(--[a-z][a-z-]+)", line)
        if not re.search(rf"(?<!\S){flag}(?![a-z-])", help_for(line.split()))
    }
    assert strange == set()
