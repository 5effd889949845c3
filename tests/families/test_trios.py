"""Files of trios: what else they know of a family, and several as one."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from kinblend import IdentityNetwork, LatentSpace
from kinblend.datasets import Trios, join_trios, load_trios
from kinblend.errors import InputError, UsageError
from kinblend.families.demographics import groups_of_pictures
from kinblend.families.trios import save_trios
from kinblend.identity.joint import JointIdentity

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


class Known(IdentityNetwork):
    """A network of which only the name and the size matter."""

    input_side, distribution = 8, "tests 1"

    def __init__(self, name: str, embedding_size: int) -> None:
        self.name, self.embedding_size = name, embedding_size

    def embed_pictures(self, pictures: Tensor) -> Tensor:
        raise AssertionError("no picture is looked at")


def test_the_embeddings_of_one_network_of_several(monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = Known("one", 3), Known("other", 5)
    known = {"one": one, "other": other, "one+other": JointIdentity([one, other]), "third": Known("third", 3)}
    monkeypatch.setattr("kinblend.identity.load_identity", known.__getitem__)
    joint = replace(made(4, "one+other"), embedding=torch.arange(32.0).view(4, 8), father_embedding=torch.ones(4, 8))
    assert joint.seen_by(None) is joint.seen_by("one+other") is joint
    chosen = joint.seen_by("other")
    assert chosen.identity == "other"
    assert chosen.embedding.tolist()[0] == [3, 4, 5, 6, 7]
    assert chosen.father_embedding is not None and chosen.father_embedding.shape == (4, 5)
    assert chosen.mother_embedding is None
    assert joint.seen_by("one").embedding.tolist()[1] == [8, 9, 10]
    with pytest.raises(UsageError, match="of one and other, not of third"):
        joint.seen_by("third")
    with pytest.raises(UsageError, match="of other, not of one; encode them anew"):
        chosen.seen_by("one")


def test_ages_become_bands(tmp_path: Path) -> None:
    (tmp_path / "d.csv").write_text("picture,age,race\na.jpg,31.4,asian\nb.jpg,,\nc.jpg,7,\n")
    found = groups_of_pictures(tmp_path / "d.csv")
    assert found[Path("a.jpg")] == {"age": "20-39", "ethnicity": "asian"}
    assert found[Path("b.jpg")] == {"age": "", "ethnicity": ""}
    assert found[Path("c.jpg")]["age"] == "0-12"
    (tmp_path / "d.csv").write_text("age\n3\n")
    with pytest.raises(InputError, match="no column picture"):
        groups_of_pictures(tmp_path / "d.csv")
