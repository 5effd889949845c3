"""`kinblend serve`, a process of its own."""

import contextlib
import signal
import socket
import time
from pathlib import Path

import httpx2
import pytest
from plugin_site import here
from web_client import WAIT, Server, photograph


@pytest.fixture(scope="module")
def server():
    with Server("--quiet") as running:
        yield running


def test_it_says_where_it_is_and_speaks_only_to_this_machine(server: Server) -> None:
    assert server.address.startswith("http://127.0.0.1:")
    assert "How might their child look?" in httpx2.get(server.address, timeout=WAIT).text


def test_who_leaves_is_not_worked_for(server: Server) -> None:
    """The first photograph keeps the thread busy; the second's owner leaves before its turn comes."""
    with httpx2.Client(base_url=server.address, timeout=WAIT) as client:
        until = time.monotonic() + WAIT
        while client.get("/readyz").status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.1)
        port = int(server.address.rstrip("/").rpartition(":")[2])
        sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(4)]
        for number, line in enumerate(sockets):
            line.sendall(request(photograph(side=400 + number)))
        for line in sockets:
            line.close()
        while 'kind="inspect",outcome="cancelled"' not in client.get("/metrics").text:
            assert time.monotonic() < until
            time.sleep(0.1)


def test_who_leaves_in_the_middle_of_a_photograph_is_no_error(server: Server) -> None:
    port = int(server.address.rstrip("/").rpartition(":")[2])
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", port)) as line:
            line.sendall(request(photograph())[:3000])
    with httpx2.Client(base_url=server.address, timeout=WAIT) as client:
        until = time.monotonic() + WAIT
        while 'method="POST",route="/api/v1/photos",status="409"' not in client.get("/metrics").text:
            assert time.monotonic() < until
            time.sleep(0.1)
    assert "Traceback" not in server.said()


def request(photo: bytes) -> bytes:
    """A whole POST of a photograph."""
    head = b'--line\r\nContent-Disposition: form-data; name="photo"; filename="x.jpg"\r\n\r\n'
    body = head + photo + b"\r\n--line--\r\n"
    headers = (
        "POST /api/v1/photos HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=line\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return headers.encode() + body


def test_a_port_that_is_taken_and_an_address_without_a_token(server: Server) -> None:
    port = server.address.rstrip("/").rpartition(":")[2]
    code, out, error = here("serve", "--port", port)
    assert (code, out, error.count("\n")) == (1, "", 1) and "choose another --port" in error
    code, _, error = here("serve", "--host", "0.0.0.0")
    assert code == 2 and "--token" in error


def test_without_the_extra_it_says_how_to_get_it(monkeypatch) -> None:
    monkeypatch.setattr("kinblend.cli.serve.find_spec", lambda name: None if name == "fastapi" else True)
    code, _, error = here("serve")
    assert code == 1 and "pip install kinblend[web]" in error


def test_an_interrupt_ends_it_without_a_word() -> None:
    server = Server("--quiet")
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(60) == 0
    assert server.said() == ""
    server.close()


def test_finding_22_every_loopback_address_answers_by_its_own_name() -> None:
    with Server("--quiet", "--host", "127.0.0.2") as server:
        assert server.address.startswith("http://127.0.0.2:")
        assert httpx2.get(server.address, timeout=WAIT).status_code == 200


def limited(**limits: float) -> str:
    """Python code that is `kinblend` with other limits."""
    return (
        f"import functools, kinblend.web.app as app\napp.Limits = functools.partial(app.Limits, **{limits!r})\n"
        "from kinblend.cli import main\nmain()\n"
    )


def test_finding_16_a_header_of_a_proxy_counts_only_where_one_is_named() -> None:
    with (
        Server("--quiet", code=limited(requests_per_second=0.1, burst=5.0)) as server,
        httpx2.Client(base_url=server.address, timeout=WAIT) as client,
    ):
        addresses = [{"X-Forwarded-For": f"10.0.{number}.1"} for number in range(40)]
        answers = [client.get("/api/v1/attributes", headers=address).status_code for address in addresses]
    assert answers.count(429) >= 30


def test_finding_17_unfinished_uploads_and_half_open_requests_end() -> None:
    """In a server with short limits: its memory stays, and it answers meanwhile."""
    code = limited(uploads_bytes=30 * 2**20, body_seconds=4.0, header_seconds=2.0, burst=1000.0)
    with Server("--quiet", code=code) as server:
        port = int(server.address.rstrip("/").rpartition(":")[2])
        whole, until = request(bytes(9 * 2**20)), time.monotonic() + WAIT
        while httpx2.get(server.address + "readyz").status_code != 200:
            assert time.monotonic() < until
            time.sleep(0.2)
        before = device_memory(server.process.pid)
        uploads = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        for line in uploads:
            line.settimeout(20)
            with contextlib.suppress(OSError):  # the server may have had enough
                line.sendall(whole[:-1000])
        heads = [socket.create_connection(("127.0.0.1", port)) for _ in range(20)]
        for line in heads:
            line.settimeout(20)
            line.sendall(b"GET / HTTP/1.1\r\nHost: loc")
        assert httpx2.get(server.address, timeout=WAIT).status_code == 200
        assert device_memory(server.process.pid) - before < 150 * 2**20
        answers = [answer_of(line) for line in uploads]
        assert {answer[:3] for answer in answers} <= {"408", "503", "409", ""}, answers
        assert any(answer == "503" for answer in answers) and any(answer == "408" for answer in answers)
        assert all(answer_of(line) == "" for line in heads)  # closed
        assert httpx2.get(server.address + "healthz").status_code == 200
    assert "Traceback" not in server.words


def answer_of(line: socket.socket) -> str:
    """The status that comes, "" where the connection is closed."""
    with line, contextlib.suppress(OSError):
        return line.recv(100).partition(b" ")[2][:3].decode()
    return ""


def device_memory(process: int) -> int:
    """Resident bytes."""
    lines = (Path("/proc") / str(process) / "status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) * 1024
