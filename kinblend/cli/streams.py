"""The three streams of the process, made fit for any text, and for whoever closed one or stops to read it."""

from __future__ import annotations

import codecs
import io
import os
import sys
from contextlib import suppress
from typing import TextIO

HANDLER = "kinblend.terminal"  # of what an encoding can't write
# What help and messages are written with, where a terminal knows ASCII alone.
PLAIN = {"→": "->", "…": "...", "–": "-", "−": "-", "×": "x", "·": "*", "²": "2", "≥": ">=", "’": "'"}


def prepare_streams() -> None:
    """Open streams that were closed on the null device, and let all of them write any text.

    A closed one would be None, or worse: the number of the next file that is opened, which messages then go into.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(number)
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, "w", closefd=False))
    codecs.register_error(HANDLER, _replaced)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=HANDLER)


def _replaced(error: UnicodeError) -> tuple[str | bytes, int]:
    """A codec's error handler: bytes of a file's name as they were, signs of ours in ASCII, else Python's escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letter = error.object[error.start]
    if "\udc80" <= letter <= "\udcff":
        return bytes([ord(letter) - 0xDC00]), error.start + 1
    if letter in PLAIN:
        return PLAIN[letter], error.start + 1
    return letter.encode("ascii", "backslashreplace").decode(), error.start + 1


def write_line(stream: TextIO, text: str) -> None:
    """A line for whoever listens; where nobody does any more, the work goes on."""
    try:
        print(text, file=stream, flush=True)
    except (OSError, ValueError):
        silence(stream)


def silence(stream: TextIO) -> None:
    """From now on what is written there goes nowhere, and the end of the process does not stumble over it."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
