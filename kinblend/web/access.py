"""Who asks, and whether they may: owners, the token, and the names a server answers to."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import secrets
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from kinblend.errors import UsageError
from kinblend.web.problems import ProblemError

OWNER, PASS = "kinblend-owner", "kinblend-pass"  # cookies
PUBLIC_PATHS = ("/healthz", "/readyz", "/login", "/static/")


@dataclass(frozen=True)
class Access:
    """host: the address the server listens on. token: what every client must know; None on the loopback.

    Raises `UsageError` for another address without a token.
    """

    host: str = "127.0.0.1"
    token: str | None = None

    def __post_init__(self) -> None:
        if self.token is not None and len(self.token) < 16:
            raise UsageError(
                "--token is too short: give at least 16 characters, for example from `openssl rand -hex 16`"
            )
        if not self.is_local and self.token is None:
            raise UsageError(
                f"--host {self.host} lets others reach this server; say which token they need: --token, or leave "
                "--host out"
            )

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        return _is_loopback(self.host)

    @property
    def pass_value(self) -> str:
        """What the cookie of those who know the token holds."""
        return hashlib.sha256(f"kinblend {self.token}".encode()).hexdigest()

    def knows(self, token: str) -> bool:
        """Whether this is the token."""
        return self.token is not None and hmac.compare_digest(self.token.encode(), token.encode())

    def check(self, method: str, path: str, headers: Headers) -> None:
        """Raise `ProblemError` unless the request may come in."""
        self._check_name(headers)
        if method not in ("GET", "HEAD", "OPTIONS"):
            _check_origin(headers)
        if self.token is not None and not path.startswith(PUBLIC_PATHS) and not self._is_let_in(headers):
            detail = "Send the server's token as Authorization: Bearer, or open /login in a browser"
            raise ProblemError(401, "token-needed", detail, {"WWW-Authenticate": "Bearer"})

    def _check_name(self, headers: Headers) -> None:
        """A page of another site whose name was made to point here (DNS rebinding) calls us by that name."""
        if self.is_local and not _is_loopback(_host_in(f"//{headers.get('host', '')}")):
            raise ProblemError(403, "wrong-host", "This server answers to localhost and 127.0.0.1 only")

    def _is_let_in(self, headers: Headers) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self.knows(given.strip()):
            return True
        return any(hmac.compare_digest(value, self.pass_value) for value in cookies(headers, PASS))


def _check_origin(headers: Headers) -> None:
    """Other sites may not make a browser change anything here."""
    origin = headers.get("origin")
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise ProblemError(403, "other-site", "This was asked for by a page of another site")
    if origin is not None and _place_in(origin) != headers.get("host"):
        raise ProblemError(403, "other-site", "This was asked for by a page of another site")


def _is_loopback(name: str | None) -> bool:
    """Whether a host's name or address is this machine's alone. No other site's name can be made an address."""
    try:
        return name == "localhost" or ipaddress.ip_address(name or "").is_loopback
    except ValueError:
        return False


def _host_in(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _place_in(address: str) -> str | None:
    try:
        return urlsplit(address).netloc
    except ValueError:
        return None


def owner_of(headers: Headers) -> str:
    """The client's session, from its cookie; "" is the session shared by all programs that send none."""
    return next((name for name in cookies(headers, OWNER) if re.fullmatch(r"[A-Za-z0-9_-]{32,64}", name)), "")


def new_owner() -> str:
    """A name for a session that nobody can guess."""
    return secrets.token_urlsafe(24)


def cookies(headers: Headers, name: str) -> list[str]:
    """The values of the cookies of that name that are ASCII.

    Every application of a host sends its cookies to all of them, in whichever form: what isn't ours is passed over.
    """
    pairs = [pair.partition("=") for line in headers.getlist("cookie") for pair in line.split(";")]
    values = [value.strip().strip('"') for key, _, value in pairs if key.strip() == name]
    return [value for value in values if value.isascii()]
