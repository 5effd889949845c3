"""The drawn face: whose part of the face is whose, by mouse, by keyboard, and in what is ordered."""

import os

import pytest
from web_page import ORDERS, make_child, open_experts, sent_after, settled

SLOW = pytest.mark.skipif(os.environ.get("SLOW_TESTS") != "1", reason="SLOW_TESTS=1 runs it: a minute or more")
FIELD = ".options[data-blender=parts]"


def button(page, part: str):
    return page.locator(f"{FIELD} button[data-part={part}]")


def said_of(page, part: str) -> list[str]:
    """What stands on a button, which may be folded away."""
    return button(page, part).text_content().split()


@SLOW
def test_parts_are_chosen_by_button_drawing_and_keyboard_and_are_ordered(page) -> None:
    make_child(page)
    open_experts(page)
    order = sent_after(page, lambda: page.check("[name=blender][value=parts]"))
    assert (order["blender"], order["blender_options"]) == ("parts", {}), "nobody has said whose yet"
    said = [text.split() for text in page.locator(f"{FIELD} button[data-part]").all_inner_texts()]
    assert said == [[name, "both"] for name in ("Eyes", "Brows", "Nose", "Mouth", "Jaw")]
    order = sent_after(page, lambda: button(page, "eyes").click())
    assert order["blender_options"] == {"parts": {"eyes": "father"}}
    assert said_of(page, "eyes") == ["Eyes", "father"]

    def by_drawing_and_keys() -> None:
        page.locator(f"{FIELD} svg [data-part=nose]").click(position={"x": 8, "y": 30})
        button(page, "nose").focus()
        page.keyboard.press("Space")

    assert sent_after(page, by_drawing_and_keys)["blender_options"] == {"parts": {"eyes": "father", "nose": "mother"}}
    drawn = page.locator(f"{FIELD} svg [data-part]")
    whose = dict(drawn.evaluate_all("all => all.map(e => [e.dataset.part, e.dataset.from])"))
    assert whose == {"eyes": "father", "nose": "mother", "brows": "", "mouth": "", "jaw": ""}
    page.reload()
    settled(page)
    assert said_of(page, "nose") == ["Nose", "mother"], "the recipe outlives a reload"


@SLOW
def test_a_third_click_takes_both_again(page) -> None:
    make_child(page)
    open_experts(page)
    sent_after(page, lambda: page.check("[name=blender][value=parts]"))
    with page.expect_request(ORDERS):
        button(page, "mouth").click(click_count=2)
    assert said_of(page, "mouth") == ["Mouth", "mother"]
    assert sent_after(page, lambda: button(page, "mouth").click())["blender_options"] == {}


def test_axe_finds_nothing_serious_in_it(page) -> None:
    axe = pytest.importorskip("axe_core_python.sync_playwright", reason="axe-core-python is not installed").Axe()
    page.evaluate("document.getElementById('expert').hidden = false")
    open_experts(page)
    page.check("[name=blender][value=parts]")
    for part in ("eyes", "nose", "nose"):
        button(page, part).click()
    found = [one for one in axe.run(page)["violations"] if one["impact"] in ("serious", "critical")]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []
