"""Guests of the web app: the photographs they bring, what they wait for, and a server that is up for them."""

import io
import json
import os
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import fork_server
import httpx2
from PIL import Image

from kinblend.cli.demo import FATHER, MOTHER, example

HERE = "http://127.0.0.1:8765"
WAIT = 60.0  # seconds for an engine that shares its cores


@cache
def photograph(person: str = FATHER, side: int = 640) -> bytes:
    """A portrait of an example person, small: less to detect in, and no less a face."""
    picture = Image.open(example(person)).convert("RGB")
    picture.thumbnail((side, side))
    return as_file(picture)


def as_file(picture: Image.Image, kind: str = "JPEG", **extra: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **extra)
    return file.getvalue()


@cache
def couple() -> bytes:
    """Two people in one photograph, the father on the left."""
    people = [Image.open(io.BytesIO(photograph(person, 480))) for person in (FATHER, MOTHER)]
    picture = Image.new("RGB", (sum(person.width for person in people), people[0].height))
    picture.paste(people[0], (0, 0))
    picture.paste(people[1], (people[0].width, 0))
    return as_file(picture)


@cache
def nobody() -> bytes:
    return as_file(Image.new("RGB", (400, 300), "steelblue"))


def finished(client: httpx2.Client, answer: dict) -> dict:
    """The order once it is over, from its events."""
    events = client.get(answer["events"]).text
    return json.loads(events.strip().split("data: ")[-1])


class Server:
    """`kinblend serve`, or another command that serves, in a process of its own."""

    def __init__(self, *words: str, code: str = "", serve: Sequence[str] = ("serve",), **environ: str) -> None:
        given = [*serve, "--port", "0", "--json", *words]
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115 (it is closed with the server)
        read, write = os.pipe()
        self.out = os.fdopen(read)
        with os.fdopen(write, "wb") as out:
            code = code or fork_server.COMMAND
            self.process = fork_server.start(given, os.environ | environ, Path.cwd(), code, out, self.log)
        lines = [self.out.readline() for _ in range(3)]
        self.address = json.loads("".join(lines))["address"]

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *error: object) -> None:
        self.process.terminate()
        self.close()

    def close(self) -> None:
        """Wait for its end."""
        self.process.wait(30)
        self.words = self.said()
        self.out.close()
        self.log.close()

    def said(self) -> str:
        """What stands on its stderr by now."""
        self.log.seek(0)
        return self.log.read()


def files_open(process: int) -> set[str]:
    """The ordinary files that a process holds open."""
    links = Path(f"/proc/{process}/fd").iterdir()
    return {str(link.readlink()) for link in links if link.exists()}
