"""Downloads that can be interrupted, go on where they stopped, and are checked before they are used.

With the standard library alone: what the well-known packages bring beside it (sessions, caches, authentication) is
not needed, and none of them takes a download up again by a strong validator and looks at the answer.
"""

from __future__ import annotations

import http.client
import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO

from kinblend.errors import DownloadError
from kinblend.files import atomic_write, check_target, file_sha256, open_for_writing
from kinblend.storage.pack_sources import Download

TRIES = 4  # in a row without a single new byte
CHUNK = 1 << 18
TIMEOUT = 30.0  # seconds without an answer
PAUSE = 1.0  # seconds before the second try, doubled each time
MOST = 16 * 2**30  # bytes of a file
STEADY = 60.0  # seconds after which a date of change tells versions apart (RFC 9110, 8.8.2.2)

OnBytes = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Note:
    """What is known of a part, beside it in `NAME.part.tag`.

    url: where it came from. validator: the strong one of its version; "" where the server gives none. total: bytes
    of the whole, where the server said so.
    """

    url: str
    validator: str = ""
    total: int | None = None


def fetch(source: Download, folder: Path, on_bytes: OnBytes | None = None) -> Path:
    """The file in `folder`, fetched if it is not there yet.

    What was fetched stays in `NAME.part` whenever this ends early, and the next call goes on from there; where the
    server can't resume, or its file has changed, it begins anew. A file that is there already is hashed again.
    on_bytes: told how many bytes are there, and of how many, where the server says so. One process at a time may do
    this in a folder: see `kinblend.files.locked`.

    Raises `DownloadError` where no address can be reached after four tries, refuses, or the SHA-256 differs, and
    `OutputError` where a link lies in the place of a file.
    """
    target, part = folder / source.filename, folder / f"{source.filename}.part"
    folder.mkdir(parents=True, exist_ok=True)
    for path in (target, part, _tag(part)):
        check_target(path)
    if target.exists():
        if source.sha256 in (None, file_sha256(target)):
            return target
        target.unlink()  # another version's, or damaged since
    problems = []
    for url in (source.url, *source.mirrors):
        try:
            _fetch_from(url, source, part, on_bytes)
        except DownloadError as error:
            problems.append(str(error))
            continue
        part.replace(target)
        _tag(part).unlink(missing_ok=True)
        return target
    raise DownloadError("; ".join(problems))


def _fetch_from(url: str, source: Download, part: Path, on_bytes: OnBytes | None) -> None:
    """The whole of the file as `part`, checked. Raises `DownloadError`."""
    failures = 0
    while (reason := _attempt(url, source, part, on_bytes)) is not None:
        failures = 1 if reason.grown else failures + 1
        if failures >= TRIES:
            raise DownloadError(
                f"{url} can't be fetched: {reason.text}. What came is kept; run the same command to go on"
            )
        time.sleep(PAUSE * 2 ** (failures - 1))
    found = file_sha256(part)
    if source.sha256 not in (None, found):
        _drop(part)
        raise DownloadError(
            f"{url} gave another file than expected (SHA-256 {found}, not {source.sha256}); it was removed"
        )


@dataclass(frozen=True)
class _Failure:
    """Why an attempt ended early, and whether it brought something new all the same."""

    text: str
    grown: bool


class _Unusable(Exception):
    """An answer that can't be added to what is there: the part was removed, and the next attempt begins anew."""


def _attempt(url: str, source: Download, part: Path, on_bytes: OnBytes | None) -> _Failure | None:
    """Fetch what is missing; None when the file is whole. Raises `DownloadError` where trying again is of no use."""
    before = _size(part)
    try:
        if _stream(url, source, part, on_bytes):
            return None
        reason = "the connection ended early"
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 416:  # what we have is all there is, or no beginning of it
                if before and _total(error, 0) == before:
                    return None
                _drop(part)
            elif error.code < 500 and error.code not in (408, 429):
                raise DownloadError(f"{url} answered {error.code} {error.reason}") from error
            reason = f"{error.code} {error.reason}"
    except _Unusable as error:
        _drop(part)
        reason = str(error)
    except (OSError, http.client.HTTPException) as error:
        reason = str(getattr(error, "reason", error)) or type(error).__name__
    return _Failure(reason, _size(part) > before)


def _drop(part: Path) -> None:
    part.unlink(missing_ok=True)
    _tag(part).unlink(missing_ok=True)


def _size(part: Path) -> int:
    return part.lstat().st_size if part.is_file() else 0


def _stream(url: str, source: Download, part: Path, on_bytes: OnBytes | None) -> bool:
    """Append to `part` what is missing; whether the file is whole now."""
    if not url.startswith(("https://", "http://")):
        raise DownloadError(f"{url} is no http(s) address; the plugin that names it has to be mended")
    have, note = _resumable(url, source, part)
    if have and have == note.total:
        return True
    request = urllib.request.Request(url, headers={"User-Agent": "kinblend", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
        if note.validator:
            request.add_header("If-Range", note.validator)
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # nosec B310
        _check_answer(url, answer)
        resumed = answer.status == 206
        if resumed:
            _check_range(answer, have, note)
        start = have if resumed else 0
        total = _total(answer, start)
        if total is None and not answer.chunked and source.sha256 is None:
            raise DownloadError(
                f"{url} does not say how long the file is, so that a cut one can't be told; {_BY_HAND}"
            )
        if total is not None and total > MOST:
            raise DownloadError(f"{url} has {total} bytes; no file of a model is larger than {MOST}")
        atomic_write(_tag(part), json.dumps(asdict(Note(url, _validator(answer.headers), total))).encode())
        with open_for_writing(part, append=resumed) as file:
            done = _copy(answer, file, url, start, total, on_bytes)
    if total is None and not answer.chunked:  # only the SHA-256 tells whether it was cut
        return _is_whole(source, part)
    return total is None or done == total


def _copy(answer: Any, file: BinaryIO, url: str, done: int, total: int | None, on_bytes: OnBytes | None) -> int:
    """Write the answer's body; how many bytes the file has then."""
    while chunk := answer.read(CHUNK):
        done += len(chunk)
        if done > (MOST if total is None else total):
            raise _Unusable("it sent more than it said")
        try:
            file.write(chunk)
        except OSError as error:
            raise DownloadError(f"{url} can't be written: {error.strerror}; make room and run it again") from error
        if on_bytes is not None:
            on_bytes(done, total)
    return done


def _is_whole(source: Download, part: Path) -> bool:
    if file_sha256(part) == source.sha256:
        return True
    raise _Unusable("it ended early, or is another file: the server does not say how long it is")


def _resumable(url: str, source: Download, part: Path) -> tuple[int, Note]:
    """How much of the file is there that can be gone on from, and what is known of it.

    Without a strong validator only where a SHA-256 is known by which the whole will be checked.
    """
    have, note = _size(part), _read_note(part)
    if have and note.url == url and (note.validator or source.sha256):
        return have, note
    if have and source.sha256:
        return have, Note(url)
    return 0, Note(url)


def _read_note(part: Path) -> Note:
    with suppress(OSError, ValueError, TypeError):
        found = Note(**json.loads(_tag(part).read_text("utf-8")))
        if isinstance(found.url, str) and isinstance(found.validator, str) and found.validator.isprintable():
            return found
    return Note("")


def _validator(headers: Mapping[str, str]) -> str:
    """A strong validator of the version that is sent; "" where there is none."""
    tag = headers.get("ETag") or ""
    if tag:
        return tag if re.fullmatch(r'"[\x21\x23-\x7e]{1,200}"', tag) else ""
    changed = headers.get("Last-Modified") or ""
    with suppress(ValueError, TypeError):
        age = parsedate_to_datetime(headers.get("Date") or "") - parsedate_to_datetime(changed)
        if age.total_seconds() >= STEADY:
            return changed
    return ""


def _check_range(answer: Any, have: int, note: Note) -> None:
    """Raise `_Unusable` unless a 206 goes on where the part ends, in the same version."""
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", answer.headers.get("Content-Range") or "")
    if not have or not found or int(found[1]) != have:
        raise _Unusable("it sent another part than was asked for")
    total = None if found[3] == "*" else int(found[3])
    if total is not None and (int(found[2]) >= total or note.total not in (None, total)):
        raise _Unusable("its file has changed")
    tag = answer.headers.get("ETag") or ""
    if note.validator.startswith('"') and tag and tag != note.validator:
        raise _Unusable("its file has changed")


def _total(answer: Any, start: int) -> int | None:
    """Bytes of the whole file, where an answer says so."""
    found = re.fullmatch(r"bytes (?:\d+-\d+|\*)/(\d+)", answer.headers.get("Content-Range") or "")
    if found:
        return int(found[1])
    length = answer.headers.get("Content-Length")
    return start + int(length) if length and length.isdecimal() and not getattr(answer, "chunked", False) else None


def _check_answer(url: str, answer: Any) -> None:
    """Some hosts answer with a web page where a file was asked for: a consent form, a quota notice."""
    if answer.headers.get_content_type() == "text/html":
        raise DownloadError(f"{url} answered with a web page and no file; {_BY_HAND}")
    if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise DownloadError(f"{url} answered in an encoding that was not asked for; {_BY_HAND}")


def _tag(part: Path) -> Path:
    """Beside the part: which version of the file it belongs to."""
    return part.with_name(part.name + ".tag")


_BY_HAND = "fetch it with a browser and run `kinblend models import FILE`"
