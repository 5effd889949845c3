"""Somebody else's broken distribution is named, and stops neither kinblend nor the libraries it uses."""

import json
import os
import subprocess
import sys
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kinblend import distributions

BROKEN: dict[str, bytes] = {
    "line": b"[other]\nbad line\n",
    "ours": b"[kinblend]\njust_a_module\n",
    "late": b"[console_scripts]\na = b:c\n\n[other]\n# a comment\nx = y\nno sign here\n",
    "page": b"<html><body>Not found</body></html>\n",
    "encoding": b"[other]\nn\xe4me = m\xf6dule\n",
    "zeros": b"[other]\n\0\0\0\n",
    "colon": b"[other]\nname: module\n",
    "utf16": "[other]\nname = module\n".encode("utf-16"),
    "letters": b"[other]\nname == module\nx\n",
    "json": b'{"console_scripts": {"a": "b"}}',
    "crlf": b"[other]\r\nbad line\r\n",
}


def install(folder: Path, name: str, content: bytes) -> None:
    info = folder / f"kb{name}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: kb{name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_bytes(content)


def can_be_read(info: Path) -> bool:
    """Whether Python itself reads it: it passes over what stands before the first group."""
    try:
        return bool(PathDistribution(info).entry_points or True)
    except Exception:
        return False


def python(folder: Path, *words: str) -> subprocess.CompletedProcess:
    """A process that has imported nothing yet: torch looks at entry points when it is imported."""
    path = os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))
    environ = {k: v for k, v in os.environ.items() if k not in distributions.SWITCHES} | {"PYTHONPATH": path}
    return subprocess.run([sys.executable, *words], env=environ, capture_output=True, text=True, check=False)


def test_kinblend_works_beside_any_broken_distribution_and_names_it(tmp_path: Path) -> None:
    for name, content in BROKEN.items():
        install(tmp_path, name, content)
    done = python(tmp_path, "-m", "kinblend.cli", "plugins", "--json")
    assert done.returncode == 0, done.stderr
    errors = {plugin["distribution"]: plugin["error"] for plugin in json.loads(done.stdout) if plugin["error"]}
    assert set(errors) == {f"kb{name}" for name in BROKEN if not can_be_read(tmp_path / f"kb{name}-1.0.dist-info")}
    assert len(errors) >= 8
    assert all("entry_points.txt" in error and "\n" not in error for error in errors.values())
    assert "line 2 of its entry_points.txt, 'bad line'" in errors["kbline"]


def test_torch_and_pydantic_start_beside_one(tmp_path: Path) -> None:
    install(tmp_path, "line", BROKEN["line"])
    broken = python(tmp_path, "-c", "import torch")
    assert broken.returncode != 0 and "Pair" in broken.stderr, "torch looks on its own, so kinblend need not"
    code = "import kinblend; engine = kinblend.load_backbone('morphable'); print(engine.encoder.name, engine.space)"
    done = python(tmp_path, "-c", code)
    assert done.returncode == 0, done.stderr
    listed = python(tmp_path, "-m", "kinblend.cli", "blenders", "list")
    assert listed.returncode == 0 and "Error" not in listed.stderr and "average" in listed.stdout
    doctor = python(tmp_path, "-m", "kinblend.cli", "doctor")
    problems = [line for line in doctor.stdout.splitlines() if "PROBLEM" in line]
    assert len(problems) == 1 and "kbline" in problems[0] and problems[0].startswith("plugins")


def test_nothing_is_switched_off_where_all_can_be_read() -> None:
    code = f"import kinblend, os; print([n for n in {list(distributions.SWITCHES)} if n in os.environ])"
    done = python(Path("nowhere"), "-c", code)
    assert done.stdout == "[]\n", done.stderr


@settings(max_examples=100, deadline=None)
@given(
    before=st.lists(st.sampled_from(["", "# a comment", "[group]", "name = module:attribute", "a=b"]), max_size=6),
    line=st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="=#["), min_size=1),
)
def test_the_line_that_is_wrong_is_named(before: list[str], line: str) -> None:
    class Found:
        def read_text(self, name: str) -> str:
            return "\n".join([*before, line, "name = module"])

    said = distributions._reason(Found(), TypeError("Pair"))  # type: ignore[arg-type]
    assert said.startswith(f"line {len(before) + 1} of its entry_points.txt, ") and repr(line[:60]) in said


def test_the_first_of_two_of_a_name_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder, module in (("one", "first"), ("two", "second")):
        install(tmp_path / folder, "same", f"[kinblend-test]\nx = {module}\n".encode())
    monkeypatch.setattr(sys, "path", [str(tmp_path / "one"), str(tmp_path / "two"), *sys.path])
    points, _ = distributions.entry_points.__wrapped__()
    assert [point.value for point in points.select(group="kinblend-test")] == ["first"]


def test_one_distribution_in_two_layouts_is_listed_once(tmp_path: Path) -> None:
    """Whoever stands in the source folder of a plugin that is installed elsewhere."""
    for folder in ("kin_dash-1.0.dist-info", "kin_dash.egg-info"):
        info = tmp_path / folder
        info.mkdir()
        (info / ("METADATA" if folder.endswith("dist-info") else "PKG-INFO")).write_text(
            "Name: kin-dash\nVersion: 1.0\n"
        )
        (info / "entry_points.txt").write_text("[kinblend]\ndash = json\n")
    done = python(tmp_path, "-m", "kinblend.cli", "plugins", "--json")
    assert [one["name"] for one in json.loads(done.stdout)].count("dash") == 1, done.stderr
