"""Parts of a face for mixing pictures: each where its landmarks are, none in another's place."""

import numpy as np
import pytest

from kinblend.faces import COLOURED, PARTS, colour_masks, part_masks
from kinblend_plugins.morphable.model import Morphable

SIDE = 128


@pytest.fixture(scope="module")
def points() -> np.ndarray:
    """The mean face's landmarks in pixels of a crop; of the inner lips the line between them, twice."""
    from kinblend import load_backbone

    shape = Morphable.load(load_backbone("morphable").pack.files["generator.safetensors"]).mean_shape.numpy() * SIDE
    return np.concatenate([shape[:60], shape[60:61], shape[60:63], shape[62:63], shape[62:59:-1]])


def test_every_part_is_there_and_none_lies_over_another(points: np.ndarray) -> None:
    masks = part_masks(points, SIDE)
    assert tuple(masks) == PARTS
    assert all(0.005 < mask.mean() < 0.7 for mask in masks.values())
    assert np.stack(list(masks.values())).sum(0).max() == 1


def test_each_part_is_where_its_landmarks_are(points: np.ndarray) -> None:
    masks = part_masks(points, SIDE)
    for name, place in (("eyes", 37), ("brows", 19), ("nose", 30), ("mouth", 51), ("jaw", 8)):
        x, y = points[place].round().astype(int)
        assert masks[name][max(y - 6, 0) : y + 7, max(x - 6, 0) : x + 7].any(), name
    assert masks["hair"][0].all() and not masks["hair"][-1].any()


def test_colours_are_of_the_part_itself(points: np.ndarray) -> None:
    masks, colours = part_masks(points, SIDE), colour_masks(points, SIDE)
    assert tuple(colours) == COLOURED
    for name, mask in colours.items():
        assert mask.any() and not (mask & ~masks[name]).any()


def test_they_move_and_grow_with_the_face(points: np.ndarray) -> None:
    small, large = (part_masks(points * factor, SIDE * factor) for factor in (1, 2))
    for name in PARTS:
        assert abs(small[name].mean() - large[name].mean()) < 0.01
