"""`mkdocs build --strict` succeeds, and what it writes asks no other host for anything."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from site_pages import ROOT

for needed in ("mkdocs", "material", "mkdocstrings"):
    pytest.importorskip(needed, reason="the extra kinblend[docs] is not installed")

# What a browser fetches by itself; links that a reader may follow are no matter.
HOST = r"=[\"']?(?:https?:)?//[^\"' >]+"
LOADED = re.compile(rf"<(?:script|img|iframe|source)[^>]*\ssrc{HOST}|<link(?![^>]*canonical)[^>]*href{HOST}")
IN_STYLES = re.compile(r"(?:url\(|@import )[\"']?(?:https?:)?//[^\"')]+")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "built"
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environ = os.environ | {"NO_MKDOCS_2_WARNING": "1", "KINBLEND_HOME": str(folder.parent / "home")}
    done = subprocess.run(words, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_nothing_is_loaded_from_other_hosts(site: Path) -> None:
    found = {
        f"{path.relative_to(site)}: {hit}"
        for path in site.rglob("*")
        if path.suffix in (".html", ".css")
        for hit in (LOADED if path.suffix == ".html" else IN_STYLES).findall(path.read_text("utf-8"))
    }
    assert found == set()


def test_pages_that_are_generated_are_there(site: Path) -> None:
    for place, words in {
        "reference/commands/make.html": "--children",
        "reference/options/blenders.html": "blender.share",
        "reference/python/kinblend.html": "Predicts children of two people.",
        "reference/hooks.html": "kinblend_register_blenders",
        "about/licences.html": "non-commercial",
    }.items():
        assert words in (site / place).read_text("utf-8"), place


def test_docs_of_the_code_host_become_pages_as_they_look_there(site: Path) -> None:
    """A list right after a paragraph, and a bar inside code inside a table."""
    assert "<li><code>learned</code> asks a network once" in (site / "learned-blender.html").read_text("utf-8")
    assert "-&gt; Path | None</code>" in (site / "plugins.html").read_text("utf-8")


def test_the_builders_own_files_are_no_part_of_the_site(site: Path) -> None:
    assert not (site / "generate").exists()
