"""Forms come from option models, whoever wrote them, and name no files."""

from enum import Enum
from pathlib import Path
from typing import Literal

import pytest
from pydantic import BaseModel, Field, create_model

from kinblend.errors import OptionError
from kinblend.plugins import load_plugins
from kinblend.registry import PluginSpec
from kinblend.web.forms import fields_of, refuse_files


class Colour(Enum):
    red = "red"
    blue = "blue"


class Odd(BaseModel):
    """Every shape of option that a stranger may think of."""

    level: int = Field(3, ge=1, le=9, description="how much")
    ratio: float = Field(0.25, ge=0, le=0.5)
    count: int | None = None
    name: str = "x"
    fine: bool = True
    kind: Literal["a", "b"] = Field("b", title="Sort", json_schema_extra={"labels": {"a": "First"}, "help": "words"})
    inner: int = Field(3, ge=1, le=9, json_schema_extra={"form": False})
    rounds: int = Field(3, ge=1, le=900, json_schema_extra={"repeats": True})
    colour: Colour = Colour.blue
    table: dict[str, float] = {}
    file: Path | None = None
    either: list[float] | Path = [0.5]


ODD = PluginSpec("odd", "", "x:y", Odd)


@pytest.mark.parametrize(
    ("low", "high", "default", "step"),
    [
        (0, 1.5, 1.0, "0.01"),
        (0, 1, 0.125, "0.005"),
        (-3, 3, 0.0, "0.05"),
        (0, 1, 0.123, "0.001"),
        (0, 1, 1 / 3, "any"),
    ],
)
def test_a_slider_can_stand_where_it_begins(low: float, high: float, default: float, step: str) -> None:
    """A browser takes the nearest multiple of the step, which would be another order than nobody asked for."""
    model = create_model("Made", value=(float, Field(default, ge=low, le=high)))
    [field] = fields_of(PluginSpec("made", "", "x:y", model))
    assert field.step == step
    assert field.default == f"{default:.16g}", "as a browser writes it, so that it is known for the default"


def test_every_shape_has_its_control_and_files_have_none() -> None:
    fields = {field.name: field for field in fields_of(ODD)}
    assert {name: field.kind for name, field in fields.items()} == {
        "level": "slider",
        "ratio": "slider",
        "count": "number",
        "name": "text",
        "fine": "switch",
        "kind": "choice",
        "rounds": "slider",
        "colour": "choice",
        "table": "json",
        "either": "json",
    }
    assert (fields["level"].low, fields["level"].high, fields["level"].step) == (1, 9, "1")
    assert fields["ratio"].step == "0.005" and fields["ratio"].value == 0.25
    assert fields["colour"].choices == {"red": "red", "blue": "blue"} and fields["colour"].value == "blue"
    assert fields["kind"].choices == {"a": "First", "b": "b"}
    assert (fields["kind"].label, fields["kind"].help) == ("Sort", "words")
    assert fields["rounds"].repeats and not fields["level"].repeats
    assert fields["level"].help == "how much"


def test_the_forms_of_our_own_strategies() -> None:
    shown = {spec.name: [(f.name, f.kind) for f in fields_of(spec)] for spec in load_plugins()["blender"]}
    influences = [(f"{parent}_influence", "slider") for parent in ("father", "mother")]
    assert shown["average"] == [("share", "slider"), *influences]
    assert shown["parts"] == [("parts", "parts"), ("share", "slider")]
    assert shown["layer"] == [("shares", "layers"), ("dimensions", "json")]
    assert shown["learned"] == [("share", "slider"), ("symmetric", "switch"), ("edits", "switch")]
    share, *_ = fields_of(load_plugins()["blender"].get("average"))
    assert share.ends == ("mother", "father")
    shares, _ = fields_of(load_plugins()["blender"].get("layer"))
    assert shares.starts == (0.75, 0.25)
    _, default = fields_of(load_plugins()["blender"].get("dimension"))
    assert default.value is None and default.ends == ("mother", "father")


@pytest.mark.parametrize("options", [{"file": "/etc/passwd"}, {"either": "/etc/passwd"}])
def test_a_file_of_the_servers_is_refused(options: dict) -> None:
    with pytest.raises(OptionError, match="takes no file"):
        refuse_files(ODD, ODD.parse_options(options))


def test_values_pass() -> None:
    refuse_files(ODD, ODD.parse_options({"either": [1.0], "table": {"a": 1.0}}))
