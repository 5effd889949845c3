"""The slider from the father over the child to the mother, what can be saved, and what resemblance means."""

import io
import json
import os

import pytest
from PIL import Image
from web_page import downloaded, make_family

pytestmark = [
    pytest.mark.slow,  # a family is made
    pytest.mark.skipif(os.environ.get("SLOW_TESTS") != "1", reason="SLOW_TESTS=1 runs it; it takes a minute or more"),
]


def test_the_morph_has_a_heading_and_passes_for_nobodys_child(page) -> None:
    make_family(page, 1)
    assert page.inner_text("#morph h2") == "From father to mother"
    titles = {}
    for place in (-100, -99, -40, -1, 1, 60, 100):
        page.fill("#morph-slider", str(place))
        titles[place] = page.inner_text("#child-title")
        assert page.locator("#morph-picture").is_visible()
        assert page.locator(".caption").evaluate("e => getComputedStyle(e).visibility") == "hidden"
        assert page.locator("#child .mark").is_visible(), "synthetic it is all the same"
    assert titles[-100] == "The father, redrawn" and titles[100] == "The mother, redrawn"
    assert {titles[-99], titles[-40], titles[-1]} == {"Between the child and the father"}
    assert {titles[1], titles[60]} == {"Between the child and the mother"}
    page.fill("#morph-slider", "0")
    assert page.inner_text("#child-title") == "Their child" and page.locator("#morph-picture").is_hidden()
    assert page.locator(".caption").evaluate("e => getComputedStyle(e).visibility") == "visible"


def test_everything_can_be_saved(page) -> None:
    make_family(page, 1)
    with Image.open(downloaded(page, "#get-morph")) as animation:
        assert (animation.format, animation.size, animation.n_frames) == ("GIF", (256, 256), 24)
        assert b"Synthetic image" in animation.info["comment"]
    one = Image.open(downloaded(page, "#get-png"))
    assert one.format == "PNG" and "Synthetic image" in one.info["Description"]
    family = Image.open(downloaded(page, "#get-sheet"))
    page.click("#siblings .remove >> nth=1")
    address = page.evaluate("document.getElementById('get-sheet').href")
    smaller = Image.open(io.BytesIO(page.request.get(address).body()))
    assert family.tobytes() != smaller.tobytes(), "all children are in it"


def test_resemblance_is_a_sentence_or_nothing(page) -> None:
    words = {"father": "more alike than 72 % of unrelated pairs", "mother": "no more alike than strangers"}

    def explained(route) -> None:
        events = route.fetch().text().split("\n\n")
        kept = []
        for event in filter(None, events):
            name, data = event.split("\ndata: ")
            answer = json.loads(data)
            for child in answer["children"]:
                child["resemblance"] = words
            kept.append(f"{name}\ndata: {json.dumps(answer)}\n\n")
        route.fulfill(status=200, content_type="text/event-stream", body="".join(kept))

    page.route("**/events", explained)
    make_family(page, 1)
    said = page.locator("#resemblance li").all_inner_texts()
    assert said == [f"Father: {words['father']}", f"Mother: {words['mother']}"]
    assert "0." not in page.inner_text("#child"), "no bare number reads as a percentage"
