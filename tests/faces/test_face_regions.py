"""Parts of a face, from its landmarks in a picture of the embedded backbone."""

import numpy as np
import torch

from kinblend import Latent, load_backbone
from kinblend.faces.face_regions import REGIONS, masks_of, region_masks
from kinblend.faces.landmarks import predict_in_crop

INSIDE = {"eyes": (36, 39, 42, 45), "brows": (19, 24), "nose": (30, 33), "mouth": (48, 51, 54, 57)}


def test_each_pixel_is_in_one_region_and_each_landmark_in_its_own() -> None:
    backbone = load_backbone("morphable")
    space = backbone.space
    [picture] = backbone.render([Latent(torch.zeros(space.layers, space.dim), space)], size=256)
    masks, points = region_masks(picture).numpy(), predict_in_crop(picture)
    side = picture.width
    assert masks.shape == (len(REGIONS), side, side)
    assert (masks.sum(0) == 1).all()
    where = dict(zip(REGIONS, masks, strict=True))
    for region, places in INSIDE.items():
        assert all(where[region][round(y), round(x)] for x, y in points[list(places)]), region
    assert where["hair and background"][2, 2]
    forehead = (points[21] + points[22]) / 2 - [0, 0.1 * side]
    assert where["skin"][round(forehead[1]), round(forehead[0])]
    assert 0.1 < where["skin"].mean() < 0.5


def test_points_beyond_the_picture_are_cut_off() -> None:
    masks = masks_of(np.random.default_rng(0).uniform(-100, 400, (68, 2)), (120, 80))
    assert masks.shape == (len(REGIONS), 80, 120)
    assert (masks.sum(0) == 1).all()
