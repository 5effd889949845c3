"""Parents and children told by their faces."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from plugin_site import here
from portraits import portrait
from torch.nn.functional import normalize

from kinblend.errors import InputError
from kinblend.evaluation.kinship import evaluate_pairs
from kinblend.families.model import Person
from kinblend.families.pairs import Pair


def made(count: int, like: float) -> tuple[list[Pair], dict[Path, torch.Tensor]]:
    """Pairs in random directions; like: how much of the parent a child's embedding has."""
    draw = torch.Generator().manual_seed(5)
    listed, embeddings = [], {}
    for number in range(count):
        files = [Path(f"{number}-{role}") for role in "pc"]
        parent, own = torch.randn(2, 32, generator=draw)
        embeddings |= dict(zip(files, normalize(torch.stack([parent, like * parent + own])), strict=True))
        people = [Person(role, None, (file,)) for role, file in zip("pc", files, strict=True)]
        listed.append(Pair(f"F{number}", ("father–son", "mother–son")[number % 2], *people))
    return listed, embeddings


def test_children_who_are_like_their_parents_are_found_and_others_by_chance() -> None:
    found = evaluate_pairs(*made(200, like=9))
    assert list(found) == ["father–son", "mother–son", "all"]
    assert (found["all"]["auc"]["mean"], found["all"]["first"]) == (1, 1)
    assert found["all"]["accuracy"] > 0.98
    assert (found["father–son"]["pairs"], found["all"]["children"]) == (100, 100)
    chance = evaluate_pairs(*made(200, like=0))["all"]
    assert 0.4 < chance["auc"]["mean"] < 0.6
    assert 0.4 < chance["accuracy"] < 0.6
    assert chance["first"] < 0.05


def test_the_same_seed_gives_the_same_figures_and_few_families_no_accuracy() -> None:
    assert evaluate_pairs(*made(40, 0.5), seed=3) == evaluate_pairs(*made(40, 0.5), seed=3)
    assert evaluate_pairs(*made(6, 0.5))["father–son"]["accuracy"] is None


def test_nothing_to_compare_is_refused() -> None:
    listed, embeddings = made(2, 1)
    with pytest.raises(InputError, match="no two families"):
        evaluate_pairs(listed[:1], embeddings)
    with pytest.raises(InputError, match="no two families"):
        evaluate_pairs(listed, {})


def test_a_folder_of_pairs_is_evaluated(tmp_path: Path) -> None:
    folder = tmp_path / "father-son"
    folder.mkdir()
    for number in (1, 2):
        shutil.copy(portrait("P005"), folder / f"fs_00{number}_1.jpg")
        shutil.copy(portrait("P001"), folder / f"fs_00{number}_2.jpg")
    (folder / "fs_003_1.jpg").write_text("no picture")
    shutil.copy(portrait("P001"), folder / "fs_003_2.jpg")
    code, out, said = here("evaluate", "kinship", tmp_path, "--json")
    assert code == 0, said
    assert "kinfacew: 3 pairs, 6 pictures; 1 without one face" in said
    relation = json.loads(out)["relations"]["father–son"]
    assert (relation["pairs"], relation["auc"]["mean"]) == (2, 0.5)
