"""Cards to print: everyone in the place, the size on paper, letters, the same bytes."""

import json
import shutil
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image
from plugin_site import here

from kinblend import Latent, load_backbone, save_latent
from kinblend.errors import InputError, UsageError
from kinblend.imaging.fonts import check_letters, font_for, missing_letters
from kinblend.imaging.printing import write_print
from kinblend.pipeline.card import MOST, Card, arrange, draw_card

RED, GREEN, BLUE, GREY = (Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue", "#808080"))


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two latents, and in `out` the two children of a run."""
    folder, space = tmp_path_factory.mktemp("family"), load_backbone("morphable").space
    generator = torch.Generator().manual_seed(6)
    for name in ("f", "m"):
        code = torch.randn(space.layers, space.dim, generator=generator) / 2
        save_latent(folder / f"{name}.safetensors", Latent(code, space))
    words = ["--children", "2", "--no-judge", "--quiet", "--out", folder / "out"]
    code, _, error = here("run", folder / "f.safetensors", folder / "m.safetensors", *words)
    assert (code, error) == (0, "")
    return folder


def parents(family: Path) -> list[object]:
    return ["--father", family / "f.safetensors", "--mother", family / "m.safetensors"]


@pytest.mark.parametrize("size", ["10x15", "4x6"])
def test_parents_stand_above_and_the_child_below_all_within_the_margin(size: str) -> None:
    drawn = draw_card(Card([RED, GREEN], [BLUE], ["a", "b", "c"]), size, "none")
    assert drawn.size == {"10x15": (1181, 1772), "4x6": (1200, 1800)}[size]
    boxes = [box_of(drawn, colour) for colour in ((255, 0, 0), (0, 255, 0), (0, 0, 255))]
    father, mother, child = boxes
    assert father[2] < mother[0] and father[1] == mother[1] and father[3] < child[1]
    assert child[2] - child[0] > father[2] - father[0] and child[3] - child[1] == child[2] - child[0]
    assert all(min(box) >= 70 and box[2] <= drawn.width - 70 and box[3] <= drawn.height - 70 for box in boxes)


def box_of(picture: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Where a picture has a colour."""
    found = numpy.argwhere((numpy.asarray(picture) == colour).all(axis=2))
    assert len(found)
    (top, left), (bottom, right) = found.min(axis=0), found.max(axis=0)
    return left, top, right + 1, bottom + 1


@pytest.mark.parametrize("children", range(1, MOST + 1))
@pytest.mark.parametrize("others", [0, 2])
def test_everyone_has_a_place_and_all_fit(children: int, others: int) -> None:
    room = (1039, 1500)
    rows = arrange(others, children, room)
    assert [place for row in rows for place in row.pictures] == list(range(others + children))
    assert sum(row.side + 50 for row in rows) <= room[1]
    assert all(row.side > 100 and len(row.pictures) * row.side <= room[0] for row in rows)


def test_frames_differ_and_a_title_takes_room() -> None:
    card = Card([], [GREY], ["c"])
    line, round_, none = (draw_card(card, "10x15", frame) for frame in ("line", "round", "none"))
    left, top, *_ = box_of(none, (128, 128, 128))
    corner = [picture.getpixel((int(left), int(top))) for picture in (line, round_, none)]
    assert corner == [(51, 51, 51), (255, 255, 255), (128, 128, 128)]
    titled = draw_card(Card([], [GREY], ["c"], "Who will it be?"), "10x15", "none")
    assert titled.crop((0, 60, 1181, 170)).getextrema() != none.crop((0, 60, 1181, 170)).getextrema()


@pytest.mark.parametrize(
    ("card", "said"),
    [
        (Card([], [], []), "room for 1 to 12"),
        (Card([], [GREY] * 13, ["a"] * 13), "13 children"),
        (Card([RED, GREEN], [GREY], ["a"]), "1 names for 3 pictures"),
        (Card([], [GREY], ["a"], "two\nlines"), "not one line of text"),
        (Card([], [GREY], ["\U00012000"]), "no font here has the letters"),
    ],
)
def test_what_can_not_be_drawn_is_said(card: Card, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        draw_card(card)


def test_letters_that_the_built_in_font_lacks_are_told(tmp_path: Path) -> None:
    assert missing_letters("Anna, 8", font_for("Anna, 8", 30)) == ""
    built_in = font_for("A", 30)
    assert missing_letters("Für Zoë", built_in) == "üë"
    (tmp_path / "no.ttf").write_bytes(b"no font")
    with pytest.raises(InputError, match="is no font"):
        check_letters("A", tmp_path / "no.ttf")


@pytest.mark.parametrize("kind", ["png", "jpg", "pdf"])
def test_the_size_on_paper_is_in_the_file_and_it_is_the_same_again(kind: str, family: Path, tmp_path: Path) -> None:
    words = ["card", family / "out", *parents(family), "--title", "Two", "--out", tmp_path / f"c.{kind}"]
    code, text, error = here(*words, "--json", "--quiet")
    assert (code, error) == (0, "")
    record, data = json.loads(text), (tmp_path / f"c.{kind}").read_bytes()
    assert (record["dpi"], record["pixels"], record["title"]) == (300, [1181, 1772], "Two")
    assert len(record["children"]) == 2 and len(record["names"]) == 4
    if kind == "pdf":
        assert b"MediaBox [ 0 0 283.44 425.28 ]" in data and b"CreationDate" not in data
    else:
        with Image.open(tmp_path / f"c.{kind}") as picture:
            assert tuple(map(round, picture.info["dpi"])) == (300, 300)
    code, _, error = here(*words)
    assert (code, "will be replaced" in error) == (0, True)
    assert (tmp_path / f"c.{kind}").read_bytes() == data


def test_without_the_parents_the_children_alone_and_a_note(family: Path, tmp_path: Path) -> None:
    code, _, error = here("card", family / "out" / "child.json", "--names", "Anna, Ben", "--out", tmp_path / "c.png")
    assert (code, "a manifest holds no photographs" in error) == (0, True)
    record = json.loads((tmp_path / "c.png.json").read_text())
    assert (record["names"], record["inputs"]) == (["Anna", "Ben"], {})


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["--father", "f.safetensors"], 2, "give both photographs"),
        (["--father", "m.safetensors", "--mother", "m.safetensors"], 3, "is another photograph: the father's"),
        (["--names", "Anna"], 2, "1 names for 2 pictures"),
        (["--out", "c.webp"], 2, "ends in .png, .jpg, .jpeg, .pdf"),
        (["--out", "out/child.png"], 2, "is an input of this command"),
        (["--font", "f.safetensors"], 3, "is no font"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_will_not_do(
    words: list[str], code: int, said: str, family: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(family)
    given = [] if "--out" in words else ["--out", tmp_path / "c.png"]
    found, _, error = here("card", "out", *words, *given, "--quiet")
    assert (found, said in error) == (code, True), error
    assert not (tmp_path / "c.png").exists() and not (family / "out" / "child.png.json").exists()


def test_a_folder_without_children_and_children_without_pictures(family: Path, tmp_path: Path) -> None:
    assert "holds no child.json" in here("card", family, "--out", tmp_path / "c.png")[2]
    shutil.copy(family / "out" / "child.json", tmp_path)
    code, _, error = here("card", tmp_path, "--out", tmp_path / "c.png")
    assert (code, "whose picture is gone" in error) == (3, True)
    with pytest.raises(UsageError, match="ends in"):
        write_print(tmp_path / "c.gif", GREY, 300)
