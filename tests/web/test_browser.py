"""People at the page: Debian's chromium, a server of its own, the real engine."""

import io
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from web_client import WAIT, Server, as_file, couple, files_open, nobody, photograph

from kinblend.cli.demo import FATHER, MOTHER

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
EXAMPLE = Path(__file__).parents[2] / "examples" / "kinblend-regions"

pytestmark = [
    pytest.mark.slow,  # a browser and a server start, and whole families are made
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here"),
    pytest.mark.skipif(os.environ.get("SLOW_TESTS") != "1", reason="SLOW_TESTS=1 runs it; it takes a minute or more"),
]
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that has the example plugin, and a private folder for its temporary files."""
    site, scratch = tmp_path_factory.mktemp("site"), tmp_path_factory.mktemp("scratch")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*install, "--target", str(site), str(EXAMPLE)], check=True, capture_output=True)
    with Server(PYTHONPATH=str(site), TMPDIR=str(scratch)) as running:
        running.scratch = scratch
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with sync_api.sync_playwright() as playwright:
        flags = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture
def page(browser, server: Server) -> Iterator[object]:
    """The page, fresh. What it logs as an error fails the test, but for the refusals that tests ask for."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, accept_downloads=True)
    page, wrong = context.new_page(), []
    page.set_default_timeout(WAIT * 1000)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on(
        "console", lambda said: said.type == "error" and "status of 4" not in said.text and wrong.append(said.text)
    )
    page.goto(server.address)
    yield page
    context.close()
    assert not wrong


def give(page, role: str, data: bytes, name: str = "photo.jpg") -> None:
    page.set_input_files(f"#{role} input[type=file]", {"name": name, "mimeType": "image/jpeg", "buffer": data})


def give_both(page) -> None:
    give(page, "father", photograph(FATHER))
    give(page, "mother", photograph(MOTHER))
    page.wait_for_selector("#make:enabled")


def make_child(page) -> None:
    give_both(page)
    page.click("#make")
    page.wait_for_selector("#morph-slider:enabled")


def shown(page) -> bytes:
    """What the child's frame looks like."""
    return page.locator("#child .frame").screenshot()


def settled(page) -> None:
    """The full picture is there after a change, its strip too."""
    page.wait_for_selector("#child-picture[src^='/api/']")
    page.wait_for_selector("#morph-slider:enabled")


def test_a_family_from_two_photographs_to_forgetting(page, server: Server) -> None:
    make_child(page)
    assert "like father" in page.inner_text("#similarity")
    assert page.locator("#child .mark").inner_text() == "Synthetic image"
    first = shown(page)

    assert page.input_value("#age") == "8" and "of 8 years" in page.inner_text("#child-name")
    page.fill("#age", "4")
    page.wait_for_selector("#child-picture[src^='blob:']")
    assert shown(page) != first, "a small picture comes at once"
    settled(page)
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
    page.wait_for_selector("#siblings button >> nth=2")
    settled(page)
    assert "mask" in page.inner_text("#sibling-note")
    page.click("#siblings button >> nth=2")
    settled(page)
    assert page.locator("#siblings button").nth(2).get_attribute("aria-pressed") == "true"
    assert page.locator("#heat canvas").count() == 4

    for link, kind in (("#get-png", "PNG"), ("#get-sheet", "PNG")):
        assert Image.open(downloaded(page, link)).format == kind
    assert "child.safetensors" in zipfile.ZipFile(downloaded(page, "#get-bundle")).namelist()

    page.click("#child .enlarge")
    assert page.locator("#large img").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#large").is_visible()

    address = page.get_attribute("#get-png", "href")
    with page.expect_navigation():
        page.click("#forget")
    page.wait_for_selector("#welcome")
    assert page.request.get(server.address.rstrip("/") + address).status == 404
    assert list(server.scratch.iterdir()) == []
    assert not {name for name in files_open(server.process.pid) if name.startswith(str(server.scratch))}


def downloaded(page, link: str) -> io.BytesIO:
    with page.expect_download() as download:
        page.click(link)
    return io.BytesIO(Path(download.value.path()).read_bytes())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (nobody(), "No face was found"),
        (b"%PDF-1.4 no picture", "not a picture"),
        (photograph()[:4000], "truncated or damaged"),
        (bytes(10 * 2**20 + 1), "larger than 10 MB"),
    ],
    ids=["no face", "wrong type", "corrupt", "oversized"],
)
def test_a_photograph_that_will_not_do_is_told_beside_it(page, data: bytes, words: str) -> None:
    give(page, "mother", data)
    page.wait_for_selector("#mother .message:not(:empty)")
    assert words in page.inner_text("#mother .message")
    assert page.inner_text("#father .message") == "" and page.locator("#make").is_disabled()


def test_of_two_faces_one_is_chosen(page) -> None:
    give(page, "father", couple())
    page.wait_for_selector("#father .faces button >> nth=1")
    assert page.locator("#make").is_disabled()
    page.click("#father .faces button >> nth=1")
    page.wait_for_selector("#father img:visible >> nth=0")
    page.wait_for_selector("#father .faces button[aria-pressed=true]")
    give(page, "mother", photograph(MOTHER))
    page.wait_for_selector("#make:enabled")


def test_a_strangers_strategy_has_its_form_and_works(page) -> None:
    make_child(page)
    page.check("[name=blender][value=regions]")
    form = page.locator(".options[data-blender=regions]")
    assert form.locator("label").all_inner_texts() == ["Regions", "Share"]
    assert "into how many runs of layers" in form.inner_text()
    assert "kinblend-regions 0.1.0" in page.inner_text(".strategies")
    with page.expect_request("**/api/v1/children") as sent:
        page.fill("#b-regions-regions", "2")
    assert sent.value.post_data_json["blender"] == "regions"
    assert sent.value.post_data_json["options"] == {"regions": 2}
    settled(page)


def test_parts_can_be_given_by_hand(page) -> None:
    make_child(page)
    page.check("[name=blender][value=layer]")
    with page.expect_request("**/api/v1/children") as sent:
        page.fill("#b-layer-shares-p1", "1")
    shares = sent.value.post_data_json["options"]["shares"]
    assert shares == {"0": 1, "1": 0.25, "2": 0.75, "3": 0.25}
    assert "default" not in sent.value.post_data_json["options"]
    settled(page)
    assert "100 % father" in page.locator("#heat .layer").first.inner_text()


def sent_after(page, action) -> dict:
    """What is ordered once an action has come to rest."""
    with page.expect_request("**/api/v1/children") as sent:
        action()
    settled(page)
    return sent.value.post_data_json


def test_age_and_sex_are_asked_for(page) -> None:
    make_child(page)
    order = sent_after(page, lambda: page.click("[data-years='30']"))
    assert (order["age"], order["sex"]) == (30, "any") and page.input_value("#age") == "30"
    order = sent_after(page, lambda: page.click("[data-years=parents]"))
    assert order["age"] is None and page.get_attribute("#age", "aria-valuetext") == "as the parents"
    order = sent_after(page, lambda: page.check("[name=sex][value=boy]", force=True))
    assert order["sex"] == "boy" and page.inner_text("#child-name") == "Their child: a boy"
    order = sent_after(page, lambda: page.fill("#edit-gender", "-1"))
    assert "sex" not in order and order["edits"] == {"gender": -1}
    order = sent_after(page, lambda: page.check("[name=sex][value=girl]", force=True))
    assert order["sex"] == "girl" and order["edits"] == {}
    order = sent_after(page, lambda: page.click("#reset"))
    assert (order["age"], order["sex"]) == (8, "any")


def test_a_photograph_is_taken(page) -> None:
    page.click("#father .camera")
    page.wait_for_selector("#shoot:enabled")
    page.click("#shoot")
    page.wait_for_selector("#father .message:not(:empty)")
    assert "No face was found" in page.inner_text("#father .message"), "the false camera shows a test picture"


def test_all_of_it_works_by_keyboard(page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    give_both(page)
    page.focus("#make")
    page.keyboard.press("Enter")
    page.wait_for_selector("#morph-slider:enabled")
    page.focus("#age")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("#age", "aria-valuetext") == "9 years"
    settled(page)
    reached = set()
    page.focus("#forget")
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.name"))
    assert {
        "make",
        "morph-slider",
        "age",
        "sex",
        "edit-smile",
        "reset",
        "blender",
        "count",
        "sibling",
        "get-bundle",
    } <= reached


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
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
    make_child(page)
    page.check("[name=blender][value=layer]")
    settled(page)
    found.append(axe.run(page))
    page.click("#child .enlarge")
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
