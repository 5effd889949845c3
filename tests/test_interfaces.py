"""What groups of layers are called."""

import pytest

from kinblend import load_backbone
from kinblend.interfaces import stylegan_layer_groups


@pytest.mark.parametrize("layers", [1, 2, 4, 8, 9, 10, 14, 16, 18])
def test_parts_cover_every_layer_once(layers: int) -> None:
    spans = list(stylegan_layer_groups(layers).values())
    assert [layer for first, last in spans for layer in range(first, last + 1)] == list(range(layers))


def test_the_groups_are_those_of_stylegan() -> None:
    assert stylegan_layer_groups(18) == {"shape": (0, 3), "features": (4, 7), "complexion and detail": (8, 17)}


def test_the_embedded_backbone_has_its_own_names() -> None:
    parts = load_backbone("morphable").projector.layer_groups()
    assert parts == {"shape": (0, 0), "complexion": (1, 1), "features": (2, 2), "detail": (3, 3)}
