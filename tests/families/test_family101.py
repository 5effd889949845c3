"""Family101: what a planted tree was given is what the report says, defect by defect."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from planted_families import QUIRKS, plant
from plugin_site import Site

from kinblend.families.readers import read_families
from kinblend.families.stats import statistics


@settings(max_examples=200, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    families=st.integers(1, 4),
    quirks=st.frozensets(st.sampled_from(QUIRKS)),
)
def test_the_planted_counts_come_out_exactly(seed: int, families: int, quirks: frozenset[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        planted = plant(Path(folder), seed, families, quirks)
        name, found = read_families(folder)
    figures = statistics(found)
    assert name == "family101"
    assert {key: figures[key] for key in planted.figures()} == planted.figures()
    assert figures["defects_by_kind"] == {kind: n for kind, n in planted.defects.items() if n}
    removed = {one["rule"]: one["count"] for one in figures["removed"][:5] if one["count"]}
    assert removed == dict(planted.removed)
    assert all(one["file"] and one["reason"] for one in figures["defects"])


def test_every_quirk_is_planted_somewhere(tmp_path: Path) -> None:
    planted = plant(tmp_path, 5, 40, frozenset(QUIRKS))
    expected = {"number used twice", "two of HUSB", "two of WIFE", "person without folder", "folder without pictures"}
    expected |= {"empty file", "malformed row", "unknown role", "person listed twice", "folder not listed"}
    assert {kind for kind, count in planted.defects.items() if count} == expected
    assert set(planted.removed) == {"no father", "no mother", "no child", "several fathers", "several mothers"}
    assert statistics(read_families(tmp_path)[1])["individuals_in_several_nuclear_families"] > 0


def test_a_defect_names_its_line(tmp_path: Path) -> None:
    rows = ["0\tFAMI\tA", "", "1\tHUSB\tJohn", "1\tWIFE\tAda", "1\tNEPH\tJim", "1\tSONN\tTom"]
    (tmp_path / "FAMILY101.txt").write_bytes("\r\n".join(rows).encode())
    found = read_families(tmp_path)[1]
    assert [(d.line, d.kind) for d in found.defects if d.line] == [
        (5, "unknown role"),
        (1, "family without folder"),
        (3, "person without folder"),
        (4, "person without folder"),
        (6, "person without folder"),
    ]
    assert [trio.child for _, house in found.nuclear() for trio in house.trios()] == ["Tom"]


def test_parents_after_children_begin_a_house_of_their_own(tmp_path: Path) -> None:
    """One number for two couples in a row: whose children are whose is told by the order."""
    rows = ["0\tFAMI\tA", "1\tHUSB\tJohn", "1\tWIFE\tAda", "1\tSONN\tTom"]
    rows += ["1\tHUSB\tPer", "1\tWIFE\tIda", "1\tDAUG\tEva"]
    (tmp_path / "FAMILY101.txt").write_bytes("\r\n".join(rows).encode())
    found = read_families(tmp_path)[1]
    trios = [(t.father, t.mother, t.child) for _, house in found.nuclear() for t in house.trios()]
    assert trios == [("John", "Ada", "Tom"), ("Per", "Ida", "Eva")]
    assert [d.line for d in found.defects if d.kind == "number used twice"] == [5]


def test_the_command_says_the_same_and_writes_a_page(tmp_path: Path) -> None:
    site = Site(tmp_path)
    planted = plant(tmp_path / "José’s set", 3, 12, frozenset(QUIRKS))
    done = site.here("families", "stats", "José’s set", "--format", "family101", "--json", "--out", "r.html")
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert {key: figures[key] for key in planted.figures()} == planted.figures()
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "What each rule took away" in page
    assert "is not a picture that kinblend reads" in page  # the planted pictures are none, and the page says so
