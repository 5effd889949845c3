"""Who may come in: by address, name, origin and token."""

import pytest
from starlette.datastructures import Headers

from kinblend.errors import UsageError
from kinblend.web.access import Access, new_owner, owner_of
from kinblend.web.problems import ProblemError

TOKEN = "0123456789abcdef"


def refused(access: Access, method: str = "GET", path: str = "/", **headers: str) -> int:
    """The status of the refusal; 0 where there is none."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        access.check(method, path, Headers({"host": "localhost:8765"} | named))
    except ProblemError as error:
        return error.status
    return 0


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "example.org"])
def test_another_address_needs_a_token(host: str) -> None:
    with pytest.raises(UsageError, match="--token"):
        Access(host)
    assert not Access(host, TOKEN).is_local


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_the_loopback_needs_none(host: str) -> None:
    assert Access(host).is_local


def test_a_short_token_is_no_token() -> None:
    with pytest.raises(UsageError, match="too short"):
        Access("0.0.0.0", "secret")


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:1", 0),
        ("127.0.0.1", 0),
        ("[::1]:8765", 0),
        ("evil.example", 403),
        ("", 403),
        ("localhost.evil", 403),
    ],
)
def test_a_strange_name_for_this_machine_is_refused(host: str, status: int) -> None:
    assert refused(Access(), host=host) == status


def test_other_sites_may_look_but_change_nothing() -> None:
    access = Access()
    assert refused(access, "POST") == 0
    assert refused(access, "POST", origin="http://localhost:8765") == 0
    assert refused(access, "POST", origin="http://evil.example") == 403
    assert refused(access, "DELETE", origin="null") == 403
    assert refused(access, "PUT", sec_fetch_site="cross-site") == 403
    assert refused(access, "GET", sec_fetch_site="cross-site") == 0


def test_the_token_opens_the_door() -> None:
    access = Access("0.0.0.0", TOKEN)
    assert refused(access) == 401
    assert refused(access, authorization="Bearer wrong") == 401
    assert refused(access, authorization=f"Bearer {TOKEN}") == 0
    assert refused(access, cookie=f"kinblend-pass={access.pass_value}") == 0
    assert refused(access, cookie="kinblend-pass=") == 401
    assert refused(access, path="/healthz") == 0
    assert TOKEN not in access.pass_value


def test_owners_are_taken_from_cookies_that_nobody_can_guess() -> None:
    owner = new_owner()
    assert len(owner) >= 32 and owner != new_owner()
    assert owner_of(Headers({"cookie": f"kinblend-owner={owner}"})) == owner
    for cookie in ("", "kinblend-owner=short", "kinblend-owner=" + "ä" * 40, "kinblend-owner=" + "a" * 99, "=;=;"):
        assert owner_of(Headers(raw=[(b"cookie", cookie.encode("latin-1"))])) == ""


FOREIGN = (
    'prefs={"theme":"dark"}',
    "foo[bar]=1",
    "a=b c",
    "=",
    "",
    "nothing",
    'x="un;closed',
    "ü=ü",
    "kinblend-owner2=other; my-kinblend-owner=other",
    "$Version=1; $Path=/",
    "a=b,c=d",
    "a@b=(c)<d>",
    "long=" + "x" * 5000,
    "kinblend-owner=short; kinblend-pass=wrong",
)


@pytest.mark.parametrize("foreign", FOREIGN)
def test_finding_08_cookies_of_other_applications_change_nothing(foreign: str) -> None:
    """All applications of a host share its cookies, whatever they put into them."""
    owner, access = new_owner(), Access("0.0.0.0", TOKEN)
    for line in (f"{foreign}; kinblend-owner={owner}", f"kinblend-owner={owner};{foreign}"):
        assert owner_of(Headers(raw=[(b"cookie", line.encode("latin-1"))])) == owner
    lines = [(b"cookie", foreign.encode("latin-1")), (b"cookie", f'kinblend-pass="{access.pass_value}"'.encode())]
    access.check("GET", "/", Headers(raw=[(b"host", b"localhost"), *lines]))
    assert refused(access, cookie=foreign.encode("ascii", "ignore").decode()) == 401
