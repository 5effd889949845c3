"""The drawn face: whose part of the face is whose, by mouse, by keyboard, and in what is ordered."""

import pytest
from web_page import ORDERS, make_child, open_experts, sent_after, settled

FIELD = ".options[data-blender=parts]"


def button(page, part: str):
    return page.locator(f"{FIELD} button[data-part={part}]")


def test_parts_are_chosen_by_button_drawing_and_keyboard_and_are_ordered(page) -> None:
    make_child(page)
    open_experts(page)
    order = sent_after(page, lambda: page.check("[name=blender][value=parts]"))
    assert (order["blender"], order["blender_options"]) == ("parts", {}), "nobody has said whose yet"
    assert page.locator(f"{FIELD} button[data-part]").all_inner_texts() == [
        f"{name} both" for name in ("Eyes", "Brows", "Nose", "Mouth", "Jaw")
    ]
    order = sent_after(page, lambda: button(page, "eyes").click())
    assert order["blender_options"] == {"parts": {"eyes": "father"}}
    assert button(page, "eyes").inner_text() == "Eyes father"

    def by_drawing_and_keys() -> None:
        page.locator(f"{FIELD} svg [data-part=nose]").click(position={"x": 8, "y": 30})
        button(page, "nose").focus()
        page.keyboard.press("Space")

    assert sent_after(page, by_drawing_and_keys)["blender_options"] == {"parts": {"eyes": "father", "nose": "mother"}}
    drawn = page.locator(f"{FIELD} svg [data-part]").evaluate_all(
        "all => all.map(e => [e.dataset.part, e.dataset.from])"
    )
    assert dict(drawn) == {"eyes": "father", "nose": "mother", "brows": "", "mouth": "", "jaw": ""}
    page.reload()
    settled(page)
    assert button(page, "nose").text_content().split() == ["Nose", "mother"], "the recipe outlives a reload"


def test_a_third_click_takes_both_again(page) -> None:
    make_child(page)
    open_experts(page)
    sent_after(page, lambda: page.check("[name=blender][value=parts]"))
    with page.expect_request(ORDERS):
        button(page, "mouth").click(click_count=2)
    assert button(page, "mouth").inner_text() == "Mouth mother"
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
