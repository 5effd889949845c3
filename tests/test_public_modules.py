"""Built-in plugins import the public modules alone: those that docs/plugins.md names."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def named() -> set[str]:
    text = (ROOT / "docs" / "plugins.md").read_text("utf-8")
    sentence = re.search(r"What is public: (.*?) and, for tests, `kinblend.testing`", text, re.DOTALL)
    assert sentence
    return set(re.findall(r"`(kinblend[.a-z_]*)`", sentence[1]))


def imported(file: Path) -> set[str]:
    """Modules of the core that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        found |= {name for name in names if name.split(".")[0] == "kinblend"}
    return found


@pytest.mark.parametrize("top", ["plugins", "examples"])
def test_plugins_import_what_is_public(top: str) -> None:
    public = named()
    strange = {
        f"{file.relative_to(ROOT)}: {name}"
        for file in (ROOT / top).rglob("*.py")
        for name in imported(file)
        if name not in {*public, *(["kinblend.testing"] if "tests" in file.parts else [])}
        and not any(name.startswith(f"{module}.") for module in public - {"kinblend"})
    }
    assert strange == set()


def test_what_is_named_is_there() -> None:
    for name in named():
        path = ROOT / Path(*name.split("."))
        assert path.is_dir() or path.with_suffix(".py").is_file(), name


def test_what_is_named_is_an_attribute_of_the_package() -> None:
    """`import kinblend` alone is enough to use it."""
    names = sorted(named() - {"kinblend"} | {"kinblend.testing"})
    code = f"import kinblend; [print(eval(name).__name__) for name in {names}]; print(*dir(kinblend))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[:-1] == names
    assert {name.partition(".")[2] for name in names} <= set(done.stdout.splitlines()[-1].split())


def test_the_blend_is_found_where_it_was() -> None:
    import kinblend
    from kinblend import blend, interfaces

    assert kinblend.Blend is blend.Blend is interfaces.Blend
    assert interfaces.weighted_sum is blend.weighted_sum
