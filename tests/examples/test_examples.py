"""The example programs run, on the embedded backbone and small, and each says where its picture is."""

import json
import re
import runpy
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image
from portraits import portrait

import kinblend
from kinblend.cli.demo import FATHER, MOTHER

EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAMS = sorted(path.name for path in EXAMPLES.glob("*.py"))
NOTEBOOK = EXAMPLES / "new_blender.ipynb"
LONGEST = 60  # lines
PARTNER = "P008"

pytestmark = pytest.mark.skipif(
    find_spec("openpeople") is None, reason="the example people (openpeople) are not installed"
)

# What each is given beside the photographs and --out, and how many pictures of 64 pixels are in a row.
WORDS = {
    "ages.py": (["--ages", "4,70"], 2),
    "compare_strategies.py": ([], 4),
    "family_tree.py": (["--partner", portrait(PARTNER)], None),
    "siblings.py": (["--children", "2"], 4),
    "who_gives_what.py": ([], 6),
}


@pytest.fixture(autouse=True)
def one_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """All share an engine, which remembers the parents."""
    engine = _engine()
    monkeypatch.setattr(kinblend, "Engine", lambda: engine)


@cache
def _engine() -> kinblend.Engine:
    return kinblend.Engine("morphable", "cpu")


def test_all_programs_are_tried() -> None:
    assert sorted(WORDS) == PROGRAMS


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_writes_its_picture(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    words, across = WORDS[name]
    out = tmp_path / ("tree" if across is None else "made.webp")
    given = [portrait(FATHER), portrait(MOTHER), *words, "--out", out, "--side", "64"]
    monkeypatch.setattr(sys, "argv", [name, *map(str, given)])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    written = Path(capsys.readouterr().out.splitlines()[-1])
    with Image.open(written) as picture:
        assert picture.width > 64 and len(picture.convert("L").getcolors(256)) > 50
        assert across is None or picture.width == across * (64 + 8) - 8
    assert written.parent == tmp_path or written == out / "tree.png"


def cells(kind: str) -> list[str]:
    """The notebook's cells of a kind."""
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_the_notebook_runs_from_above_to_below(capsys: pytest.CaptureFixture) -> None:
    known = {"__name__": "__main__"}
    first, *rest = cells("code")
    exec(compile(first, "cell 1", "exec"), known)
    known |= {"father_photo": portrait(FATHER), "mother_photo": portrait(MOTHER), "side": 64}
    for number, cell in enumerate(rest, start=2):
        exec(compile(cell, f"cell {number}", "exec"), known)
    assert known["picture"].width == 5 * (64 + 8) - 8
    assert len(known["kept"]) >= 4 and len(known["kept"]) + len(known["left_out"]) == 7
    one, other = (result.children[0].weight_map.values for result in known["results"])
    assert bool((one[0] != other[0]).all() and (one[0] == one[1]).all() and (one[0] != one[-1]).all())
    assert capsys.readouterr().out


def test_the_notebook_holds_no_outputs() -> None:
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    assert all(not cell.get("outputs") and cell.get("execution_count") is None for cell in notebook["cells"])


@pytest.mark.parametrize("name", [*PROGRAMS, NOTEBOOK.name])
def test_each_is_short_and_in_the_readme_with_its_picture(name: str) -> None:
    code = "\n".join(cells("code")) if name == NOTEBOOK.name else (EXAMPLES / name).read_text("utf-8")
    assert len(code.splitlines()) <= LONGEST
    text = (EXAMPLES / "README.md").read_text("utf-8")
    picture = f"pictures/{Path(name).stem}.webp"
    assert f"[{name}]({name})" in text and f"]({picture})" in text
    with Image.open(EXAMPLES / picture) as shown:
        assert min(shown.size) >= 200


def test_the_readme_names_nothing_that_is_not_there() -> None:
    text = (EXAMPLES / "README.md").read_text("utf-8")
    named = [target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target]
    assert named and [target for target in named if not (EXAMPLES / target).exists()] == []
