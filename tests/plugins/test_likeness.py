"""A child of `likeness` is like both parents, like the one with the larger share, or as families let one expect."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from kinblend import Backbone, Context, LatentSpace, load_backbone
from kinblend.backbone import make_plugin
from kinblend.blend import weighted_sum
from kinblend.errors import OptionError, UnsupportedError, WeightsMissingError
from kinblend.identity import load_identity
from kinblend_plugins.blenders.heredity import Heredity, save_heredity


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
    identity = load_identity("dlib")
    pictures = backbone.projector.synthesize(torch.stack([code, *others]), size=identity.input_side)
    embeddings = F.normalize(identity.embed_pictures(pictures), dim=1)
    return (embeddings[1:] @ embeddings[0]).tolist()


def weights(backbone: Backbone, father: Tensor, mother: Tensor, **options: object) -> Tensor:
    return make_plugin("blender", "likeness", backbone.context, {"heredity": 0, **options}).weights(father, mother, 0)


def test_the_child_is_more_like_both_than_the_average_is(backbone: Backbone, couple: tuple[Tensor, Tensor]) -> None:
    child = weighted_sum(*couple, weights(backbone, *couple))
    ours, average = (likeness(backbone, code, *couple) for code in (child, (couple[0] + couple[1]) / 2))
    assert sum(ours) > sum(average) + 0.01


def test_along_the_gradient_a_few_steps_do_and_what_shows_most_moves_most(
    backbone: Backbone, couple: tuple[Tensor, Tensor]
) -> None:
    along = weights(backbone, *couple, steps=5, search="gradient")
    ours, average = (
        likeness(backbone, code, *couple) for code in (weighted_sum(*couple, along), (couple[0] + couple[1]) / 2)
    )
    assert sum(ours) > sum(average)
    moved, by_adam = ((found.clamp(1e-6, 1 - 1e-6).logit().abs()) for found in (along, weights(backbone, *couple)))
    assert moved.square().mean().sqrt() < 0.51
    assert moved.quantile(0.99) / moved.mean() > by_adam.quantile(0.99) / by_adam.mean()


def test_smaller_pictures_find_another_child_that_is_like_both(
    backbone: Backbone, couple: tuple[Tensor, Tensor]
) -> None:
    large, small = (weights(backbone, *couple, picture_size=size) for size in (None, 128))
    assert not torch.equal(large, small)
    average = sum(likeness(backbone, (couple[0] + couple[1]) / 2, *couple))
    assert sum(likeness(backbone, weighted_sum(*couple, small), *couple)) > average + 0.01


def test_no_gradient_has_no_direction(backbone: Backbone, couple: tuple[Tensor, Tensor]) -> None:
    found = weights(backbone, couple[0], couple[0].clone(), steps=2, search="gradient")
    torch.testing.assert_close(found, torch.full_like(found, 0.5), rtol=0, atol=0)


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


def test_the_seed_changes_nothing_and_another_couple_does(backbone: Backbone, couple: tuple[Tensor, Tensor]) -> None:
    strategy = make_plugin("blender", "likeness", backbone.context, {"steps": 2})
    first, again = (strategy.weights(*couple, seed) for seed in (0, 1))
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    other = strategy.weights(couple[0], couple[1] + 1, 0)
    assert not torch.equal(first, other)
    torch.testing.assert_close(strategy.weights(*couple, 0), first)


def test_it_works_where_gradients_are_switched_off(backbone: Backbone, couple: tuple[Tensor, Tensor]) -> None:
    with torch.inference_mode():
        there = weights(backbone, *(code.clone() for code in couple), steps=2)
    torch.testing.assert_close(there.clone(), weights(backbone, *couple, steps=2))


def test_heredity_says_whom_it_is_to_be_like(
    backbone: Backbone, couple: tuple[Tensor, Tensor], tmp_path: Path
) -> None:
    """Here families are said to teach that children take after somebody else altogether."""
    other = torch.randn(4, 512, generator=torch.Generator().manual_seed(5)) * 0.7
    heredity = Heredity(128, "dlib")
    with torch.inference_mode():
        picture = backbone.projector.synthesize(other[None], size=load_identity("dlib").input_side)
        embedding = F.normalize(load_identity("dlib").embed_pictures(picture), dim=1)[0]
    with torch.no_grad():
        heredity.change.bias.copy_(50 * embedding)
    save_heredity(tmp_path / "heredity.safetensors", heredity)
    found = [
        weights(backbone, *couple, heredity=much, weights=tmp_path / "heredity.safetensors")
        for much in (0.0, 0.5, 1.0)
    ]
    nothing, half, all_of_it = (likeness(backbone, weighted_sum(*couple, each), other)[0] for each in found)
    assert nothing + 0.01 < half < all_of_it


def test_what_heredity_lacks_is_named(backbone: Backbone, tmp_path: Path) -> None:
    files = {name: file for name, file in backbone.context.files.items() if name != "heredity.safetensors"}
    bare = replace(backbone.context, files=files)
    with pytest.raises(WeightsMissingError, match="train blender likeness"):
        make_plugin("blender", "likeness", bare)
    make_plugin("blender", "likeness", bare, {"heredity": 0})
    save_heredity(tmp_path / "other.safetensors", Heredity(512, "facenet"))
    with pytest.raises(OptionError, match="facenet's embeddings"):
        make_plugin("blender", "likeness", bare, {"weights": tmp_path / "other.safetensors"})


def test_without_a_backbone_it_says_so() -> None:
    with pytest.raises(UnsupportedError, match="needs a backbone"):
        make_plugin("blender", "likeness", Context(LatentSpace("none", 4, 512, "0" * 64)))
