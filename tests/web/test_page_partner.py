"""The page where the other parent of a child is made."""

import os

import pytest
from PIL import Image
from web_client import Server, nobody, photograph
from web_page import as_upload, downloaded

from kinblend.cli.demo import FATHER, MOTHER

pytestmark = [
    pytest.mark.slow,  # faces are made
    pytest.mark.skipif(os.environ.get("SLOW_TESTS") != "1", reason="SLOW_TESTS=1 runs it; it takes a minute or more"),
]
ORDERS = "**/api/v1/partners"


def made(page) -> str:
    """The address of the picture, once nothing is under way."""
    page.wait_for_selector("#progress", state="hidden")
    page.wait_for_selector("#other-picture[src^='/api/']")
    return page.get_attribute("#other-picture", "src")


def test_a_child_and_a_parent_to_the_other_one(page, server: Server) -> None:
    page.click("nav >> text=The other parent")
    page.wait_for_selector("h1:has-text('other parent')")
    page.wait_for_load_state()  # scripts listen
    assert page.locator("nav [aria-current]").inner_text() == "The other parent"
    page.set_input_files("#known-child-file", as_upload(photograph(FATHER)))
    page.set_input_files("#known-parent-file", as_upload(nobody()))
    page.wait_for_selector("#known-parent .message:has-text('No face was found')")
    assert page.is_disabled("#make")
    page.set_input_files("#known-parent-file", as_upload(photograph(FATHER)))
    page.wait_for_selector("#make:enabled")
    page.click("#make")
    page.wait_for_selector("#status:has-text('are one photograph')")
    page.set_input_files("#known-parent-file", as_upload(photograph(MOTHER)))
    page.wait_for_selector("#status:empty", state="attached")
    page.wait_for_selector("#make:enabled")
    page.focus("#make")
    page.keyboard.press("Enter")
    first = made(page)
    assert page.inner_text("#other-words").endswith("of 35 years")
    assert page.locator("#other .mark").inner_text() == "Synthetic image"
    assert Image.open(downloaded(page, "#get-png")).format == "PNG"

    with page.expect_request(ORDERS) as sent:
        page.check("[name=sex][value=female]", force=True)
        page.fill("#age", "60")
        page.fill("#inverse", "0.5")
    assert {name: sent.value.post_data_json[name] for name in ("age", "sex", "inverse")} == {
        "age": 60,
        "sex": "female",
        "inverse": 0.5,
    }
    page.wait_for_selector("#other-words:has-text('A woman of 60 years')")
    second = made(page)
    assert second != first
    page.reload()
    assert made(page) == second and page.input_value("#age") == "60"
    assert page.is_checked("[name=sex][value=female]") and page.input_value("#inverse") == "0.5"
    assert page.request.delete(server.address.rstrip("/") + second.removesuffix("/picture.jpg")).status == 204
    page.reload()
    assert made(page) == second, "what the server let go is made again"
    page.click("nav >> text=A child")
    page.wait_for_selector("#father-file", state="attached")
    assert page.is_hidden("#father img >> nth=0"), "each page has its own people"
