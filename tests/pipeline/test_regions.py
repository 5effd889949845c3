"""Regions of a stranger's strategy are looked at before anything is drawn of them."""

from pathlib import Path

import pytest
import torch

from kinblend import Engine, Latent
from kinblend.blend import Blend, Region
from kinblend.errors import PluginError, UnsupportedError
from kinblend.interfaces import Blender
from kinblend.pipeline.regions import check_regions

GOOD = torch.ones(8, 8)


@pytest.mark.parametrize(
    ("regions", "said"),
    [
        ([("uncle", GOOD, GOOD)], "father or mother"),
        ([("father", GOOD, GOOD), ("father", GOOD, GOOD)], "two regions of one parent"),
        ([("father", GOOD.double(), GOOD)], "no float32"),
        ([("father", GOOD, [[1.0]])], "no float32"),
        ([("mother", torch.ones(8, 9), GOOD)], r"\[8, 9\]"),
        ([("mother", torch.ones(0, 0), GOOD)], r"\[0, 0\]"),
        ([("mother", torch.ones(2048, 2048), GOOD)], "up to 1024"),
        ([("mother", GOOD * 1.5, GOOD)], "leaves"),
        ([("mother", GOOD, GOOD * float("nan"))], "colour that leaves"),
    ],
    ids=["nobody", "twice", "double", "list", "oblong", "empty", "large", "beyond", "nan"],
)
def test_what_will_not_do_is_named(regions: list, said: str) -> None:
    with pytest.raises(PluginError, match=said):
        check_regions([Region(*region) for region in regions], "blender 'mine'")


class Nose(Blender):
    """The mother, with a region of the father."""

    def blend(self, father: torch.Tensor, mother: torch.Tensor, seed: int) -> Blend:
        return Blend(mother, regions=(Region("father", GOOD, GOOD),))


def mean_person(engine: Engine) -> Latent:
    space = engine.backbone.space
    return Latent(torch.zeros(space.layers, space.dim), space)


def test_a_projector_that_can_not_draw_them_is_named(e4e_pack: Path) -> None:
    able, unable = Engine("morphable"), Engine(e4e_pack)
    assert able.blend(mean_person(able), mean_person(able), Nose).weight_map is None
    with pytest.raises(UnsupportedError, match="can't draw parts of a face"):
        unable.blend(mean_person(unable), mean_person(unable), Nose)
