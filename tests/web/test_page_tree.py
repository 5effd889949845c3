"""The page where a family tree is made."""

import io
import json
import os
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from web_client import WAIT, Server, photograph
from web_page import as_upload, downloaded

from kinblend.cli.demo import FATHER, MOTHER

pytestmark = [
    pytest.mark.slow,  # people are made
    pytest.mark.skipif(os.environ.get("SLOW_TESTS") != "1", reason="SLOW_TESTS=1 runs it; it takes a minute or more"),
]
GRANDPARENTS = ["Father's father", "Father's mother", "Mother's father", "Mother's mother"]


@pytest.fixture
def tree(page, server: Server):
    page.goto(f"{server.address}tree")
    page.wait_for_selector("#generations > li >> nth=2")
    return page


def names(page) -> list[list[str]]:
    """Of everybody, generation by generation."""
    rows = page.locator("#generations > li").all()
    return [row.locator("input.name").evaluate_all("all => all.map((one) => one.value)") for row in rows]


def card(page, name: str):
    return page.locator(f'.relative[aria-label="{name}"]')


def give(page, name: str, who: str) -> None:
    card(page, name).locator(".pick").set_input_files(as_upload(photograph(who), f"{who}.jpg"))
    card(page, name).locator("img:visible").wait_for()


def show(page) -> dict:
    with page.expect_request("**/api/v1/trees") as sent:
        page.click("#make")
    page.wait_for_selector("#progress", state="hidden")
    page.wait_for_selector("#drawn:not(.late) #drawing:visible")
    return sent.value.post_data_json


def test_from_four_grandparents_to_a_grandchild_and_on(tree, tmp_path: Path) -> None:
    assert names(tree) == [GRANDPARENTS, ["Father", "Mother"], ["Child"]]
    assert tree.is_disabled("#make") and tree.inner_text("#missing").endswith("Mother's father, Mother's mother.")
    for name, who in zip(GRANDPARENTS, (FATHER, MOTHER, "P001", "P002"), strict=True):
        give(tree, name, who)
    assert tree.inner_text("#missing") == ""
    card(tree, "Child").locator("input.name").fill("Ada")
    tree.keyboard.press("Tab")
    card(tree, "Ada").locator("summary").click()
    card(tree, "Ada").locator(".age").fill("12")
    card(tree, "Ada").locator(".sex").select_option("girl")
    asked = show(tree)
    assert [person["name"] for person in asked["person"]] == [*GRANDPARENTS, "Father", "Mother", "Ada"]
    known = {name: asked["person"][6][name] for name in ("father", "mother", "age", "sex")}
    assert known == {"father": "Father", "mother": "Mother", "age": 12, "sex": "girl"}
    assert card(tree, "Ada").locator("img").get_attribute("alt") == "Synthetic picture of Ada"
    assert "Ada, child of Father and Mother" in tree.get_attribute("#drawing", "alt")
    assert Image.open(downloaded(tree, "#get-png")).format == "PNG"
    with zipfile.ZipFile(downloaded(tree, "#get-bundle")) as packed:
        packed.extractall(tmp_path)

    tree.reload()
    tree.wait_for_selector("#drawing:visible")
    assert names(tree) == [GRANDPARENTS, ["Father", "Mother"], ["Ada"]]
    tree.click("#add-child")
    assert names(tree)[2] == ["Ada", "Child"], "of the last couple"
    assert tree.locator("#drawn").get_attribute("class").endswith("late"), "it is of another family by now"
    tree.go_back()
    tree.wait_for_selector(".relative[aria-label=Child]", state="detached")

    tree.click("[data-preset=children]")
    assert names(tree) == [["Father", "Mother"], ["Child 1", "Child 2", "Child 3"]]
    files = [tmp_path / "family.json", *sorted((tmp_path / "photos").iterdir())]
    tree.set_input_files("#open-file", files[:-1])
    tree.wait_for_selector("#open-message:has-text('Not chosen with it')")
    tree.set_input_files("#open-file", files)
    tree.wait_for_selector("#make:enabled")
    assert names(tree) == [GRANDPARENTS, ["Father", "Mother"], ["Ada"]] and tree.inner_text("#open-message") == ""
    again = show(tree)
    bare = [{key: value for key, value in one.items() if key != "photo"} for one in asked["person"]]
    assert [{key: value for key, value in one.items() if key != "photo"} for one in again["person"]] == bare


def test_what_will_not_do_is_said(tree) -> None:
    give(tree, GRANDPARENTS[0], FATHER)
    card(tree, GRANDPARENTS[1]).locator("input.name").fill(GRANDPARENTS[0])
    tree.keyboard.press("Tab")
    tree.wait_for_selector("#status:has-text('There is a Father')")
    assert names(tree)[0] == GRANDPARENTS
    tree.select_option("#new-mother", "Father")
    tree.click("#add-child")
    assert (
        "two people of this family"
        in tree.locator(".section", has=tree.locator("#couple")).locator(".message").inner_text()
    )

    card(tree, "Father").locator("summary").click()
    card(tree, "Father").locator(".father").select_option("Child")
    for name in GRANDPARENTS[1:]:
        give(tree, name, MOTHER)
    tree.click("#make")
    tree.wait_for_selector("#status.bad:has-text('own ancestors')")

    for text, words in (("[[person]]", "name"), ("{", "not valid JSON")):
        tree.set_input_files("#open-file", as_upload(text.encode(), "family.toml"))
        tree.wait_for_selector(f"#open-message:has-text('{words}')")
    tree.set_input_files("#open-file", as_upload(photograph(FATHER)))
    tree.wait_for_selector("#open-message:has-text('Choose one tree')")


def test_a_tree_works_by_keyboard(tree) -> None:
    tree.set_input_files(
        "#open-file",
        [
            as_upload(
                json.dumps(
                    {
                        "person": [
                            {"name": "F", "photo": "f.jpg"},
                            {"name": "M", "photo": "m.jpg"},
                            {"name": "K", "father": "F", "mother": "M"},
                        ]
                    }
                ).encode(),
                "family.json",
            ),
            as_upload(photograph(FATHER), "f.jpg"),
            as_upload(photograph(MOTHER), "m.jpg"),
        ],
    )
    tree.wait_for_selector("#make:enabled")
    reached = set()
    tree.focus("#forget")
    for _ in range(40):
        tree.keyboard.press("Tab")
        reached |= set(tree.evaluate("[document.activeElement.id, document.activeElement.ariaLabel]"))
    assert {
        "make",
        "new-father",
        "add-child",
        "tree-title",
        "open-file",
        "F's photograph: choose, drop or paste one",
    } <= reached
    tree.focus("#make")
    tree.keyboard.press("Enter")
    tree.wait_for_selector("#drawing:visible")
    assert Image.open(io.BytesIO(card(tree, "K").locator("img").screenshot())).size[0] > 50


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1440])
def test_axe_finds_nothing_serious_on_the_other_pages(browser, server: Server, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_core_python.sync_playwright", reason="axe-core-python is not installed").Axe()
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.set_default_timeout(WAIT * 1000)
    found, overflow = [], []

    def look() -> None:
        found.append(axe.run(page))
        overflow.append(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))

    page.goto(f"{server.address}tree")
    look()
    page.click("[data-preset=children]")
    for name, who in (("Father", FATHER), ("Mother", MOTHER)):
        give(page, name, who)
    show(page)
    card(page, "Child 1").locator("summary").click()
    page.click("#add-person")
    look()
    page.goto(f"{server.address}partner")
    look()
    page.set_input_files("#known-child-file", as_upload(photograph(FATHER)))
    page.set_input_files("#known-parent-file", as_upload(photograph(MOTHER)))
    page.wait_for_selector("#make:enabled")
    page.click("#make")
    page.wait_for_selector("#other-picture:visible")
    look()
    page.click("#other .enlarge")
    look()
    context.close()
    serious = [
        (issue["id"], [node["html"][:120] for node in issue["nodes"]])
        for result in found
        for issue in result["violations"]
        if issue["impact"] in ("serious", "critical")
    ]
    assert not serious
    assert set(overflow) == {0}, "nothing to scroll sideways"
