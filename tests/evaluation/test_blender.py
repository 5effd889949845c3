"""Predicted children against true ones."""

import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from kinblend import DevicePool, LatentSpace, load_backbone
from kinblend.datasets import Trios
from kinblend.errors import InputError, UsageError
from kinblend.evaluation.blender import BlenderEvaluator, couples, default_strategies, evaluate, select_test_rows
from kinblend.evaluation.blender_report import _dominance, auc_rows, write_evaluation
from kinblend.evaluation.bootstrap import _choices, over_families
from kinblend.evaluation.retrieval import candidates, mean_auc, scores, siblings
from kinblend.identity import load_identity

select_test_rows.__test__ = False  # a function of ours, no test


def made(count: int, sexes: str = "mf", dim: int = 8) -> Trios:
    space = LatentSpace("test", 2, 4, "ab" * 32)
    father, mother, child = torch.randn(3, count, 2, 4, generator=torch.Generator().manual_seed(count))
    embedding = F.normalize(torch.randn(count, dim, generator=torch.Generator().manual_seed(1)), dim=1)
    return Trios(
        father,
        mother,
        child,
        embedding,
        [f"F{row // 2}" for row in range(count)],
        space,
        splits=["test"] * count,
        nuclear_families=[f"H{row // 2}" for row in range(count)],
        children=[f"C{row}" for row in range(count)],
        groups={"sex": [sexes[row % len(sexes)] for row in range(count)]},
    )


def test_an_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """200 draws of 40 families of several rows, rows of a family alike: the mean is in 95 % of the intervals."""
    numbers, inside = random.Random(3), 0
    for draw in range(200):
        means = [numbers.gauss(0, 1) for _ in range(40)]
        families = [f"F{row // 3}" for row in range(120)]
        values = torch.tensor([means[row // 3] + numbers.gauss(0, 0.1) for row in range(120)])
        found = over_families(values, families, draw)
        inside += found.low <= 0 <= found.high
    assert 0.89 <= inside / 200 <= 0.99


def test_every_family_counts_once_and_nan_not_at_all() -> None:
    values = torch.tensor([1.0, 1.0, 1.0, 0.0, torch.nan])
    found = over_families(values, ["A", "A", "A", "B", "C"])
    assert (found.mean, found.families) == (0.5, 2)
    assert over_families(torch.tensor([torch.nan]), ["A"]) is None


def test_candidates_are_of_another_family_and_the_same_sex() -> None:
    trios = made(8)
    others = candidates(trios)
    assert others[0].tolist() == [False, False, True, False, True, False, True, False]
    assert candidates(made(8, sexes=" ").__class__(**{**vars(trios), "groups": {}}))[0].sum() == 6


def test_scores_of_the_truth_of_its_opposite_and_of_chance() -> None:
    trios = made(200, dim=64)
    others, truth = candidates(trios), trios.embedding
    right, wrong = scores(truth, truth, others), scores(-truth, truth, others)
    assert (float(right.auc.mean()), float(right.rank.max())) == (1, 1)
    assert float(wrong.auc.mean()) < 0.01
    chance = scores(
        F.normalize(torch.randn(200, 64, generator=torch.Generator().manual_seed(9)), dim=1), truth, others
    )
    assert 0.4 < float(chance.auc.mean()) < 0.6
    torch.testing.assert_close(chance.rank, 1 + others.sum(1) * (1 - chance.auc))


def test_whoever_is_compared_with_nobody_has_no_rank() -> None:
    trios = made(8)
    alone = torch.zeros(8, 8, dtype=torch.bool)
    found = scores(trios.embedding, trios.embedding, alone)
    assert found.rank.isnan().all() and found.auc.isnan().all()


def test_siblings_are_other_children_of_the_house() -> None:
    trios = made(6)
    found = siblings(trios, trios)
    torch.testing.assert_close(found[0], trios.embedding[1])
    torch.testing.assert_close(found[3], trios.embedding[2])
    alone = made(6)
    assert bool(torch.isnan(siblings(alone, Trios(**{**vars(alone), "nuclear_families": [""] * 6}))[0]).all())


def test_so_many_rows_of_each_test_family() -> None:
    assert len(select_test_rows(made(20), 0, 1)) == 10
    assert sorted(select_test_rows(made(20), 0, 5)) == list(range(20))
    with pytest.raises(InputError, match="test part"):
        select_test_rows(Trios(**{**vars(made(4)), "splits": ["train"] * 4}), 0, 1)


def test_children_made_by_a_strategy_are_told_by_it(tmp_path: Path) -> None:
    """The true children are their fathers' pictures: the father alone finds them all, the mother alone few."""
    backbone = load_backbone("morphable")
    father, mother = torch.randn(2, 6, 4, 512, generator=torch.Generator().manual_seed(0)) * 0.7
    identity = load_identity("dlib")
    with torch.inference_mode():
        embedding = identity.embed_pictures(backbone.projector.synthesize(father, size=identity.input_side)).clone()
    names = [f"F{row}" for row in range(6)]
    trios = Trios(father, mother, father, embedding, names, backbone.space, ["test"] * 6, embedding, -embedding)
    strategies = default_strategies(backbone, only=("father alone", "mother alone", "mask"))
    assert set(strategies) == {"father alone", "mother alone", "mask"}
    with pytest.raises(UsageError, match=r"no strategy 'averages' to evaluate; there are: .*average"):
        default_strategies(backbone, only=("mask", "averages"))
    report = evaluate(backbone, trios, list(range(6)), strategies, pictures=2)
    auc = {name: line["figures"]["auc"]["mean"] for name, line in report["strategies"].items()}
    assert auc["father alone"] == 1
    assert auc["mother alone"] < 0.9
    assert report["strategies"]["father alone"]["figures"]["father"]["mean"] == pytest.approx(1, abs=1e-3)
    assert report["strategies"]["father alone"]["figures"]["diversity"]["mean"] == 0
    assert report["strategies"]["mask"]["figures"]["diversity"]["mean"] > 0
    assert report["references"]["father's photograph"]["figures"]["auc"]["mean"] == 1
    written = write_evaluation(tmp_path, report)
    assert "| father alone | 1.000 [1.000, 1.000] |" in written[0].read_text()
    assert written[2].read_bytes().startswith(b"\x89PNG")
    errors = {name: line["attributes"] for name, line in report["strategies"].items()}
    assert errors["father alone"]["face shape"]["mean"] < 1e-6 < errors["mother alone"]["face shape"]["mean"]
    assert errors["mother alone"] == report["attributes"]["mother"]
    assert report["attributes"]["father"]["complexion"]["mean"] < 1e-6
    text = written[0].read_text()
    assert "| an unrelated child |" in text.split("## Attributes")[1]
    assert "## Dominance" not in text, "two families say nothing of it"
    assert 'references,mother,"squared error, complexion"' in written[1].read_text()
    assert [row[0] for row in auc_rows(report)][:2] == ["father alone", "mother alone"]


def test_in_half_precision_predictions_are_nearly_the_same() -> None:
    plain, rounded = (load_backbone("morphable", DevicePool("cpu", precision=kind)) for kind in ("fp32", "bf16"))
    trios = replace(made(3), space=plain.space)
    codes = torch.randn(2, 4, 512) * 0.3
    one, other = (BlenderEvaluator(backbone, trios).predict(codes) for backbone in (plain, rounded))
    assert one.dtype == other.dtype == torch.float32
    assert (one * other).sum(1).min() > 0.98
    assert {record.name for record in rounded.pool.records} == {"projector"}


def test_dominance_is_shown_only_where_it_is_seen() -> None:
    low, high = ({"mean": m, "low": m - 0.1, "high": m + 0.1, "families": 9} for m in (0.0, 0.5))
    found = {
        "skin L*": {"share": high, "null": low, "seen": True},
        "eye L*": {"share": low, "null": low, "seen": False},
    }
    table = _dominance({"dominance": found})[-1]
    assert "| skin L* | 0.500 [0.400, 0.600] | 0.000 [-0.100, 0.100] |" in table
    assert "| eye L* | no dominance seen | 0.000 [-0.100, 0.100] |" in table


def test_one_auc_for_training_and_evaluation() -> None:
    """Children of the other sex are no candidates, and a single family has nobody to be compared with."""
    trios = replace(made(4), groups={"sex": ["m", "f", "m", "f"]})
    truth = torch.eye(4)
    found = torch.tensor([[0.6, 0, 0, 0.8], [0, 1.0, 0, 0], [0, 0, 1.0, 0], [0, 0, 0, 1.0]])
    assert mean_auc(trios, found, truth) == 1, "the first looks like a girl of another family, which says nothing"
    assert mean_auc(replace(trios, groups={}), found, truth) < 1
    assert math.isnan(mean_auc(trios.select([0]), found[:1], truth[:1]))


def test_the_bootstrap_draws_what_pythons_generator_draws() -> None:
    numbers = random.Random(7)
    assert _choices(11, 7)[:5].tolist() == [numbers.choices(range(11), k=11) for _ in range(5)]


def drawn_faces(families: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor, Trios]:
    """Predictions that know something of the true children; the two children of a family are alike."""
    shared = torch.randn(families, 1, 16, generator=generator)
    truth = F.normalize((shared + torch.randn(families, 2, 16, generator=generator)).flatten(0, 1), dim=1)
    found = F.normalize(truth + 0.4 * torch.randn(truth.shape, generator=generator), dim=1)
    return found, truth, made(2 * families, sexes="m")


def test_an_interval_of_auc_covers_the_true_one_about_as_often_as_it_says() -> None:
    """The true AUC is that of 6000 families, by far more than the intervals' 30."""
    generator = torch.Generator().manual_seed(0)
    found, truth, _ = drawn_faces(6000, generator)
    families = torch.arange(len(found)) // 2
    some = torch.arange(0, len(found), 6)
    others = families[some][:, None] != families[None]
    own = (found[some] * truth[some]).sum(1, keepdim=True)
    known = float((((found[some] @ truth.T) < own) & others).sum() / others.sum())
    assert 0.6 < known < 0.98
    inside = 0
    for draw in range(200):
        found, truth, trios = drawn_faces(30, generator)
        interval = over_families(scores(found, truth, candidates(trios)).auc, trios.families, draw)
        inside += interval.low <= known <= interval.high
    assert 0.90 <= inside / 200 <= 0.99


def test_families_count_once_in_training_too() -> None:
    """Three trios of one family and one of another, with AUC 1 and 0."""
    trios = replace(made(4), families=["A", "A", "A", "B"], groups={})
    truth, found = torch.eye(4), torch.eye(4)
    found[3] = F.normalize(torch.tensor([1.0, 1.0, 1.0, 0]), dim=0)
    assert mean_auc(trios, found, truth) == pytest.approx(0.5)
    assert over_families(scores(found, truth, candidates(trios)).auc, trios.families).mean == pytest.approx(0.5)


def test_couples_of_mixed_ethnicity_are_a_group_and_small_groups_are_named() -> None:
    trios = made(24)
    father = ["x"] * 24
    mother = ["x"] * 12 + ["y"] * 10 + [""] * 2
    trios = replace(
        trios, groups={"father ethnicity": father, "mother ethnicity": mother, "age": ["0-12"] * 6 + [""] * 18}
    )
    assert couples(trios)["couple"] == ["of one ethnicity"] * 12 + ["of mixed ethnicity"] * 10 + [""] * 2
    judge = BlenderEvaluator(load_backbone("morphable"), trios)
    groups = judge.line(trios.embedding, None).groups
    assert {name: found.families for name, found in groups.items()} == {
        "couple of one ethnicity": 6,
        "couple of mixed ethnicity": 5,
    }
    assert judge.small_groups() == {"age 0-12": 3}
    assert couples(made(4)) == {}
