"""Every public object has a docstring; those at the top level have sections and examples, which are executed."""

import doctest
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import kinblend

TEXT = (Path(__file__).parent.parent / "docs" / "plugins.md").read_text("utf-8")
PUBLIC = sorted(
    {"kinblend", *re.findall(r"`(kinblend\.[a-z_]+)`", TEXT[TEXT.index("What is public") :].split("\n\n")[0])}
)


def objects(name: str) -> Iterator[tuple[str, object]]:
    """A module's public classes and functions, and what the classes define, by name."""
    module = importlib.import_module(name)
    yield name, module
    own = [key for key, value in vars(module).items() if getattr(value, "__module__", None) == name]
    for key in getattr(module, "__all__", [key for key in own if not key.startswith("_")]):
        found = getattr(module, key)
        if inspect.isclass(found) or inspect.isfunction(found):
            yield f"{name}.{key}", found
        for part, value in vars(found).items() if inspect.isclass(found) else ():
            inner = getattr(value, "fget", None) or getattr(value, "__func__", value)
            if inspect.isfunction(inner) and not part.startswith(("_", "test_")):
                yield f"{name}.{key}.{part}", inner


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_object_has_a_docstring(name: str) -> None:
    lacking = [key for key, found in objects(name) if not (found.__doc__ or "").strip()]
    assert lacking == []


def test_the_public_modules_are_known() -> None:
    assert len(PUBLIC) == 25


TOP = sorted(set(kinblend.__all__) - {"hookimpl"})  # pluggy's marker


@pytest.mark.parametrize("name", TOP)
def test_top_level_objects_have_sections_and_an_example_that_holds(name: str) -> None:
    found = getattr(kinblend, name)
    text = inspect.getdoc(found) or ""
    assert re.search(r"^(Args|Attributes|Example):", text, re.MULTILINE)
    assert ">>>" in text or "Example: see" in text
    names = vars(importlib.import_module(found.__module__)) | {"__name__": "example"}
    example = doctest.DocTestParser().get_doctest(text, dict(names), name, None, None)
    runner = doctest.DocTestRunner(verbose=False)
    told: list[str] = []
    assert runner.run(example, out=told.append).failed == 0, "".join(told)
