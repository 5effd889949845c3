"""What groups of layers are called."""

import pytest

from kinblend import Context, LatentSpace, Projector, load_backbone
from kinblend.interfaces import HandsDownWhole, HasPrior, InvertsImages, KeepsDetail, RemovesLighting, SamplesLatents
from kinblend_plugins.stylegan2.projector import layer_groups


@pytest.mark.parametrize("layers", [1, 2, 4, 8, 9, 10, 14, 16, 18])
def test_parts_cover_every_layer_once(layers: int) -> None:
    spans = list(layer_groups(layers).values())
    assert [layer for first, last in spans for layer in range(first, last + 1)] == list(range(layers))


def test_the_groups_are_those_of_stylegan() -> None:
    assert layer_groups(18) == {"shape": (0, 3), "features": (4, 7), "complexion and detail": (8, 17)}


def test_a_backbone_that_says_nothing_has_one_group() -> None:
    class Plain(Projector):
        def synthesize(self, codes, *, noise="const", seed=0, size=None):
            return codes

    projector = Plain(None, Context(LatentSpace("plain", 5, 8, "0" * 64)))
    assert projector.layer_groups() == projector.context.layer_groups() == {"all": (0, 4)}
    known = (SamplesLatents, InvertsImages, KeepsDetail, HasPrior, RemovesLighting, HandsDownWhole)
    assert projector.context.whole_groups() == ()
    assert not any(isinstance(projector, protocol) for protocol in known)


def test_the_embedded_backbone_has_its_own_names() -> None:
    parts = load_backbone("morphable").projector.layer_groups()
    assert parts == {"shape": (0, 0), "complexion": (1, 1), "features": (2, 2), "detail": (3, 3)}
