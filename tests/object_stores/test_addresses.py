"""Addresses: what is one, what is refused, and that nothing secret is told."""

from pathlib import Path

import pytest

from kinblend.errors import UsageError
from kinblend.object_stores import Address, join, masked, place_of

BUCKET = Address("s3", "bucket")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("children", Path("children")),
        ("C:/x", Path("C:/x")),
        ("file:///a/b%20c", Path("/a/b c")),
        ("file://localhost/a", Path("/a")),
        ("s3://bucket", BUCKET),
        ("S3://bucket//a/./b/", Address("s3", "bucket/a/b")),
        ("gs://bucket/a#b", Address("gs", "bucket/a#b")),
        ("memory://a", Address("memory", "a")),
    ],
)
def test_what_texts_name(text: str, place: object) -> None:
    assert place_of(text) == place
    assert place_of(place_of(text)) == place


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("https://me:secret@host/x?sig=secret", "https:// is no kind of address that is known"),
        ("s3://me:secret@bucket/x", "holds a user, a password or a query"),
        ("s3://bucket/x.jpg?X-Amz-Signature=secret", "holds a user, a password or a query"),
        ("s3://", "names no bucket"),
        ("s3://bucket/../..", "names no bucket"),
        ("file://host/x", "with three slashes"),
        ("file://me:secret@host", "with three slashes"),
    ],
)
def test_what_is_no_address_is_refused_and_nothing_secret_is_told(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said) as refused:
        place_of(text)
    assert "secret" not in str(refused.value)


def test_cells_lie_in_the_tables_folder_unless_they_are_whole() -> None:
    base = Address("s3", "bucket/tables")
    assert str(join(base, "p/1.jpg")) == "s3://bucket/tables/p/1.jpg"
    assert str(join(base, "../1.jpg")) == "s3://bucket/1.jpg"
    assert join(base, "/data/1.jpg") == Path("/data/1.jpg")
    assert str(join(Path("tables"), "s3://other/1.jpg")) == "s3://other/1.jpg"
    assert join(Path("tables"), "1.jpg") == Path("tables/1.jpg")
    with pytest.raises(UsageError, match="leads out of"):
        join(base, "../../../1.jpg")
    with pytest.raises(UsageError, match="no kind of address"):
        join(base, "ftp://host/1.jpg")


def test_parts_of_an_address() -> None:
    address = BUCKET / "a" / "1.JPG"
    assert (address.name, address.suffix, address.parent) == ("1.JPG", ".JPG", Address("s3", "bucket/a"))


def test_errors_of_others_are_masked() -> None:
    said = 'Could not connect to "http://me:pw@host:80/b?list-type=2&token=t": retry http://host/x?sig=1, really?'
    assert masked(said) == 'Could not connect to "http://…@host:80/b?…": retry http://host/x?… really?'
