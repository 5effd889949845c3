"""The programs in benchmarks/ run by hand alone: what they import of kinblend is there."""

import ast
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

PROGRAMS = sorted((Path(__file__).parent.parent / "benchmarks").rglob("*.py"))


def imports(program: Path) -> Iterator[tuple[str, str]]:
    """Module and name, of whatever is imported from kinblend and its plugins, at the top or within functions."""
    for node in ast.walk(ast.parse(program.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("kinblend"):
            yield from ((node.module, one.name) for one in node.names)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_what_a_benchmark_imports_is_there(program: Path) -> None:
    assert [f"{module}.{name}" for module, name in imports(program) if not is_there(module, name)] == []


def is_there(module: str, name: str) -> bool:
    if find_spec(module) is None:
        return False
    found = import_module(module)
    return hasattr(found, name) or (hasattr(found, "__path__") and find_spec(f"{module}.{name}") is not None)
