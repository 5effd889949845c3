"""The page in a real browser: by keyboard alone, with a token, and as axe sees it."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from toy_study import study, write_toy
from web_client import WAIT, Server

from kinblend.study import read_answers

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
TOKEN = "0123456789abcdef"

pytestmark = [
    pytest.mark.slow,  # a browser and a server start
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium here"),
]
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = study(couples=8, sexes="m", choose_trials=2, rating_trials=2, catch_trials=1)
    return write_toy(tmp_path_factory.mktemp("study"), made)


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    """One that others can reach, so that it asks for a token."""
    words = ("--quiet", str(folder), "--host", "0.0.0.0", "--token", TOKEN)
    with Server(*words, serve=("study", "serve")) as running:
        running.address = running.address.replace("0.0.0.0", "127.0.0.1")
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser, server: Server) -> Iterator[object]:
    """A participant's page. What it logs as an error, such as something that the policy forbids, fails the test."""
    context = browser.new_context(viewport={"width": 1100, "height": 900})
    page, wrong = context.new_page(), []
    page.set_default_timeout(WAIT * 1000)
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
    page.goto(server.address)
    page.fill("#token", TOKEN)
    press(page, "Enter")
    assert page.inner_text("h1") == "A study of faces"
    yield page
    context.close()
    assert not wrong


def press(page, *keys: str) -> None:
    """Keys, of which the last leads to another page."""
    for key in keys[:-1]:
        page.keyboard.press(key)
    with page.expect_navigation(wait_until="load"):
        page.keyboard.press(keys[-1])


def agree(page) -> None:
    press(page, "Tab", "Space", "Tab", "Enter")


def test_a_session_by_keyboard_alone(page, folder: Path) -> None:
    before = len(read_answers(folder / "answers.csv"))
    agree(page)
    total = int(re.search(r"of (\d+)", page.title())[1])
    for number in range(1, total + 1):
        assert page.title() == f"Question {number} of {total}"
        if number == 2:
            page.reload()  # nothing is lost
        broken = "images => images.filter(one => !one.complete || !one.naturalWidth).length"
        assert page.eval_on_selector_all("img", broken) == 0
        press(page, "Tab", "ArrowRight", "Enter")
    assert "Thank you" in page.inner_text("h1")
    rows = read_answers(folder / "answers.csv")[before:]
    assert len(rows) == total + 1
    second = [row.shown.split()[1].partition("/")[0] for row in rows if row.task == "choose"]
    assert [row.answer for row in rows if row.task == "choose"] == second
    assert {row.answer for row in rows if row.task == "rate"} == {"1"}
    press(page, "Tab", "Enter")
    assert "were deleted" in page.inner_text("[role=status]")
    assert len(read_answers(folder / "answers.csv")) == before


def test_without_an_answer_the_browser_says_so(page, folder: Path) -> None:
    agree(page)
    page.click("text=Next")
    assert page.title().startswith("Question 1 of") and page.locator("input:invalid").count() > 0
    with page.expect_navigation(wait_until="load"):
        page.click("text=I know one of these people")
    assert page.title().startswith("Question 2 of")
    assert read_answers(folder / "answers.csv")[-1].answer == "known"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1100), ("dark", 390)])
def test_axe_finds_nothing_serious(page, scheme: str, width: int) -> None:
    axe = pytest.importorskip("axe_core_python.sync_playwright", reason="axe-core-python is not installed").Axe()
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    found = [axe.run(page)]
    agree(page)
    seen = set()
    while "Question" in page.title():
        if page.inner_text("h1") not in seen:
            seen.add(page.inner_text("h1"))
            found.append(axe.run(page))
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        press(page, "Tab", "ArrowRight", "Enter")
    found.append(axe.run(page))
    assert len(found) == 4
    problems = [one for result in found for one in result["violations"] if one["impact"] in ("serious", "critical")]
    assert problems == []
