"""What pydantic refuses is told in plain words, whatever the type and the value."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kinblend import ChildRequest, PluginSpec
from kinblend.errors import KinblendError, PackError
from kinblend.packs import write_description
from kinblend.validation import explain, missing_fields, shortened

THEIRS = re.compile(
    r"Input should|Value error|Field required|Extra inputs|validation|pydantic|\[type=", re.IGNORECASE
)


class Everything(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: int = Field(3, ge=1, le=9)
    share: float = Field(0.5, gt=0, lt=1)
    text: str = "x"
    switch: bool = True
    which: Literal["upper", "lower"] = "upper"
    place: Path = Path("x")
    several: list[int] = [1, 2]
    pair: tuple[int, int] = (1, 2)
    mapping: dict[str, float] = {}
    either: Annotated[dict[str, float] | list[float] | float, Field()] = 1.0
    maybe: int | None = None
    few: list[int] = Field([1, 2], min_length=2, max_length=3)


VALUES = st.one_of(
    st.none(),
    st.integers(-100, 100),
    st.floats(),
    st.text(max_size=5),
    st.lists(st.one_of(st.integers(), st.text(max_size=3)), max_size=4),
    st.dictionaries(st.text(max_size=3), st.one_of(st.floats(), st.text(max_size=3), st.none()), max_size=2),
    st.binary(max_size=3),
    st.builds(object),
)


@settings(deadline=None)
@given(st.sampled_from(sorted(Everything.model_fields)), VALUES)
def test_no_word_of_pydantics_is_left(field: str, value: Any) -> None:
    try:
        Everything.model_validate({field: value})
    except ValidationError as error:
        place, _, why = explain(error)
        assert place.split(".")[0] == field
        assert not THEIRS.search(f"{place}: {why}"), f"{place}: {why}"
        assert "\n" not in why


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"number": "three"}, ("number", "give a whole number")),
        ({"number": 0}, ("number", "use at least 1")),
        ({"share": 1}, ("share", "use less than 1")),
        ({"which": "middle"}, ("which", "use 'upper' or 'lower'")),
        ({"pair": 3}, ("pair", "give a list")),
        ({"switch": "perhaps"}, ("switch", "give true or false")),
        ({"mapping": {"a": "b"}}, ("mapping.a", "give a number")),
        ({"either": "x"}, ("either", 'give a mapping, such as {"name": value} or a list or a number')),
        ({"few": [1]}, ("few", "give at least 2")),
        ({"wings": 1}, ("wings", "there is no such field")),
    ],
    ids=str,
)
def test_what_is_to_be_done(fields: dict, said: tuple[str, str]) -> None:
    with pytest.raises(ValidationError) as refused:
        Everything.model_validate(fields)
    place, _, why = explain(refused.value)
    assert (place, why) == said


@settings(deadline=None)
@given(st.one_of(VALUES, st.text(min_size=200), st.lists(st.integers(), min_size=100)))
def test_a_value_in_a_message_is_short(value: Any) -> None:
    assert len(shortened(value)) <= 60
    assert "\n" not in shortened(value)


@settings(deadline=None)
@given(st.sampled_from(sorted(ChildRequest.model_fields)), VALUES)
def test_requests_are_refused_in_plain_words(field: str, value: Any) -> None:
    try:
        ChildRequest.of({field: value})
    except KinblendError as error:
        assert not THEIRS.search(str(error)), error


@settings(deadline=None)
@given(st.sampled_from(sorted(Everything.model_fields)), VALUES)
def test_options_are_refused_in_plain_words(field: str, value: Any) -> None:
    try:
        PluginSpec("mine", "a test", "x:y", Everything).parse_options({field: value})
    except KinblendError as error:
        assert not THEIRS.search(str(error)), error


NEEDED = {"name": "toy", "encoder": None, "projector": "toy", "layers": 2, "dim": 4, "resolution": 8}
NEEDED |= {"generator": "generator.safetensors"}


@settings(deadline=None)
@given(st.sets(st.sampled_from(sorted(NEEDED)), min_size=1))
def test_a_description_is_looked_at_before_it_is_written(
    tmp_path_factory: pytest.TempPathFactory, left_out: set
) -> None:
    folder = tmp_path_factory.mktemp("pack")
    (folder / "generator.safetensors").write_bytes(b"x")
    said = {name: value for name, value in NEEDED.items() if name not in left_out}
    with pytest.raises(PackError, match="it lacks ") as refused:
        write_description(folder, said, ["generator.safetensors"])
    assert set(str(refused.value).partition("it lacks ")[2].split(", ")) == left_out
    assert not (folder / "pack.json").exists()


@pytest.mark.parametrize(
    ("change", "files", "said"),
    [
        ({"layers": 0}, ["generator.safetensors"], "layers=0: use at least 1"),
        ({"layers": "two"}, ["generator.safetensors"], "layers='two': give a whole number"),
        ({"generator": "other.safetensors"}, ["generator.safetensors"], "must list the generator"),
        ({"settings": {"a": {1, 2}}}, ["generator.safetensors"], "JSON has no word for it"),
        ({}, ["generator.safetensors", "lost.safetensors"], "has no file lost.safetensors"),
    ],
    ids=str,
)
def test_a_wrong_description_leaves_the_old_one(change: dict, files: list, said: str, tmp_path: Path) -> None:
    (tmp_path / "generator.safetensors").write_bytes(b"x")
    write_description(tmp_path, NEEDED, ["generator.safetensors"])
    before = (tmp_path / "pack.json").read_bytes()
    with pytest.raises(PackError, match=said):
        write_description(tmp_path, NEEDED | change, files)
    assert (tmp_path / "pack.json").read_bytes() == before


def test_missing_fields_are_named_together() -> None:
    class Two(BaseModel):
        one: int
        other: int

    with pytest.raises(ValidationError) as refused:
        Two.model_validate({})
    assert missing_fields(refused.value) == ["one", "other"]
