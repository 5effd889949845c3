"""Brothers and sisters: each is made by a recipe of its own, and keeps it."""

import os
import re

import pytest
from web_client import photograph
from web_page import (
    ORDERS,
    give,
    make_child,
    make_family,
    names,
    open_experts,
    sent_after,
    settled,
    thumbnails,
)

pytestmark = [
    pytest.mark.slow,  # whole families are made
    pytest.mark.skipif(os.environ.get("SLOW_TESTS") != "1", reason="SLOW_TESTS=1 runs it; it takes a minute or more"),
]

CHANGES = {
    "a button of the age": lambda page: page.click("[data-years='16']"),
    "the slider of the age": lambda page: page.fill("#age", "33"),
    "the parents' age": lambda page: page.click("[data-years=parents]"),
    "girl": lambda page: page.check("[name=sex][value=girl]", force=True),
    "a smile": lambda page: page.fill("#edit-smile", "1"),
    "whose hair": lambda page: page.check("[name=p-background][value=mother]", force=True),
}


def recipe(order: dict) -> tuple:
    return order["blender"], order["blender_options"], order["seed"], order.get("siblings")


def test_a_sibling_stays_the_one_it_was_whatever_is_moved(page) -> None:
    make_family(page)
    open_experts(page)
    orders, before = [], thumbnails(page)
    for change in CHANGES.values():
        orders.append(sent_after(page, lambda change=change: change(page)))
    assert {repr(recipe(order)) for order in orders} == {"('average', {}, 1, 0.5)"}
    last = orders[-1]
    assert (last["age"], last["sex"], last["edits"]) == (None, "girl", {"smile": 1}), "changes add up"
    after = thumbnails(page)
    assert [after[0], after[2]] == [before[0], before[2]] and after[1] != before[1], "the others are left alone"
    assert names(page) == ["Child 1", "Child 2", "Child 3"]


def test_controls_show_how_the_chosen_child_was_made(page) -> None:
    make_family(page)
    page.fill("#age", "40")
    settled(page)
    page.click("#siblings .face >> nth=0")
    settled(page)
    assert page.locator("[name=blender]:checked").input_value() == "average"
    assert page.input_value("#age") == "8"
    page.click("#siblings .face >> nth=1")
    settled(page)
    assert page.input_value("#age") == "40" and page.get_attribute("#age", "aria-valuetext") == "40 years"
    order = sent_after(page, lambda: page.click("[data-years='30']"))
    assert recipe(order) == ("average", {}, 1, 0.5)


def test_options_of_a_strategy_stay_with_the_child(page) -> None:
    make_child(page)
    open_experts(page)
    page.check("[name=blender][value=layer]")
    sent_after(page, lambda: page.fill("#b-layer-shares-p1", "1"))
    page.click("#make")
    page.wait_for_selector("#siblings li >> nth=1")
    settled(page)
    page.click("#siblings .face >> nth=0")
    settled(page)
    assert page.input_value("#b-layer-shares-p1") == "1"
    order = sent_after(page, lambda: page.click("[data-years='16']"))
    assert order["blender"] == "layer" and order["blender_options"]["shares"]["0"] == 1


def test_another_parent_changes_nothing_else(page) -> None:
    make_family(page)
    before, orders = names(page), []
    page.on("request", lambda sent: orders.append(sent.post_data_json) if is_order(sent) else None)
    give(page, "mother", photograph("P001"))
    page.wait_for_selector("#siblings .late")
    settled(page)
    assert sorted(map(recipe, orders), key=lambda found: found[2]) == [
        ("average", {}, 0, None),
        ("average", {}, 1, 0.5),
        ("average", {}, 2, 0.5),
    ]
    assert len({order["mother"] for order in orders}) == 1 and names(page) == before
    assert page.locator("#siblings .face[aria-pressed=true]").get_attribute("aria-label") == "Show Child 2"


def is_order(sent) -> bool:
    return sent.method == "POST" and bool(re.search("/children$", sent.url))


def test_a_number_that_cannot_be_had_is_said_and_never_changed(page) -> None:
    make_child(page)
    orders = []
    page.on("request", lambda sent: orders.append(sent.url) if is_order(sent) else None)
    for wish in ("0", "9", "50", "-1", "2.5", "", "1e3", "007.5"):
        page.fill("#count", wish)
        page.click("#sibling")
        assert page.inner_text("#count-message") == "A whole number from 1 to 8, please."
        assert page.input_value("#count") == wish and page.get_attribute("#count", "aria-invalid") == "true"
    assert not orders and page.locator("#siblings li").count() == 1
    page.fill("#count", "1")
    assert page.inner_text("#count-message") == ""
    with page.expect_request(ORDERS) as sent:
        page.click("#sibling")
    assert "children" not in sent.value.post_data_json, "each is an order of its own"


def test_siblings_have_names_and_can_be_removed_and_had_back(page) -> None:
    make_family(page)
    page.fill("#child-name", "Ada")
    page.press("#child-name", "Enter")
    assert names(page) == ["Child 1", "Ada", "Child 3"]
    page.fill("#child-name", "  ")
    page.press("#child-name", "Enter")
    assert page.input_value("#child-name") == "Ada", "nobody is without a name"
    page.click("#siblings .remove >> nth=1")
    assert names(page) == ["Child 1", "Child 3"] and "Ada was removed" in page.inner_text("#status")
    settled(page)
    assert page.input_value("#child-name") == "Child 3"
    page.click("#status button")
    page.wait_for_selector("#siblings li >> nth=2")
    settled(page)
    assert names(page) == ["Child 1", "Ada", "Child 3"]
    page.click("#siblings .remove >> nth=2")
    page.click("#make")
    page.wait_for_selector("#siblings li >> nth=2")
    settled(page)
    assert names(page)[-1] == "Child 4", "a name and a seed are given once"


def test_how_different_brothers_and_sisters_are(page) -> None:
    make_child(page)
    assert page.inner_text("#sibling-note") == ""
    assert page.get_attribute("#different", "aria-valuetext") == "50 % of real ones"
    page.fill("#different", "1")
    assert page.get_attribute("#different", "aria-valuetext") == "as real ones"
    assert recipe(sent_after(page, lambda: page.click("#make"))) == ("average", {}, 1, 1)
    sent_after(page, lambda: page.click("[data-years='16']"))
    page.fill("#different", "0")
    assert page.inner_text("#sibling-note") == (
        "“Even mix” gives every child the same face. New brothers and sisters are made by “By chance”."
    )
    assert recipe(sent_after(page, lambda: page.click("#make")))[:3] == ("mask", {}, 2)
    assert page.is_disabled("#different")
    assert page.inner_text("#sibling-note") == "“By chance” gives every child another face."
    open_experts(page)
    page.check("[name=blender][value=slerp]")
    assert page.inner_text("#sibling-note").startswith("“Curved mix” gives")
    settled(page)
