"""Addresses in object stores: "s3://bucket/couples.csv". Whatever names none is the path of a file."""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from kinblend.errors import UsageError

SCHEMES = ("s3", "gs", "memory")  # beside file://, which is a path
MEMORY = "memory"  # of this process alone
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_LOGIN = re.compile(r"(?<=://)[^/\s'\"]*@")
_QUERY = re.compile(r"(://[^\s'\"?]*)\?[^\s'\"]*")


@dataclass(frozen=True)
class Address:
    """An object, or all whose names begin with its own and a slash. It holds nothing secret: see `place_of`.

    scheme: of `SCHEMES`. path: bucket and name, with slashes between, and none at either end.
    """

    scheme: str
    path: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.path}"

    def __truediv__(self, name: str) -> Address:
        """What lies there under a name. Raises `UsageError` for one that leads out of the bucket."""
        path = posixpath.normpath(f"{self.path}/{name}")
        if path in (".", "..") or path.startswith("../"):
            raise UsageError(f"{name!r} leads out of {self}; name an object in its bucket")
        return Address(self.scheme, path)

    @property
    def name(self) -> str:
        """The last part."""
        return posixpath.basename(self.path)

    @property
    def suffix(self) -> str:
        """Of the last part, with its dot."""
        return posixpath.splitext(self.path)[1]

    @property
    def parent(self) -> Address:
        """Without the last part."""
        return Address(self.scheme, posixpath.dirname(self.path))


Place = Path | Address


def place_of(text: str | Path | Address) -> Place:
    """An address where a text begins with a scheme and "://", else a path; `file:///folder` is one, too.

    Raises `UsageError`, which shows no password, for a scheme that is not known, for an address with a user, a
    password or a query, and for one without a bucket.
    """
    if not isinstance(text, str) or not (found := _SCHEME.match(text)):
        return Path(text) if isinstance(text, str) else text
    scheme, rest = found[1].lower(), text[found.end() :]
    if scheme == "file":
        return _file(text)
    if scheme not in SCHEMES:
        known = ", ".join(f"{name}://" for name in (*SCHEMES, "file"))
        raise UsageError(f"{masked(text)}: {scheme}:// is no kind of address that is known; there are {known}")
    if masked(text) != text:
        raise UsageError(
            f"{masked(text)} holds a user, a password or a query; leave that out, and give credentials where the "
            "store's own tools look for them"
        )
    path = posixpath.normpath(rest.strip("/")) if rest.strip("/") else ""
    if not path or path == ".." or path.startswith("../"):
        raise UsageError(f"{text} names no bucket; write {scheme}://bucket/name")
    return Address(scheme, path)


def _file(text: str) -> Path:
    parts = urlsplit(text)
    if parts.netloc not in ("", "localhost") or not parts.path:
        raise UsageError(f"{masked(text)}: write file:///folder/name, with three slashes")
    return Path(unquote(parts.path))


def join(base: Place, cell: str) -> Place:
    """What a cell of a table names whose folder is `base`: an address or a whole path is what it is, all else lies in
    that folder. Raises `UsageError`, as `place_of` does."""
    if _SCHEME.match(cell):
        return place_of(cell)
    return Path(cell) if isinstance(base, Address) and Path(cell).is_absolute() else base / cell


def masked(text: str) -> str:
    """A text without the users, passwords and queries of the addresses in it."""
    return _QUERY.sub(r"\1?…", _LOGIN.sub("…@", text))
