"""The core knows no plugin: no name that a built-in one is registered under stands in its code or docstrings."""

import ast
import re
from pathlib import Path

import pytest

import kinblend
from kinblend.plugins import load_plugins
from kinblend.registry import KINDS

CORE = Path(kinblend.__file__).parent
# Names that are words of their own, with what they mean in the core.
WORDS = {
    "average": "the latent average, and the mean",
    "bilinear": "a kind of interpolation",
    "dimension": "of a code",
    "dlib": "the library",
    "facenet": "a part of names in others' checkpoints",
    "layer": "of a code",
    "mask": "of a picture",
    "nearest": "of several",
    "nvidia": "the publisher",
    "parts": "of a face, a file, a request",
    "prepared": "of a folder",
    "table": "rows and columns",
    "train": "the command, and a part of a split",
}


def built_in() -> set[str]:
    plugins = load_plugins()
    specs = [spec for kind in KINDS for spec in plugins[kind]]
    ours = {spec.name for spec in specs if plugins.distribution_of(spec).startswith("kinblend ")}
    return (ours | set(plugins.packs)) - set(WORDS)


@pytest.mark.parametrize("file", sorted(CORE.rglob("*.py")), ids=lambda file: str(file.relative_to(CORE)))
def test_no_file_of_the_core_names_a_built_in_plugin(file: Path) -> None:
    text = file.read_text("utf-8")
    assert [name for name in sorted(built_in()) if re.search(rf"(?<![\w-]){name}(?![\w-])", text)] == []


def test_neither_does_the_page() -> None:
    for file in (CORE / "web").rglob("*"):
        if file.suffix in (".html", ".js"):
            text = file.read_text("utf-8")
            assert [name for name in built_in() if re.search(rf"(?<![\w-]){name}(?![\w-])", text)] == [], file


def test_no_error_of_the_library_names_a_flag_of_the_command_line() -> None:
    """Python's and the web app's users can't give one. What a plugin's command is called may be said."""
    folders = [CORE, CORE.parent / "plugins" / "kinblend_plugins"]
    files = [file for folder in folders for file in folder.rglob("*.py")]
    files = [file for file in files if {"cli", "bench", "web"}.isdisjoint(file.relative_to(CORE.parent).parts)]
    found = {
        f"{file.relative_to(CORE.parent)}: {text}"
        for file in files
        if file.name not in {"__main__.py", "pip_download.py"}  # commands, and pip's own flags
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Raise)
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
        for text in [re.sub(r"`[^`]*`", "", part.value)]
        if re.search(r"(?<!\S)--[a-z]", text)
    }
    assert found == set()
