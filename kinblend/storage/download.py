"""Downloads that can be interrupted, go on where they stopped, and are checked before they are used."""

from __future__ import annotations

import http.client
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinblend.errors import DownloadError
from kinblend.storage.sealed import file_sha256
from kinblend.storage.sources import Download

TRIES = 4  # in a row without a single new byte
CHUNK = 1 << 18
TIMEOUT = 30.0  # seconds without an answer
PAUSE = 1.0  # seconds before the second try, doubled each time

OnBytes = Callable[[int, int | None], None]


def fetch(source: Download, folder: Path, on_bytes: OnBytes | None = None) -> Path:
    """The file in `folder`, fetched if it is not there yet.

    What was fetched stays in `NAME.part` whenever this ends early, and the next call goes on from there; where the
    server can't resume, or its file has changed, it begins anew. on_bytes: told how many bytes are there, and of how
    many, where the server says so.

    Raises `DownloadError` where the server can't be reached after four tries, refuses, or the SHA-256 differs.
    """
    target, part = folder / source.filename, folder / f"{source.filename}.part"
    if target.is_file():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    failures = 0
    while (reason := _attempt(source.url, part, on_bytes)) is not None:
        failures = 1 if reason.grown else failures + 1
        if failures >= TRIES:
            raise DownloadError(
                f"{source.url} can't be fetched: {reason.text}. What came is kept; run the same command to go on"
            )
        time.sleep(PAUSE * 2 ** (failures - 1))
    _check(source, part)
    part.replace(target)
    _tag(part).unlink(missing_ok=True)
    return target


@dataclass(frozen=True)
class _Failure:
    """Why an attempt ended early, and whether it brought something new all the same."""

    text: str
    grown: bool


def _attempt(url: str, part: Path, on_bytes: OnBytes | None) -> _Failure | None:
    """Fetch what is missing; None when the file is whole. Raises `DownloadError` where trying again is of no use."""
    before = _size(part)
    try:
        if _stream(url, part, on_bytes):
            return None
        reason = "the connection ended early"
    except urllib.error.HTTPError as error:
        if error.code == 416:  # what we have is not a beginning of what there is
            part.unlink(missing_ok=True)
        elif error.code < 500 and error.code != 429:
            raise DownloadError(f"{url} answered {error.code} {error.reason}") from error
        reason = f"{error.code} {error.reason}"
    except (OSError, http.client.HTTPException) as error:
        reason = str(getattr(error, "reason", error)) or type(error).__name__
    return _Failure(reason, _size(part) > before)


def _check(source: Download, part: Path) -> None:
    """Remove what is not the file that was asked for. Raises `DownloadError`."""
    found = file_sha256(part)
    if source.sha256 in (None, found):
        return
    part.unlink()
    _tag(part).unlink(missing_ok=True)
    raise DownloadError(
        f"{source.url} gave another file than expected (SHA-256 {found}, not {source.sha256}); it was removed"
    )


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _stream(url: str, part: Path, on_bytes: OnBytes | None) -> bool:
    """Append to `part` what is missing; whether the file is whole now."""
    have, tag = _size(part), _tag(part)
    request = urllib.request.Request(url, headers={"User-Agent": "kinblend", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
        if tag.is_file():
            request.add_header("If-Range", tag.read_text())
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        _refuse_page(url, answer)
        resumed = answer.status == 206
        start = have if resumed else 0
        total = _total(answer, start)
        validator = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
        if validator and not validator.startswith("W/"):
            tag.write_text(validator)
        with part.open("ab" if resumed else "wb") as file:
            done = start
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                done += len(chunk)
                if on_bytes is not None:
                    on_bytes(done, total)
    return total is None or done == total


def _total(answer: Any, start: int) -> int | None:
    found = re.fullmatch(r"bytes \d+-\d+/(\d+)", answer.headers.get("Content-Range", ""))
    if answer.status == 206 and found:
        return int(found[1])
    length = answer.headers.get("Content-Length")
    return start + int(length) if length and length.isdigit() else None


def _refuse_page(url: str, answer: Any) -> None:
    """Some hosts answer with a web page where a file was asked for: a consent form, a quota notice."""
    if answer.headers.get_content_type() == "text/html":
        raise DownloadError(
            f"{url} answered with a web page and no file; fetch it with a browser and run "
            "`kinblend models import FILE`"
        )


def _tag(part: Path) -> Path:
    """Beside the part: which version of the file it belongs to."""
    return part.with_name(part.name + ".tag")
