"""People at the page, from two photographs to forgetting; over each backbone, with plugins, and for everyone."""

import io
import os
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from web_client import WAIT, Server, as_file, couple, files_open, nobody, photograph
from web_page import (
    ORDERS,
    downloaded,
    give,
    give_both,
    make_child,
    make_family,
    open_experts,
    sent_after,
    settled,
    shown,
)

from kinblend.errors import ModelError
from kinblend.settings import load_settings
from kinblend.web.app import create_app

EXAMPLE = Path(__file__).parents[2] / "examples" / "kinblend-regions"

pytestmark = [
    pytest.mark.slow,  # a browser and servers start, and whole families are made
    pytest.mark.skipif(os.environ.get("SLOW_TESTS") != "1", reason="SLOW_TESTS=1 runs it; it takes a minute or more"),
]


@pytest.fixture(scope="module")
def server(browser: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that has the example plugin, and a private folder for its temporary files."""
    site, scratch = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("scratch")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*install, "--target", str(site), str(EXAMPLE)], check=True, capture_output=True)
    paths = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    with Server(PYTHONPATH=paths, TMPDIR=str(scratch)) as running:
        running.scratch = scratch
        yield running


def test_a_family_from_two_photographs_to_forgetting(page, server: Server) -> None:
    make_child(page)
    assert page.input_value("#child-name") == "Child 1"
    assert re.fullmatch("A (girl|boy) of 8 years · Even mix", page.inner_text("#child-words"))
    assert page.locator("#child .mark").inner_text() == "Synthetic image"
    first = shown(page)

    assert page.input_value("#age") == "8"
    page.fill("#age", "4")
    page.wait_for_selector("#child-picture[src^='blob:']")
    assert shown(page) != first, "a small picture comes at once"
    settled(page)
    assert "of 4 years" in page.inner_text("#child-words")
    younger = shown(page)

    page.fill("#morph-slider", "-100")
    page.wait_for_selector("#morph-picture:visible")
    father = shown(page)
    page.fill("#morph-slider", "40")
    assert len({younger, father, shown(page)}) == 3
    page.fill("#morph-slider", "0")
    page.wait_for_selector("#morph-picture", state="hidden")

    page.fill("#count", "2")
    page.click("#sibling")
    page.wait_for_selector("#siblings li >> nth=2")
    settled(page)
    page.click("#siblings .face >> nth=2")
    settled(page)
    assert page.locator("#siblings .face").nth(2).get_attribute("aria-pressed") == "true"
    open_experts(page)
    page.wait_for_selector("#heat canvas >> nth=3")

    for link, kind in (("#get-png", "PNG"), ("#get-sheet", "PNG"), ("#get-morph", "GIF")):
        assert Image.open(downloaded(page, link)).format == kind
    assert "child.safetensors" in zipfile.ZipFile(downloaded(page, "#get-bundle")).namelist()

    page.click("#child .enlarge")
    assert page.locator("#large img").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#large").is_visible()

    address = page.get_attribute("#get-png", "href")
    page.click("#forget")
    with page.expect_navigation():
        page.click("#forget-all")
    page.wait_for_selector("#welcome")
    assert page.request.get(server.address.rstrip("/") + address).status == 404
    assert list(server.scratch.iterdir()) == []
    assert not {name for name in files_open(server.process.pid) if name.startswith(str(server.scratch))}


def test_a_strangers_strategy_has_its_form_and_works(page) -> None:
    make_child(page)
    open_experts(page)
    page.check("[name=blender][value=regions]")
    form = page.locator(".options[data-blender=regions]")
    assert form.locator("label").all_inner_texts() == ["Regions", "Share"]
    assert "into how many runs of layers" in form.inner_text()
    assert "kinblend-regions 0.1.0" in page.inner_text(".strategies")
    order = sent_after(page, lambda: page.fill("#b-regions-regions", "2"))
    assert (order["blender"], order["blender_options"]) == ("regions", {"regions": 2})


def test_parts_can_be_given_by_hand(page) -> None:
    make_child(page)
    open_experts(page)
    page.check("[name=blender][value=layer]")
    order = sent_after(page, lambda: page.fill("#b-layer-shares-p1", "1"))
    assert order["blender_options"] == {"shares": {"0": 1, "1": 0.25, "2": 0.75, "3": 0.25}}
    page.wait_for_selector("#heat .layer:first-child:has-text('100 % father')")


def test_age_and_sex_are_asked_for(page) -> None:
    make_child(page)
    open_experts(page)
    order = sent_after(page, lambda: page.click("[data-years='30']"))
    assert (order["age"], order["sex"]) == (30, "any")
    order = sent_after(page, lambda: page.click("[data-years=parents]"))
    assert order["age"] is None and page.inner_text("#child-words").endswith("as old as the parents · Even mix")
    order = sent_after(page, lambda: page.check("[name=sex][value=boy]", force=True))
    assert order["sex"] == "boy" and page.inner_text("#child-words").startswith("A boy")
    order = sent_after(page, lambda: page.fill("#edit-gender", "-1"))
    assert "sex" not in order and order["edits"] == {"gender": -1}
    order = sent_after(page, lambda: page.check("[name=sex][value=girl]", force=True))
    assert order["sex"] == "girl" and order["edits"] == {}
    sent_after(page, lambda: page.fill("#edit-smile", "1.5"))
    order = sent_after(page, lambda: page.click("#reset"))
    assert (order["age"], order["sex"], order["edits"]) == (None, "girl", {})


def test_an_order_that_fails_is_told_beside_its_cause(page) -> None:
    make_child(page)
    open_experts(page)
    refusal = '{"type": "urn:kinblend:option", "title": "", "status": 422, "detail": "This can not be had"}'
    page.route("**/api/v1/previews", lambda route: route.fulfill(status=422, body=refusal))
    for control, value in (("#edit-smile", "1"), ("#b-average-share", "0.3"), ("#age", "5")):
        page.fill(control, value)
        place = page.locator(".section", has=page.locator(control)).locator(".message")
        place.filter(has_text="This can not be had").wait_for()
        assert page.inner_text("#status") == "", "once is enough"
    page.unroute("**/api/v1/previews")
    sent_after(page, lambda: page.fill("#age", "6"))
    assert not any(page.locator(".section .message").all_inner_texts())


def test_an_order_that_fails_leaves_nobody_behind(page) -> None:
    give_both(page)
    refusal = '{"type": "urn:kinblend:failed", "title": "", "status": 422, "detail": "This went wrong"}'
    page.route(ORDERS, lambda route: route.fulfill(status=422, body=refusal))
    page.click("#make")
    page.wait_for_selector("#status:text('This went wrong')")
    assert page.locator("#welcome").is_visible() and page.inner_text("#make") == "Show their child"
    page.unroute(ORDERS)
    page.click("#make")
    settled(page)
    page.route(ORDERS, lambda route: route.fulfill(status=422, body=refusal))
    page.click("#sibling")
    page.wait_for_selector("#status:text('This went wrong')")
    assert page.locator("#siblings li").count() == 1
    assert page.locator("[name=blender]:checked").input_value() == "average", "the controls are of who is left"


def test_all_of_it_works_by_keyboard(page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    give_both(page)
    page.focus("#make")
    page.keyboard.press("Enter")
    settled(page)
    page.focus("#age")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("#age", "aria-valuetext") == "9 years"
    settled(page)
    page.focus("#expert > summary")
    page.keyboard.press("Enter")
    reached = set()
    page.focus("#forget")
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.name"))
    wanted = "father-file mother-file make child-name morph-slider age sex edit-smile reset blender count sibling"
    assert {*wanted.split(), "get-png", "get-morph", "get-bundle"} <= reached


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 768, 1440])
def test_axe_finds_nothing_serious(browser, server: Server, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_core_python.sync_playwright", reason="axe-core-python is not installed").Axe()
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
    page = context.new_page()
    page.set_default_timeout(WAIT * 1000)
    page.goto(server.address)
    found = [axe.run(page)]
    give(page, "father", couple())
    page.wait_for_selector("#father .faces button >> nth=1")
    give(page, "mother", nobody())
    page.wait_for_selector("#mother .message:not(:empty)")
    found.append(axe.run(page))
    make_family(page, 1)
    page.fill("#count", "50")
    found.append(axe.run(page))
    open_experts(page)
    page.check("[name=blender][value=layer]")
    settled(page)
    page.click("[data-years=parents]")
    settled(page)
    page.fill("#morph-slider", "-50")
    found.append(axe.run(page))
    page.click("#child .enlarge")
    found.append(axe.run(page))
    page.keyboard.press("Escape")
    page.click("#forget")
    found.append(axe.run(page))
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    context.close()
    serious = [
        (issue["id"], [node["html"][:120] for node in issue["nodes"]])
        for result in found
        for issue in result["violations"]
        if issue["impact"] in ("serious", "critical")
    ]
    assert not serious
    assert overflow == 0, "nothing to scroll sideways"


def test_nothing_jumps_while_a_child_comes(page) -> None:
    page.evaluate(
        "window.jumps = []; new PerformanceObserver((list) => window.jumps.push(...list.getEntries()"
        ".filter((entry) => !entry.hadRecentInput).map((entry) => entry.value)))"
        ".observe({ type: 'layout-shift', buffered: true })"
    )
    make_child(page)
    page.fill("#age", "12")
    settled(page)
    assert sum(page.evaluate("window.jumps")) < 0.1


def test_faces_are_not_kept_by_the_browser_either(page) -> None:
    give(page, "father", as_file(Image.open(io.BytesIO(photograph()))))
    page.wait_for_selector("#father img:visible")
    address = page.evaluate("document.querySelector('#father img').src")
    assert page.request.get(address).headers["cache-control"] == "no-store"


@pytest.fixture(scope="module")
def other_backbone(browser: object) -> Iterator[Server]:
    """A server over `ffhq-mobile`, where it was pulled."""
    try:
        create_app(load_settings(backbone="ffhq-mobile"))
    except ModelError as error:
        pytest.skip(f"ffhq-mobile is not here: {error}")
    with Server("--backbone", "ffhq-mobile") as running:
        yield running


def test_it_holds_with_another_backbone_too(page, other_backbone: Server) -> None:
    page.goto(other_backbone.address)
    values = page.locator("[name=blender]").evaluate_all("all => all.map((one) => one.value)")
    assert {"average", "learned", "mask"} <= set(values)
    labels = page.locator("#edits label").all_inner_texts()
    assert labels and not [label for label in labels if "_" in label]
    make_family(page, 1)
    open_experts(page)
    order = sent_after(page, lambda: page.click("[data-years='16']"))
    assert (order["blender"], order["seed"], order["age"], order["siblings"]) == ("average", 1, 16, 0.5)
    order = sent_after(page, lambda: page.fill("#edit-hair_length", "1"))
    assert order["edits"] == {"hair_length": 1}
    assert page.get_attribute("#mutation", "aria-valuetext") == "nothing" and "mutation" not in order
    order = sent_after(page, lambda: page.fill("#mutation", "0.2"))
    assert (order["mutation"], page.get_attribute("#mutation", "aria-valuetext")) == (0.2, "20 %")
    page.click("#siblings .face >> nth=0")
    settled(page)
    assert page.input_value("#mutation") == "0", "it is the other child's"
    page.click("#siblings .face >> nth=1")
    settled(page)
    assert page.input_value("#mutation") == "0.2"
    page.check("[name=blender][value=layer]")
    order = sent_after(page, lambda: page.fill("#b-layer-shares-p1", "0"))
    assert order["blender_options"]["shares"]["0-6"] == 0
    page.reload()
    settled(page)
    assert page.input_value("#b-layer-shares-p1") == "0" and page.input_value("#edit-hair_length") == "1"
