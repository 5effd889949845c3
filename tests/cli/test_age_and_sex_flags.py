"""`--age` and `--sex` on the command line, and the line that says what was made by default."""

import pytest

from kinblend.cli.age_and_sex import HOW, describe_default, parse_request
from kinblend.errors import UsageError
from kinblend.pipeline.age_and_sex import ChildSpec


def test_what_is_not_given_is_asked_for_by_default() -> None:
    usual = parse_request(None, None, {})
    assert (usual.age, usual.sex, usual.by_default) == (8.0, "any", {"age", "sex"})
    given = parse_request("2.5", "girl", {})
    assert (given.age, given.sex, given.by_default) == (2.5, "girl", frozenset())
    assert parse_request("parents", None, {}).age is None


@pytest.mark.parametrize(
    ("age", "sex", "edits", "reason"),
    [
        ("8", None, {"age": "8y"}, "--age 8 contradicts --edit age"),
        ("parents", None, {"age": "-1"}, "--age parents contradicts --edit age"),
        (None, "girl", {"gender": "-1"}, "--sex girl contradicts --edit gender"),
        ("old", None, {}, "0 to 80, or parents"),
        ("81", None, {}, "use 0 to 80 years"),
    ],
)
def test_flags_that_will_not_do(age: str | None, sex: str | None, edits: dict, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        parse_request(age, sex, edits)


def line(*asked: ChildSpec) -> str:
    return describe_default([one.record for one in asked])


def test_the_line() -> None:
    usual = {"age": "default", "sex": "default"}
    boy, girl = (ChildSpec(8.0, sex, source=usual) for sex in ("boy", "girl"))
    how = "ask with --age N (0 to 80) or --age parents, --sex girl, boy or any"
    assert line(boy) == f"a boy of 8 years; {how}"
    assert line(boy, girl, boy) == f"2 boys and a girl of 8 years; {how}"
    grown = [ChildSpec(30.0, sex, source={"age": "option", "sex": "default"}) for sex in ("girl", "girl", "boy")]
    assert line(*grown).startswith("2 women and a man of 30 years; ")
    assert line(ChildSpec(8.0, "boy", source={"age": "option", "sex": "option"})) == ""
    without = line(ChildSpec(source=usual, missing=("age",)))
    left_out = "this backbone has no directions for age: the child has its parents' age"
    assert without == f"a child; {left_out}; ask with {HOW['sex']}"
    nothing = line(ChildSpec(source=usual, missing=("age", "sex")))
    assert "ask with" not in nothing
