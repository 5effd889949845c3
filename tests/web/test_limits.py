"""What is too much is refused in words, and costs others nothing."""

import threading
import time

import pytest
from fastapi.testclient import TestClient
from web_client import HERE, photograph

from kinblend.errors import ModelError
from kinblend.settings import load_settings
from kinblend.web.access import Access
from kinblend.web.app import create_app
from kinblend.web.limits import Limits

SMALL = Limits(
    file_bytes=200_000, request_bytes=500_000, json_bytes=20_000, waiting=2, requests_per_second=1.0, burst=30.0
)
TOKEN = "0123456789abcdef"


@pytest.fixture(scope="module")
def app():
    return create_app(load_settings(), limits=SMALL)


@pytest.fixture(scope="module")
def running(app):
    with TestClient(app, base_url=HERE) as client:
        yield client


@pytest.fixture(autouse=True)
def rested(app) -> None:
    """Nobody has asked for anything yet."""
    for rates in (app.state.services.rates, app.state.services.address_rates):
        rates._buckets.clear()


def form(*parts: tuple[bytes, bytes]) -> dict:
    """A multipart body of raw parts: headers and content."""
    body = b"".join(b"--line\r\n" + headers + b"\r\n\r\n" + data + b"\r\n" for headers, data in parts)
    return {"content": body + b"--line--\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=line"}}


PHOTO = b'Content-Disposition: form-data; name="photo"; filename="x.jpg"'


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (form((PHOTO, bytes(200_001))), 413, "The photograph is larger than"),
        (form((PHOTO, bytes(600_000))), 413, "at most"),
        (form((PHOTO, b"a"), (PHOTO, b"b")), 422, "once"),
        (form((PHOTO, b"a"), (PHOTO.replace(b"photo", b"other"), b"b")), 422, "no file but photo"),
        (form((PHOTO + b"\r\nX-Long: " + bytes([65]) * 3000, b"a")), 400, "can't be read"),
        (form((PHOTO + b"".join(b"\r\nX-%d: a" % n for n in range(20)), b"a")), 400, "can't be read"),
        (form((PHOTO.replace(b"photo", b"other"), b"a")), 422, "no file but photo"),
        (form((b'Content-Disposition: form-data; name="photo"', b"")), 422, "Send a photograph"),
        (form((b"X-Nothing: 1", b"a")), 422, "Send a photograph"),
        ({"content": b"--line", "headers": {"Content-Type": "multipart/form-data"}}, 415, "multipart/form-data"),
        ({"json": {"photo": "x"}}, 415, "multipart/form-data"),
    ],
)
def test_forms_that_are_too_much(client: TestClient, body: dict, status: int, words: str) -> None:
    refused = client.post("/api/v1/photos", **body)
    assert (refused.status_code, refused.headers["content-type"]) == (status, "application/problem+json")
    assert words in refused.json()["detail"]


def test_a_body_that_does_not_say_its_size_is_counted(client: TestClient) -> None:
    def chunks():
        for _ in range(40):
            yield bytes(1000)

    headers = {"Content-Type": "application/json"}
    refused = client.post("/api/v1/children", content=chunks(), headers=headers)
    assert refused.status_code == 413 and "at most" in refused.json()["detail"]


def test_a_full_queue_says_when_to_come_back(client: TestClient, app) -> None:
    worker, begun, free = app.state.services.worker, threading.Event(), threading.Event()
    jobs = [worker.submit("held", lambda job: begun.set() or free.wait(60))]
    assert begun.wait(60)
    jobs += [worker.submit("held", lambda job: None) for _ in range(SMALL.waiting)]
    try:
        refused = client.post("/api/v1/photos", files={"photo": photograph(side=200)})
        assert refused.status_code == 503 and int(refused.headers["retry-after"]) > 0
        assert refused.json()["type"] == "urn:kinblend:queue-full"
        assert client.get("/readyz").status_code == 503 and client.get("/healthz").status_code == 200
    finally:
        free.set()
        for job in jobs:
            job.future.result(60)


def test_a_client_that_asks_too_often_waits_and_another_does_not(client: TestClient) -> None:
    answers = [client.get("/api/v1/strategies") for _ in range(60)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= 25 and int(refused[0].headers["retry-after"]) >= 1
    client.cookies.clear()
    client.get("/")
    assert client.get("/api/v1/strategies").status_code == 200


def test_a_name_that_points_here_from_elsewhere_is_refused(client: TestClient) -> None:
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 403
    assert client.delete("/api/v1/mine", headers={"Origin": "http://evil.example"}).status_code == 403


def test_with_a_token_one_enters_by_header_or_by_the_door() -> None:
    app = create_app(load_settings(), Access("0.0.0.0", TOKEN))
    with TestClient(app, base_url="http://box.example", follow_redirects=False) as client:
        assert client.get("/api/v1/strategies").status_code == 401
        assert client.get("/metrics").status_code == 401
        assert client.get("/healthz").status_code == 200
        sent = client.get("/", headers={"Accept": "text/html"})
        assert (sent.status_code, sent.headers["location"]) == (303, "/login")
        assert client.post("/login", data={"token": "wrong"}).status_code == 401
        assert client.get("/", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
        client.cookies.clear()
        assert client.post("/login", data={"token": TOKEN}).headers["location"] == "/"
        assert client.get("/").status_code == 200


def test_finding_16_whoever_changes_the_name_still_has_one_address() -> None:
    """With a new cookie, or a new X-Forwarded-For, for every request; and the page itself counts."""
    limits = Limits(requests_per_second=0.5, burst=10.0)
    app = create_app(load_settings(), limits=limits)
    with TestClient(app, base_url=HERE) as client:
        for path in ("/", "/api/v1/strategies", "/login"):
            app.state.services.address_rates._buckets.clear()
            answers = []
            for number in range(80):
                client.cookies.clear()
                names = {"Cookie": f"kinblend-owner={number:032d}", "X-Forwarded-For": f"10.0.0.{number}"}
                answers.append(client.get(path, headers=names).status_code)
            assert answers.count(429) >= 30, path
        assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "host", ["[", "[::1", "]", "[x]", "a@b", "", "\xff", "localhost:x", "[::1]extra", "//", "%00"]
)
def test_finding_22_no_name_or_origin_is_an_error_of_the_server(host: str, client: TestClient) -> None:
    for name in ("Host", "Origin", "Referer", "Cookie", "Accept", "Authorization", "Content-Type"):
        for start in ("", "http://", "Bearer "):
            headers = {name: (start + host).encode("latin-1")}
            assert client.get("/", headers=headers).status_code < 500
            assert client.post("/api/v1/children", headers=headers, content=b"{}").status_code < 500


def test_finding_25_many_small_parts_are_refused_at_once(client: TestClient) -> None:
    parts = [(b'Content-Disposition: form-data; name="%d"' % n, b"x") for n in range(6000)]
    begun = time.monotonic()
    refused = client.post("/api/v1/photos", **form(*parts))
    assert refused.status_code == 422 and "at most 16 parts" in refused.json()["detail"]
    assert time.monotonic() - begun < 2


def test_finding_08_a_foreign_cookie_keeps_clients_apart(app, running: TestClient) -> None:
    running.cookies.clear()
    mine, other = (f'prefs={{"theme":"dark"}}; a=b c; kinblend-owner={letter * 32}' for letter in "mo")
    sent = running.post("/api/v1/photos", files={"photo": photograph(side=200)}, headers={"Cookie": mine})
    where = sent.headers["location"]
    assert running.get(where, headers={"Cookie": mine}).status_code == 200
    assert running.get(where, headers={"Cookie": other}).status_code == 404
    assert "set-cookie" not in running.get("/", headers={"Cookie": mine}).headers


def test_finding_09_what_clients_call_their_methods_takes_no_memory() -> None:
    app = create_app(load_settings(), Access("0.0.0.0", TOKEN))
    with TestClient(app, base_url="http://box.example") as client:
        for number in range(50):
            assert client.request(f"X{number}", f"/{number}").status_code in (401, 403, 405)
            assert client.request(f"X{number}", "/healthz").status_code in (401, 403, 405)
        text = client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    lines = [line for line in text.splitlines() if line.startswith("kinblend_http_requests_total")]
    assert len(lines) < 6 and 'method="other"' in text and "X1" not in text


def test_models_that_cannot_be_loaded_are_told(monkeypatch: pytest.MonkeyPatch, caplog) -> None:
    def fail(*_: object) -> None:
        raise ModelError("the landmarks are on_evict")

    monkeypatch.setattr("kinblend.web.engine_service.detect", fail)
    with TestClient(create_app(load_settings()), base_url=HERE) as client:
        until = time.monotonic() + 60
        while "could not be loaded" not in client.get("/readyz").text:
            assert time.monotonic() < until
            time.sleep(0.05)
        assert client.get("/readyz").status_code == 503 and client.get("/healthz").status_code == 200
        assert "landmarks" not in client.get("/readyz").text
    assert "the models could not be loaded" in caplog.text and "the landmarks are on_evict" in caplog.text
