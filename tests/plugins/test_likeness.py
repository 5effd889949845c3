"""Both parents are recognised in a child of `likeness`, or the one with the larger share."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from kinblend import Backbone, Context, LatentSpace, load_backbone, weighted_sum
from kinblend.backbone import make_plugin
from kinblend.errors import UnsupportedError
from kinblend.identity import identity_by_name


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load_backbone("morphable")


@pytest.fixture(scope="module")
def couple(backbone: Backbone) -> tuple[Tensor, Tensor]:
    father, mother = torch.randn(2, 4, 512, generator=torch.Generator().manual_seed(4)) * 0.7
    return father, mother


@torch.inference_mode()
def likeness(backbone: Backbone, code: Tensor, *others: Tensor) -> list[float]:
    """The cosines between the embeddings of pictures."""
    identity = identity_by_name("dlib")
    pictures = backbone.projector.synthesize(torch.stack([code, *others]), size=identity.best_side)
    embeddings = F.normalize(identity.of_pictures(pictures), dim=1)
    return (embeddings[1:] @ embeddings[0]).tolist()


def weights(backbone: Backbone, father: Tensor, mother: Tensor, **options: object) -> Tensor:
    return make_plugin("blender", "likeness", backbone.context, options).weights(father, mother, 0)


def test_the_child_is_more_like_both_than_the_average_is(backbone: Backbone, couple: tuple[Tensor, Tensor]) -> None:
    child = weighted_sum(*couple, weights(backbone, *couple))
    ours, average = (likeness(backbone, code, *couple) for code in (child, (couple[0] + couple[1]) / 2))
    assert sum(ours) > sum(average) + 0.01


def test_the_share_says_whom_it_is_more_like(backbone: Backbone, couple: tuple[Tensor, Tensor]) -> None:
    father, mother = (
        likeness(backbone, weighted_sum(*couple, weights(backbone, *couple, share=share)), *couple)
        for share in (0.8, 0.2)
    )
    assert father[0] > mother[0] + 0.02
    assert mother[1] > father[1] + 0.02


def test_two_parents_alike_have_a_child_alike(backbone: Backbone, couple: tuple[Tensor, Tensor]) -> None:
    found = weights(backbone, couple[0], couple[0])
    torch.testing.assert_close(weighted_sum(couple[0], couple[0], found), couple[0])


def test_it_works_where_gradients_are_switched_off(backbone: Backbone, couple: tuple[Tensor, Tensor]) -> None:
    with torch.inference_mode():
        there = weights(backbone, *(code.clone() for code in couple), steps=2)
    torch.testing.assert_close(there.clone(), weights(backbone, *couple, steps=2))


def test_without_a_backbone_it_says_so() -> None:
    with pytest.raises(UnsupportedError, match="needs a backbone"):
        make_plugin("blender", "likeness", Context(LatentSpace("none", 4, 512, "0" * 64)))
