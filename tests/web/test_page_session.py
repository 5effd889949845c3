"""What outlives a reload, Back and Forward, and what is gone once it is to be forgotten."""

import os

import pytest
from web_client import Server, photograph
from web_page import give, give_both, make_family, names, settled, thumbnails

pytestmark = [
    pytest.mark.slow,  # whole families are made
    pytest.mark.skipif(os.environ.get("SLOW_TESTS") != "1", reason="SLOW_TESTS=1 runs it; it takes a minute or more"),
]


def state(page) -> tuple:
    """What is seen of a family."""
    values = [page.input_value(f"#{name}") for name in ("child-name", "age")]
    chosen = [page.locator(f"[name={name}]:checked").input_value() for name in ("sex", "blender")]
    parents = [page.get_attribute(f"#{role} img >> nth=0", "src") for role in ("father", "mother")]
    return names(page), thumbnails(page), values, chosen, parents


def test_reload_back_and_the_address_typed_again_keep_the_family(page, server: Server) -> None:
    make_family(page)
    page.fill("#age", "21")
    settled(page)
    page.fill("#child-name", "Ada")
    page.press("#child-name", "Enter")
    before = state(page)
    for leave in (
        lambda: page.reload(),
        lambda: (page.goto("about:blank"), page.go_back()),
        lambda: (page.goto(f"{server.address}login"), page.go_back()),
        lambda: page.goto(server.address),
    ):
        leave()
        settled(page)
        assert state(page) == before


def test_back_undoes_what_was_added_and_forward_has_it_again(page) -> None:
    make_family(page)
    before = names(page), thumbnails(page)
    page.go_back()
    page.wait_for_selector("#siblings", state="hidden")
    settled(page)
    assert page.input_value("#child-name") == "Child 1"
    page.go_forward()
    page.wait_for_selector("#siblings li >> nth=2")
    settled(page)
    assert (names(page), thumbnails(page)) == before


def test_what_the_server_let_go_is_made_again_by_the_same_recipe(page, server: Server) -> None:
    make_family(page)
    before = state(page)
    for address in before[1]:
        assert page.request.delete(server.address.rstrip("/") + address.split("/1/")[0]).status == 204
    page.reload()
    settled(page)
    assert state(page) == before


def test_photographs_before_any_child_are_kept_as_well(page) -> None:
    give(page, "mother", photograph())
    page.wait_for_selector("#mother img:visible")
    page.click("[data-years='30']")
    give(page, "father", photograph("P001"))
    page.wait_for_selector("#make:enabled")
    page.reload()
    page.wait_for_selector("#make:enabled")
    assert page.locator(".parent img:visible").count() == 2 and page.input_value("#age") == "30"


def test_a_session_that_is_over_says_so(page, server: Server) -> None:
    make_family(page, 1)
    page.request.delete(f"{server.address}api/v1/mine")
    page.reload()
    page.wait_for_selector("#father .message:not(:empty)")
    page.wait_for_selector("#welcome:visible")
    assert "No longer kept" in page.inner_text("#mother .message")
    assert "15 minutes" in page.inner_text("#status") and page.locator("#make").is_disabled()
    give_both(page)
    page.click("#make")
    settled(page)


def test_photographs_that_are_gone_are_missed_where_they_were(page, server: Server) -> None:
    make_family(page, 1)
    page.request.delete(f"{server.address}api/v1/mine")
    page.fill("#age", "50")
    page.wait_for_selector("#father .message:not(:empty)")
    assert "The photographs are gone" in page.inner_text("#status")


def test_forgetting_is_asked_for_and_said_to_be_done(page, server: Server) -> None:
    make_family(page, 1)
    address = server.address.rstrip("/") + page.get_attribute("#get-png", "href")
    page.click("#forget")
    assert page.locator("#sure").is_visible()
    page.click("#forget-not")
    page.click("#forget")
    page.keyboard.press("Escape")
    assert page.locator("#sure").is_hidden() and page.request.get(address).ok and len(names(page)) == 2
    page.click("#forget")
    with page.expect_navigation():
        page.click("#forget-all")
    page.wait_for_selector("#status:text('Done. Everything is forgotten.')")
    assert page.request.get(address).status == 404 and page.locator("#welcome").is_visible()
    page.reload()
    page.wait_for_selector("#welcome")
    assert page.inner_text("#status") == "" and page.locator(".parent img:visible").count() == 0


def test_forgetting_that_failed_is_not_said_to_be_done(page) -> None:
    page.context.clear_cookies()
    page.click("#forget")
    page.click("#forget-all")
    page.wait_for_selector("#forget-message:not(:empty)")
    assert page.locator("#sure").is_visible() and "Done" not in page.inner_text("#status")
