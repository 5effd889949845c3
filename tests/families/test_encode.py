"""Pictures cut close to a face, as kinship sets have them, keep the face's own edges."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kinblend import Engine
from kinblend.cli.demo import example
from kinblend.faces import find_face
from kinblend.families.encode import EDGE_PADDING, _groups, encode_trios, pad_edges
from kinblend.families.trio_list import TrioFiles
from kinblend.identity import embed_faces


def test_edges_are_continued() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (6, 4, 3), dtype=np.uint8)
    more = round(EDGE_PADDING * 4)
    wide = np.asarray(pad_edges(Image.fromarray(pixels)))
    assert wide.shape == (6 + 2 * more, 4 + 2 * more, 3)
    assert (wide[more:-more, more:-more] == pixels).all()
    assert (wide[more:-more, :more] == pixels[:, :1]).all() and (wide[0, 0] == pixels[0, 0]).all()


@pytest.mark.skipif(find_spec("openpeople") is None, reason="the example people (openpeople) are not installed")
def test_a_face_that_is_cut_close_is_more_like_its_whole_photograph(tmp_path: Path) -> None:
    whole = Image.open(example("P004")).convert("RGB")
    tight = cut_close(whole)
    tight.save(tmp_path / "small.png")
    small = tmp_path / "small.png"
    encoded, rejected = encode_trios([TrioFiles("F1", small, small, small)], "morphable", tmp_path / "cache")
    assert not rejected
    engine = Engine("morphable")
    enlarged = tight.resize((256, round(256 * tight.height / tight.width)), Image.Resampling.BICUBIC)
    photograph, narrow = embed_faces([engine.parent(image).crop for image in (whole, enlarged)])
    ours = (encoded.embedding[0] - photograph).norm()
    assert ours < 0.9 * (narrow - photograph).norm()


def cut_close(image: Image.Image) -> Image.Image:
    """The face alone, from the hairline to the chin, 110 pixels wide."""
    points = find_face(image).landmarks
    low, high = points.min(0), points.max(0)
    width, height = high - low
    box = (low[0] - 0.1 * width, low[1] - 0.3 * height, high[0] + 0.1 * width, high[1] + 0.05 * height)
    return image.crop(tuple(int(edge) for edge in box)).resize((110, 124))


def test_who_is_on_a_parents_photograph_is_a_group_where_the_list_says_so() -> None:
    picture = Path("a.jpg")
    trios = [TrioFiles("F", picture, picture, picture, photograph=said) for said in ("own", "shared", None)]
    assert _groups(trios, {})["photograph"] == ["own", "shared", ""]
    assert "photograph" not in _groups(trios[2:], {})


def test_groups_of_the_parents_are_kept_too() -> None:
    child, father, mother = Path("c.jpg"), Path("f.jpg"), Path("m.jpg")
    known = {child: {"age": "0-12"}, father: {"age": "40-59"}}
    found = _groups([TrioFiles("F", father, mother, child)], known)
    assert found == {"sex": [""], "age": ["0-12"], "father age": ["40-59"], "mother age": [""]}
