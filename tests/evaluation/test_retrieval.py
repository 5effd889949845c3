"""How often what belongs to a row is more like it than a candidate is."""

import math

import torch

from kinblend.evaluation.retrieval import auc


def test_a_tie_counts_half_and_who_is_no_candidate_not_at_all() -> None:
    own = torch.tensor([0.5, 0.5, 0.5])
    others = torch.tensor([[0.9, 0.1, 0.5, 0.2], [0.9, 0.1, 0.5, 0.2], [0.9, 0.1, 0.5, 0.2]])
    among = torch.tensor([[True, True, True, True], [True, False, False, False], [False, False, False, False]])
    found = auc(own, others, among).tolist()
    assert found[:2] == [2.5 / 4, 0.0]
    assert math.isnan(found[2])


def test_distances_of_parents_as_the_evaluation_of_a_backbone_counts_them() -> None:
    """Against the count written out: how many of the others are farther from the child than its parent is."""
    distances = torch.rand(20, 7, generator=torch.Generator().manual_seed(0))
    side = torch.randint(0, 7, (20,), generator=torch.Generator().manual_seed(1))
    own = distances[torch.arange(20), side]
    plain = (distances > own[:, None]).float().sum(1) / 6
    torch.testing.assert_close(auc(-own, -distances, torch.arange(7) != side[:, None]), plain)
