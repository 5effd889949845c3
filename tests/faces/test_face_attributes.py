"""Attributes of faces: planted shapes and colours are found."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from kinblend.faces.attributes import ATTRIBUTES, NAMES, cielab, face_shape, measure_face

SKIN, IRIS, HAIR = (200, 150, 130), (70, 110, 160), (60, 40, 20)


def points() -> np.ndarray:
    """68 points of a plain face 100 px wide and 100 px high from brows to chin, its middle at (128, 128)."""
    found = np.full((68, 2), 128.0)
    found[[2, 14]], found[[4, 12]] = [[78, 128], [178, 128]], [[88, 160], [168, 160]]
    found[3], found[13], found[8] = [80, 145], [176, 145], [128, 190]
    found[17:27] = [[x, 90] for x in (85, 92, 100, 108, 116, 140, 148, 156, 164, 171)]
    found[27], found[31:36] = [128, 100], [[x, 140] for x in (118, 123, 128, 133, 138)]
    for first, middle in ((36, 103), (42, 153)):
        steps = [(-15, 0), (-7, -6), (7, -6), (15, 0), (7, 6), (-7, 6)]
        found[first : first + 6] = [[middle + x, 105 + y] for x, y in steps]
    found[48], found[54] = [108, 165], [148, 165]
    return found


def face() -> Image.Image:
    image = Image.new("RGB", (256, 256), SKIN)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 255, 50), fill=HAIR)
    for x in (103, 153):
        draw.ellipse((x - 6, 99, x + 6, 111), fill=IRIS)
        draw.ellipse((x - 2, 103, x + 2, 107), fill=(0, 0, 0))
    return image


def test_shapes_are_in_units_of_the_face() -> None:
    shape = face_shape(points())
    expected = {"face width": 1, "jaw width": 0.8, "eye distance": 0.5, "nose width": 0.2, "nose length": 0.4}
    assert shape == pytest.approx(expected | {"mouth width": 0.4})
    assert face_shape(points() * 3) == pytest.approx(shape)


def test_eyes_skin_and_hair_have_the_colours_they_were_painted_with() -> None:
    found = measure_face(face(), points())
    assert tuple(found) == NAMES
    for group, colour in {"eye colour": IRIS, "complexion": SKIN, "hair colour": HAIR}.items():
        assert [found[name] for name in ATTRIBUTES[group]] == pytest.approx(list(cielab(np.array(colour))))


def test_closed_eyes_have_no_colour() -> None:
    shut = points()
    shut[36:48, 1] = 105
    found = measure_face(face(), shut)
    assert np.isnan([found[name] for name in ATTRIBUTES["eye colour"]]).all()
    assert not np.isnan([found[name] for name in ATTRIBUTES["complexion"]]).any()


@pytest.mark.parametrize(
    ("rgb", "lab"), [((255, 255, 255), (100, 0, 0)), ((0, 0, 0), (0, 0, 0)), ((255, 0, 0), (53.24, 80.09, 67.20))]
)
def test_cielab_has_the_published_values(rgb: tuple[int, ...], lab: tuple[float, ...]) -> None:
    assert cielab(np.array(rgb, np.uint8)) == pytest.approx(np.array(lab), abs=0.03)
