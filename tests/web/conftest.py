"""The real app over the real engine, for all tests of the web app."""

import shutil
from collections.abc import Iterator

import pytest

pytest.importorskip("fastapi", reason="the web extra is not installed")

from fastapi.testclient import TestClient
from web_client import HERE, WAIT, Server, photograph

from kinblend.cli.demo import FATHER, MOTHER
from kinblend.settings import load_settings
from kinblend.web.app import create_app


@pytest.fixture(scope="session")
def app():
    return create_app(load_settings())


@pytest.fixture(scope="session")
def running(app) -> Iterator[TestClient]:
    with TestClient(app, base_url=HERE) as client:
        yield client


@pytest.fixture
def client(running: TestClient) -> TestClient:
    """Somebody with a corner of their own."""
    running.cookies.clear()
    assert running.get("/").status_code == 200
    return running


@pytest.fixture
def parents(client: TestClient) -> dict[str, str]:
    """Two photographs that were looked at: their ids."""
    return {
        role: client.post("/api/v1/photos", files={"photo": photograph(who)}).json()["id"]
        for role, who in (("father", FATHER), ("mother", MOTHER))
    }


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    """Debian's chromium, with a camera that shows a test picture."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium here")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        flags = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def server(browser: object) -> Iterator[Server]:
    """A server for people at the page; none is started where there is no browser."""
    with Server() as running:
        yield running


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
