"""Forms with photographs, read in memory: nothing of an upload is written to a disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import python_multipart
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect, Request

from kinblend.web.jobs import JobCancelledError
from kinblend.web.limits import Limits
from kinblend.web.problems import ProblemError

_CALLS = (
    "part_begin",
    "header_field",
    "header_value",
    "header_end",
    "headers_finished",
    "part_data",
    "part_end",
)
MAX_TEXT = 256 * 2**10  # bytes of a field that is no file


@dataclass
class _Part:
    headers: dict[bytes, bytes] = field(default_factory=dict)
    data: bytearray = field(default_factory=bytearray)
    name: str = ""
    is_file: bool = False


async def read_form(request: Request, limits: Limits, files: tuple[str, ...]) -> Mapping[str, bytes]:
    """The parts of a multipart form by name.

    files: which parts are files; each of them must be there, once. Raises `ProblemError`.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data" or not options.get(b"boundary"):
        raise ProblemError(415, "wrong-type", f"Send multipart/form-data with {' and '.join(files)}")
    reader = _Reader(limits, files)
    try:
        parser = reader.parser(options[b"boundary"])
        async for chunk in request.stream():
            parser.write(chunk)
        parser.finalize()
    except FormParserError as error:
        raise ProblemError(400, "broken-form", f"The form can't be read: {error}") from error
    except ClientDisconnect as error:
        raise JobCancelledError("whoever sent this has left") from error
    missing = [name for name in files if not reader.parts.get(name)]
    if missing:
        raise ProblemError(422, "missing-file", f"Send a photograph as {' and '.join(missing)}")
    return {name: bytes(data) for name, data in reader.parts.items()}


class _Reader:
    """Collects parts as the parser finds them."""

    def __init__(self, limits: Limits, files: tuple[str, ...]) -> None:
        self.parts: dict[str, bytearray] = {}
        self._limits, self._files = limits, files
        self._part = _Part()
        self._header, self._value = b"", b""
        self._count = 0

    def parser(self, boundary: bytes) -> python_multipart.MultipartParser:
        callbacks = {f"on_{name}": getattr(self, f"_{name}") for name in _CALLS}
        limits = self._limits
        return python_multipart.MultipartParser(
            boundary,
            callbacks,  # type: ignore[arg-type]
            max_header_count=limits.part_headers,
            max_header_size=limits.part_header_bytes,
        )

    def _part_begin(self) -> None:
        self._count += 1
        if self._count > self._limits.parts:
            raise ProblemError(422, "too-many-parts", f"A form has at most {self._limits.parts} parts; send fewer")
        self._part = _Part()

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._part.headers[self._header.lower()] = self._value
        self._header, self._value = b"", b""

    def _headers_finished(self) -> None:
        _, options = parse_options_header(self._part.headers.get(b"content-disposition", b""))
        self._part.name = options.get(b"name", b"").decode("utf-8", "replace")
        self._part.is_file = self._part.name in self._files
        if self._part.name in self.parts:
            raise ProblemError(422, "too-many-files", f"Send {self._part.name} once")
        if b"filename" in options and not self._part.is_file:
            raise ProblemError(422, "too-many-files", f"Send no file but {' and '.join(self._files)}")

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        most = self._limits.file_bytes if self._part.is_file else MAX_TEXT
        if len(self._part.data) + end - start > most:
            size = f"{most / 2**20:.0f} MB" if self._part.is_file else f"{most // 2**10} KB"
            what = "The photograph" if self._part.is_file else f"The field {self._part.name[:40]!r}"
            raise ProblemError(413, "too-large", f"{what} is larger than {size}; send a smaller version")
        self._part.data += data[start:end]

    def _part_end(self) -> None:
        self.parts[self._part.name] = self._part.data
