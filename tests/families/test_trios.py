"""Files of trios: what else they know of a family, and several as one."""

from pathlib import Path

import pytest
import torch

from kinblend import LatentSpace
from kinblend.datasets import Trios, join_trios, load_trios
from kinblend.errors import InputError
from kinblend.families.demographics import groups_of_pictures
from kinblend.families.trios import save_trios

SPACE = LatentSpace("test", 2, 4, "ab" * 32)


def made(count: int, identity: str = "dlib", **more: object) -> Trios:
    father, mother, child = torch.randn(3, count, 2, 4, generator=torch.Generator().manual_seed(count))
    names = [f"F{row}" for row in range(count)]
    return Trios(father, mother, child, torch.ones(count, 8), names, SPACE, identity=identity, **more)


def test_what_is_known_of_people_comes_back(tmp_path: Path) -> None:
    parents = {"father_embedding": torch.zeros(3, 8), "mother_embedding": torch.ones(3, 8)}
    trios = made(
        3, **parents, nuclear_families=["a", "a", "b"], children=["x", "y", "z"], groups={"sex": ["m", "f", ""]}
    )
    save_trios(tmp_path / "t.safetensors", trios)
    read = load_trios(tmp_path / "t.safetensors", SPACE)
    assert torch.equal(read.mother_embedding, parents["mother_embedding"])
    assert (read.nuclear_families, read.children, read.groups) == (
        ["a", "a", "b"],
        ["x", "y", "z"],
        {"sex": ["m", "f", ""]},
    )


def test_several_files_keep_their_splits_and_share_no_family() -> None:
    listed = made(3, splits=["train", "val", "train"], groups={"sex": ["m", "f", "m"]})
    drawn = made(40)
    both = join_trios([listed, drawn])
    assert len(set(both.families)) == 43
    assert list(both.splits[:3]) == ["train", "val", "train"]
    assert both.splits[3:] == list(drawn.row_splits(0))
    assert list(both.groups["sex"]) == ["m", "f", "m"] + [""] * 40
    assert both.father_embedding is None
    with pytest.raises(InputError, match="encode them alike"):
        join_trios([listed, made(3, identity="facenet")])


def test_some_of_them() -> None:
    some = made(5, groups={"sex": list("mfmfm")}).select([3, 1])
    assert some.families == ["F3", "F1"]
    assert some.groups == {"sex": ["f", "f"]}
    assert torch.equal(some.child, made(5).child[[3, 1]])


def test_ages_become_bands(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("picture,age,race\na.jpg,31.4,asian\nb.jpg,,\nc.jpg,7,\n")
    found = groups_of_pictures(tmp_path / "d.csv")
    assert found[Path("a.jpg")] == {"age": "20-39", "ethnicity": "asian"}
    assert found[Path("b.jpg")] == {"age": "", "ethnicity": ""}
    assert found[Path("c.jpg")]["age"] == "0-12"
    (tmp_path / "d.csv").write_text("age\n3\n")
    with pytest.raises(InputError, match="no column picture"):
        groups_of_pictures(tmp_path / "d.csv")
