"""`kinblend families trios` and `encode` on real pictures: what is rejected is listed, and nothing is done twice."""

import csv
import shutil
from pathlib import Path

import pytest
from plugin_site import Site
from portraits import portrait

from kinblend.datasets import load_trios


def test_trios_are_encoded_once_and_what_is_lost_is_listed(tmp_path: Path) -> None:
    site = Site(tmp_path)
    father, mother, child = (portrait(person) for person in ("P005", "P001", "P007"))
    (tmp_path / "text.jpg").write_text("no picture")
    rows = [f"A,{father},{mother},{child}", f"A,{father},{mother},text.jpg", f"B,{father},none.jpg,{child}"]
    (tmp_path / "list.csv").write_text("family,father,mother,child\n" + "\n".join(rows) + "\n")
    words = ["families", "encode", "list.csv", "--out", "trios.safetensors", "--workers", "1"]
    done = site.kinblend(*words)
    assert done.returncode == 0, done.stderr
    assert "1 of 3 trios; 2 pictures were rejected" in done.stderr
    rejected = (tmp_path / "trios.rejected.csv").read_text()
    assert "text.jpg" in rejected
    assert "none.jpg" in rejected
    assert all(len(row) == 2 for row in csv.reader(rejected.splitlines()))
    first = load_trios(tmp_path / "trios.safetensors")
    assert (tuple(first.father.shape), first.families) == ((1, 4, 512), ["A"])
    kept = sorted((tmp_path / "home" / "families").glob("*/*"))
    before = [path.stat().st_mtime_ns for path in kept]
    assert site.kinblend(*words).returncode == 0
    assert [path.stat().st_mtime_ns for path in kept] == before
    assert load_trios(tmp_path / "trios.safetensors").father.equal(first.father)


def test_trios_of_a_folder_go_straight_into_encode(tmp_path: Path) -> None:
    """A folder named as TSKinFace's: list, latents, and the split that the list named."""
    site = Site(tmp_path)
    (tmp_path / "set").mkdir()
    for person, name in (("P005", "F"), ("P001", "M"), ("P007", "S"), ("P008", "D")):
        shutil.copy(portrait(person), tmp_path / "set" / f"FMSD-1-{name}.jpg")
    done = site.here("families", "trios", "set", "--split", "0/1/0", "--out", "trios.parquet")
    assert done.returncode == 0, done.stderr
    assert "tskinface: 2 triples of 2 trios in 1 families" in done.stderr
    assert done.stdout.splitlines()[0] == "trios.parquet"
    done = site.here("families", "encode", "trios.parquet", "--out", "trios.safetensors", "--workers", "1")
    assert done.returncode == 0, done.stderr
    encoded = load_trios(tmp_path / "trios.safetensors")
    assert encoded.splits == ["val", "val"]
    assert encoded.split_rows(seed=0) == {"train": [], "val": [0, 1], "test": []}


@pytest.mark.parametrize("text", ["family,father\n", "family,father,mother,child\nA,a.jpg,b.jpg,c.jpg\n"])
def test_a_list_without_a_usable_trio_ends_with_code_3(text: str, tmp_path: Path) -> None:
    site = Site(tmp_path)
    (tmp_path / "list.csv").write_text(text)
    done = site.here("families", "encode", "list.csv", "--quiet", "--workers", "1")
    assert (done.returncode, done.stderr.count("\n")) == (3, 1)
    assert not (tmp_path / "trios.safetensors").exists()
