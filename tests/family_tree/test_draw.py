"""The tree as a picture: frames, names, ages, lines."""

import numpy
import pytest
from PIL import Image, ImageFont

from kinblend.errors import UsageError
from kinblend.family_tree import Couple, Portrait, draw_tree
from kinblend.family_tree.captions import wrapped
from kinblend.family_tree.draw import LINE, PREDICTED

RED, GREEN, BLUE, GREY = (Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue", "#808080"))
SIDE = 96


def where(picture: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Left, upper, right and lower edge of what has a colour."""
    found = numpy.argwhere((numpy.asarray(picture) == colour).all(axis=2))
    assert len(found)
    (top, left), (bottom, right) = found.min(axis=0), found.max(axis=0)
    return int(left), int(top), int(right), int(bottom)


def has(picture: Image.Image, colour: str) -> bool:
    rgb = Image.new("RGB", (1, 1), colour).getpixel((0, 0))
    return bool((numpy.asarray(picture) == rgb).all(axis=2).any())


@pytest.fixture(scope="module")
def three() -> Image.Image:
    people = {"Otto": Portrait(RED, 40), "Anna": Portrait(GREEN), "Tim": Portrait(BLUE, 1, predicted=True)}
    return draw_tree(people, [Couple("Otto", "Anna", ("Tim",))], title="Us", side=SIDE)


def test_parents_stand_above_and_the_child_below_their_middle(three: Image.Image) -> None:
    father, mother, child = (where(three, colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255)))
    assert father[2] < mother[0] and father[1] == mother[1] and father[3] < child[1]
    assert abs(father[0] + mother[2] - child[0] - child[2]) <= 4


def test_predictions_have_round_blue_frames_and_photographs_square_ones(three: Image.Image) -> None:
    father, child = where(three, (255, 0, 0)), where(three, (0, 0, 255))
    assert three.getpixel(father[:2]) == (255, 0, 0)
    assert three.getpixel(child[:2]) != (0, 0, 255)
    assert has(three.crop((child[0] - 4, child[1] - 4, child[2] + 4, child[3] + 4)), PREDICTED)
    assert not has(three.crop((father[0] - 4, father[1] - 4, father[2] + 4, father[3] + 4)), PREDICTED)


def test_lines_lead_from_the_parents_to_the_child(three: Image.Image) -> None:
    father, mother, child = (where(three, colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255)))
    between = three.crop((father[2] + 8, father[1], mother[0] - 8, child[1] - 4))
    lines = (numpy.asarray(between) == Image.new("RGB", (1, 1), LINE).getpixel((0, 0))).all(axis=2)
    assert lines.any(axis=0).all()  # from him to her
    down = numpy.flatnonzero(lines.any(axis=1))
    assert down[-1] == len(lines) - 1 and (numpy.diff(down) == 1).all()  # and down to the child, unbroken


def test_ages_are_in_words_and_half_years_and_one_are_right() -> None:
    assert [Portrait(RED, age).line for age in (None, 0.5, 1, 12.0)] == ["", "0.5 years", "1 year", "12 years"]


def test_more_people_make_it_wider_and_generations_taller() -> None:
    one = draw_tree({"A": Portrait(RED)}, [], side=SIDE)
    people = {name: Portrait(GREY, predicted=name > "B") for name in "ABCDEFGHIJKL"}
    twelve = draw_tree(people, [Couple("A", "B", tuple("CDEFGHIJKL"))], side=SIDE)
    assert twelve.width > 10 * SIDE > one.width and twelve.height > one.height + SIDE
    assert one.width >= 2 * SIDE  # room for what the frames mean


def test_long_names_take_two_lines_then_shrink_then_end() -> None:
    short, long = (wrapped(text, 200, (20, 15), None) for text in ("Anna", "Maria Josefa von der Weide"))
    assert (short.lines, short.size) == (["Anna"], 20)
    assert len(long.lines) == 2 and long.width <= 200 and " ".join(long.lines) == "Maria Josefa von der Weide"
    endless = wrapped("Donaudampfschifffahrtsgesellschaftskapitänswitwe " * 3, 200, (20, 15), None)
    assert endless.size == 15 and endless.width <= 200 and endless.lines[-1].endswith("…")
    word = wrapped("x" * 60, 200, (20, 15), None)
    assert len(word.lines) == 2 and word.lines[0] == "x" * len(word.lines[0])


def test_names_in_other_scripts_are_drawn_or_refused() -> None:
    try:
        ImageFont.truetype("DejaVuSans.ttf", 20)
    except OSError:
        pytest.skip("the font DejaVu is not installed")
    names = ("Ελένη", "Мария", "Łukasz")
    drawn = draw_tree({name: Portrait(GREY) for name in names}, [], side=SIDE)
    boxes = draw_tree({f"{number}": Portrait(GREY) for number in range(3)}, [], side=SIDE)
    assert drawn.size == boxes.size and drawn.tobytes() != boxes.tobytes()
    with pytest.raises(UsageError, match="no font here has the letters"):
        draw_tree({"\U00012000": Portrait(GREY)}, [])


def test_more_pixels_than_a_picture_may_have_are_refused() -> None:
    names = [f"{number}" for number in range(100)]
    with pytest.raises(UsageError, match="pixels: use less than 1000 for each"):
        draw_tree({name: Portrait(GREY) for name in names}, [Couple("0", "1", tuple(names[2:]))], side=1000)


def test_the_same_tree_has_the_same_pixels(three: Image.Image) -> None:
    people = {"Otto": Portrait(RED, 40), "Anna": Portrait(GREEN), "Tim": Portrait(BLUE, 1, predicted=True)}
    again = draw_tree(people, [Couple("Otto", "Anna", ("Tim",))], title="Us", side=SIDE)
    assert again.tobytes() == three.tobytes()
