"""The real app over the real engine, for all tests of the web app."""

from collections.abc import Iterator

import pytest

pytest.importorskip("fastapi", reason="the web extra is not installed")

from fastapi.testclient import TestClient
from web_client import HERE, photograph

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
