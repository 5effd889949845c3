"""Fifty clients at once, some with photographs, some with rubbish: does the web app keep its word?

    python benchmarks/web_load.py [--clients 50] [--seconds 60] [--rounds 2]

Starts `kinblend serve` with a temporary folder of its own. Every client has a corner of its own and couples drawn
from seven synthetic people of the package `openpeople`. What is checked: no status 5xx but the queue's 503, which
says when to come back; each picture equals, byte for byte, what one client alone was given for that couple and age
before; no file is left, and nothing is kept when all clients have asked to be forgotten; after a second round the
server's memory is at most a tenth larger than after the first.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import permutations
from pathlib import Path

import httpx2
from PIL import Image

from kinblend.cli.demo import example
from kinblend.imaging import read_image

PEOPLE = ("P001", "P002", "P004", "P005", "P007", "P008", "P009")
AGES = (-2.0, -1.0, 0.0, 1.0, 2.0)
SIDE = 640  # px of a photograph
KNOWN = 6  # couples whose answers are known beforehand
CALM = 12.0  # seconds after a round until memory is read


def photograph(person: str) -> bytes:
    picture = read_image(example(person))
    picture.thumbnail((SIDE, SIDE))
    return jpeg(picture)


def jpeg(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG")
    return file.getvalue()


PHOTOGRAPHS = {person: photograph(person) for person in PEOPLE}
RUBBISH = {
    "text": b"no picture at all",
    "truncated": PHOTOGRAPHS["P007"][:4000],
    "too large": bytes(10 * 2**20 + 1),
    "nobody": jpeg(Image.new("RGB", (400, 300), "teal")),
}


@dataclass
class Tally:
    """What was seen. wrong: answers that were not the asker's."""

    statuses: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    compared: int = 0
    memory: list[float] = field(default_factory=list)
    after: list[float] = field(default_factory=list)


class Client:
    """One of the fifty."""

    def __init__(self, address: str, tally: Tally, answers: dict[str, bytes], draw: random.Random) -> None:
        self.http = httpx2.AsyncClient(base_url=address, timeout=120.0)
        self.tally, self.answers, self.draw = tally, answers, draw

    async def live(self, until: float) -> None:
        await self.http.get("/")
        while time.monotonic() < until:
            act = self.draw.choice([self.play, self.play, self.play, self.spoil, self.leave, self.order])
            await act()
        await self.http.delete("/api/v1/mine")
        await self.http.aclose()

    async def ask(self, method: str, path: str, **extra: object) -> httpx2.Response:
        started = time.perf_counter()
        response = await self.http.request(method, path, **extra)
        self.tally.statuses[f"{method} {path.split('/')[3]} {response.status_code}"] += 1
        if response.status_code in (429, 503):
            await asyncio.sleep(float(response.headers["Retry-After"]) * self.draw.uniform(0.5, 1.5))
        elif response.is_success:
            self.tally.seconds.append(time.perf_counter() - started)
        return response

    async def see(self, person: str) -> str | None:
        response = await self.ask("POST", "/api/v1/photos", files={"photo": PHOTOGRAPHS[person]})
        return response.json()["id"] if response.is_success else None

    async def couple(self) -> tuple[str, dict[str, str]] | None:
        father, mother = self.draw.choice(couples())
        ids = [await self.see(person) for person in (father, mother)]
        return None if None in ids else (f"{father} {mother}", dict(zip(("father", "mother"), ids, strict=True)))

    async def play(self) -> None:
        """A few moves of the age slider."""
        met = await self.couple()
        for age in self.draw.sample(AGES, 3) if met else ():
            response = await self.ask("POST", "/api/v1/previews", json=met[1] | {"edits": {"age": age}})
            if response.is_success:
                self.compare(f"{met[0]} {age}", response.content)

    async def order(self) -> None:
        """A child in full, by its events."""
        met = await self.couple()
        response = await self.ask("POST", "/api/v1/children", json=met[1] | {"blender": "mask"}) if met else None
        if response is None or not response.is_success:
            return
        events = await self.ask("GET", response.json()["events"])
        last = json.loads(events.text.strip().split("data: ")[-1])
        self.tally.statuses[f"order {last['status']}"] += 1
        if last["status"] == "done":
            picture = await self.ask("GET", last["children"][0]["picture"])
            self.compare(f"{met[0]} mask", picture.content)

    async def spoil(self) -> None:
        """A photograph that will not do, each with its own refusal."""
        kind = self.draw.choice(list(RUBBISH))
        response = await self.ask("POST", "/api/v1/photos", files={"photo": RUBBISH[kind]})
        wanted = {413} if kind == "too large" else {422}
        if response.status_code not in wanted | {429, 503}:
            self.tally.wrong.append(f"{kind}: {response.status_code}")

    async def leave(self) -> None:
        """Ask, and go before the answer comes."""
        task = asyncio.create_task(self.ask("POST", "/api/v1/photos", files={"photo": PHOTOGRAPHS["P005"]}))
        await asyncio.sleep(self.draw.uniform(0.0, 0.5))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    def compare(self, what: str, picture: bytes) -> None:
        self.tally.compared += 1
        if self.answers[what] != picture:
            self.tally.wrong.append(what)


def couples() -> list[tuple[str, str]]:
    return random.Random(7).sample(list(permutations(PEOPLE, 2)), KNOWN)


async def known_answers(address: str) -> dict[str, bytes]:
    """What each couple's children look like, asked for by one client alone."""
    alone = Client(address, Tally(), {}, random.Random(0))
    await alone.http.get("/")
    found = {}
    for father, mother in couples():
        ids = {"father": await alone.see(father), "mother": await alone.see(mother)}
        for age in AGES:
            response = await alone.ask("POST", "/api/v1/previews", json=ids | {"edits": {"age": age}})
            found[f"{father} {mother} {age}"] = response.content
        placed = (await alone.ask("POST", "/api/v1/children", json=ids | {"blender": "mask"})).json()
        await alone.ask("GET", placed["events"])
        picture = await alone.ask("GET", f"/api/v1/children/{placed['id']}/1/picture.jpg")
        found[f"{father} {mother} mask"] = picture.content
    await alone.ask("DELETE", "/api/v1/mine")
    await alone.http.aclose()
    return found


def resident(process: int) -> float:
    """Megabytes."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


async def watch(process: int, tally: Tally) -> None:
    while True:
        tally.memory.append(resident(process))
        await asyncio.sleep(0.5)


async def load(address: str, process: int, wanted: argparse.Namespace) -> Tally:
    answers, tally = await known_answers(address), Tally()
    watching = asyncio.create_task(watch(process, tally))
    for turn in range(wanted.rounds):
        until = time.monotonic() + wanted.seconds
        people = [Client(address, tally, answers, random.Random(f"{turn} {n}")) for n in range(wanted.clients)]
        await asyncio.gather(*(client.live(until) for client in people))
        await asyncio.sleep(CALM)
        tally.after.append(resident(process))
    watching.cancel()
    return tally


def kept(address: str) -> dict[str, float]:
    """What the server says it still holds."""
    lines = httpx2.get(f"{address}metrics").text.splitlines()
    names = ("kinblend_photos", "kinblend_families", "kinblend_kept_bytes", "kinblend_queue_length")
    return {line.split()[0]: float(line.split()[1]) for line in lines if line.split()[0] in names}


def report(tally: Tally, left: dict[str, float], files: list[str]) -> bool:
    bad = {key: n for key, n in tally.statuses.items() if key.split()[-1].startswith("5") and key[-3:] != "503"}
    for key, number in sorted(tally.statuses.items()):
        print(f"{key:32} {number}")
    print(f"answers compared: {tally.compared}, not the asker's: {len(tally.wrong)} {tally.wrong[:3]}")
    print(f"answered in (median, slowest): {statistics.median(tally.seconds):.2f} s, {max(tally.seconds):.2f} s")
    print(f"memory, MB: at most {max(tally.memory):.0f}; after each round {[round(at) for at in tally.after]}")
    print(f"5xx but 503: {bad or 'none'}; files left: {files or 'none'}; kept: {left}")
    flat = tally.after[-1] < 1.1 * tally.after[0]
    return flat and not (bad or tally.wrong or files or any(left.values()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--rounds", type=int, default=2)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "kinblend.cli", "serve", "--port", "0", "--quiet"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": scratch})
        assert server.stdout is not None
        address = server.stdout.readline().strip()
        try:
            tally = asyncio.run(load(address, server.pid, wanted))
            fine = report(tally, kept(address), [str(path) for path in Path(scratch).rglob("*")])
        finally:
            server.terminate()
            server.wait()
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
