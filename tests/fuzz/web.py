"""The web app under load: 50 clients, slow uploads, floods, cancelled orders."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from threading import Event, Thread

import httpx2
from fuzz.outcome import Outcome
from web_client import Server, files_open, photograph

from kinblend.cli.demo import FATHER, MOTHER

CLIENTS, SECONDS = 50, 60.0
PHOTOS = {"father": photograph(FATHER, 320), "mother": photograph(MOTHER, 320)}
SLOWEST = 0.1  # seconds that /healthz may take
GROWTH = 100e6  # bytes that the server may grow by in the second half, beside what it keeps for its clients
# Asks /healthz for so many seconds, ten times a second, and prints the median and the longest time an answer took.
PROBE = """
import http.client, sys, time
host, port, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
took, until = [], time.monotonic() + seconds
while time.monotonic() < until:
    begun = time.monotonic()
    line = http.client.HTTPConnection(host, port, timeout=10)
    line.request("GET", "/healthz")
    assert line.getresponse().status == 200
    took.append(time.monotonic() - begun)
    line.close()
    time.sleep(0.1)
took.sort()
print(took[len(took) // 2], took[int(len(took) * 0.99)])
"""


class Client(Thread):
    """Somebody with an address and a session of their own, who does one thing after the other.

    codes: what was answered, how often. faults: what must never be.
    """

    def __init__(self, number: int, address: str, over: Event, rooms: dict[int, str]) -> None:
        super().__init__(daemon=True)
        self.number, self.address, self.is_finished, self.rooms = number, address, over, rooms
        self.codes, self.faults, self.draw = Counter[int | str](), list[str](), random.Random(number)
        transport = httpx2.HTTPTransport(local_address=f"127.0.0.{2 + number}")
        self.http = httpx2.Client(base_url=address, timeout=30, transport=transport)

    def run(self) -> None:
        actions = [self.order, self.cancel, self.flood, self.dawdle, self.pry]
        with self.http:
            while not self.is_finished.is_set():
                try:
                    self.draw.choice(actions)()
                except (httpx2.TransportError, OSError) as error:
                    self.codes[type(error).__name__] += 1

    def told(self, answer: httpx2.Response) -> httpx2.Response:
        """Count an answer; one of the server's own errors is a fault, but for its being busy."""
        self.codes[answer.status_code] += 1
        if answer.status_code >= 500 and answer.status_code != 503:
            self.faults.append(f"{answer.status_code} for {answer.request.url}")
        return answer

    def parents(self) -> dict[str, str]:
        found = {}
        for role, data in PHOTOS.items():
            answer = self.told(self.http.post("/api/v1/photos", files={"photo": data}))
            if answer.status_code in (200, 201):
                found[role] = answer.json()["id"]
        return found

    def order(self) -> None:
        """A child, asked for and left to be made."""
        if len(parents := self.parents()) == 2:
            answer = self.told(self.http.post("/api/v1/children", json=parents))
            if answer.status_code in (200, 202):
                self.rooms[self.number] = answer.headers.get("location", "")

    def cancel(self) -> None:
        """A child that nobody wants any more."""
        if len(parents := self.parents()) == 2:
            answer = self.told(
                self.http.post("/api/v1/children", json=parents | {"seed": self.draw.randrange(10**6)})
            )
            if place := answer.headers.get("location"):
                self.told(self.http.delete(place))

    def flood(self) -> None:
        """Many pages at once."""
        for _ in range(20):
            self.told(self.http.get(self.draw.choice(("/", "/api/v1/strategies", "/nothing", "/api/v1/photos/x"))))

    def dawdle(self) -> None:
        """An upload that hardly comes, and is given up."""
        port = int(self.address.rstrip("/").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
            line.sendall(
                b"POST /api/v1/photos HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9000000\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\n\r\n--x\r\n"
            )
            for _ in range(5):
                line.sendall(b"x" * 100)
                if self.is_finished.wait(0.2):
                    return

    def pry(self) -> None:
        """Somebody else's order, by its address."""
        place = self.rooms.get((self.number + 1) % CLIENTS)
        if place and self.told(self.http.get(place)).status_code not in (404, 429, 503):
            self.faults.append(f"{place} answers somebody else")


def web_load(share: float, folder: Path) -> Outcome:
    """50 clients for a minute: no error of the server's but its being busy, and /healthz answers at once."""
    found, over, rooms, seconds = Outcome(), Event(), {}, SECONDS * max(share, 0.15)
    with Server("--quiet", "--backbone", "morphable", TMPDIR=str(folder)) as server:
        ready(server.address)
        clients = [Client(number, server.address, over, rooms) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        host, _, port = server.address.rstrip("/").removeprefix("http://").partition(":")
        probe = subprocess.Popen([sys.executable, "-c", PROBE, host, port, str(seconds)], stdout=-1, text=True)
        time.sleep(seconds / 2)
        half = unexplained(server)
        said, _ = probe.communicate()
        over.set()
        for client in clients:
            client.join(120)  # an answer may take its whole timeout
        grown = unexplained(server) - half
        open_files = {name for name in files_open(server.process.pid) if name.startswith(str(folder))}
        words = server.said()
    codes = sum((client.codes for client in clients), Counter[int | str]())
    found.tries += sum(codes.values())
    found.failures += [fault for client in clients for fault in client.faults]
    middle, slowest = map(float, said.split()) if said else (9.0, 9.0)
    if slowest > SLOWEST:
        found.late.append(f"/healthz takes {middle:.3f} s, in one of a hundred {slowest:.3f} s")
    found.count(grown < GROWTH, f"it grew by {grown / 1e6:.0f} MB in the second half")
    found.count("Traceback" not in words, words[-300:])
    found.count(not open_files and not list(folder.iterdir()), f"files stay: {open_files or list(folder.iterdir())}")
    answers = ", ".join(f"{code}: {count}" for code, count in sorted(codes.items(), key=str))
    growth = f"grew {grown / 1e6:.0f} MB beside what is kept"
    found.note = f"{seconds:.0f} s; {answers}; /healthz {1000 * slowest:.0f} ms (99 %), {growth}"
    return found


def ready(address: str) -> None:
    """Wait until the model is loaded."""
    until = time.monotonic() + 120
    while httpx2.get(f"{address.rstrip('/')}/readyz").status_code != 200:
        assert time.monotonic() < until, "the web app does not get ready"
        time.sleep(0.2)


def unexplained(server: Server) -> float:
    """Bytes of memory that the server has, beside what it keeps for its clients, which is bounded."""
    resident = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]) * 4096
    lines = httpx2.get(f"{server.address.rstrip('/')}/metrics").text.splitlines()
    [kept] = [float(line.split()[1]) for line in lines if line.startswith("kinblend_kept_bytes ")]
    return resident - kept
