"""A child through the years, the card to print, example couples."""

import os

import pytest
from web_page import downloaded, make_child, sent_after, settled

pytestmark = [
    pytest.mark.slow,  # children are made
    pytest.mark.skipif(os.environ.get("SLOW_TESTS") != "1", reason="SLOW_TESTS=1 runs it; it takes a minute or more"),
]

TILES = "#at-ages button"


def shown(page) -> list[str]:
    return page.locator("#at-ages canvas").evaluate_all("all => all.map(e => e.toDataURL())")


def test_a_child_through_the_years(page) -> None:
    make_child(page)
    assert page.locator("#at-ages").is_hidden()
    page.click("#show-ages")
    page.wait_for_selector("#at-ages", state="visible")
    pictures = shown(page)
    assert len(set(pictures)) == 5
    assert page.evaluate("document.activeElement.matches('#at-ages button')"), "the keyboard goes on there"
    assert sent_after(page, lambda: page.click(f"{TILES} >> nth=3"))["age"] == 40
    assert page.inner_text("#child-words").split(" · ")[0].endswith("of 40 years")
    assert page.locator("#at-ages").is_visible() and shown(page) == pictures, "they are of all its ages"
    page.click("#make")
    settled(page)
    assert page.locator("#at-ages").is_hidden() and page.locator("#show-ages").is_enabled(), "another child"
    assert downloaded(page, "#get-ages").getvalue().startswith(b"GIF89a")


def test_a_card_to_print(page) -> None:
    make_child(page)
    assert downloaded(page, "#get-card").getvalue().startswith(b"%PDF")
    page.fill("#child-name", "\N{CLOWN FACE}")
    page.keyboard.press("Tab")
    page.click("#get-card")
    page.wait_for_selector("text=No font here has the letters")
    assert page.locator("section:has(#get-card) .message").inner_text().startswith("No font here")


def test_several_couples_are_there_to_try(page) -> None:
    couples = page.locator(".couple")
    assert [each.get_attribute("aria-label") for each in couples.all()] == [f"Example couple {n}" for n in (1, 2, 3)]
    seen = set()
    for number in range(3):
        couples.nth(number).click()
        page.wait_for_selector(".couple:enabled >> nth=2")
        page.wait_for_selector("#make:enabled")
        seen |= set(page.locator(".parent img:visible").evaluate_all("all => all.map(e => e.src)"))
    assert len(seen) == 6
