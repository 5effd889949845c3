"""The registry refuses what it should and is never half-changed."""

import pytest
from pydantic import BaseModel, Field

from kinblend import PluginSpec
from kinblend.errors import DuplicateNameError, OptionError, PluginError, UnknownPluginError, UsageError
from kinblend.registry import Registry


class Options(BaseModel):
    share: float = Field(0.5, ge=0, le=1)


def spec(name: str) -> PluginSpec:
    return PluginSpec(name, "a test", "tests.nowhere:Nothing", Options)


def test_a_duplicate_leaves_the_registry_unchanged() -> None:
    registry = Registry("blender")
    registry.add([spec("one")])
    with pytest.raises(DuplicateNameError, match="'one'"):
        registry.add([spec("two"), spec("one")])
    assert [entry.name for entry in registry] == ["one"]


@pytest.mark.parametrize("name", ["", "Upper", "with space", "under_score", "-dash"])
def test_a_malformed_name_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        Registry("blender").add([spec(name)])


def test_an_unknown_name_lists_the_known_ones() -> None:
    registry = Registry("blender")
    registry.add([spec("one"), spec("two")])
    with pytest.raises(UnknownPluginError, match="one, two"):
        registry.get("three")


def test_options_are_validated_and_errors_name_the_key() -> None:
    assert spec("one").parse_options({"share": "0.25"}).model_dump() == {"share": 0.25}
    with pytest.raises(OptionError, match="share=2"):
        spec("one").parse_options({"share": 2})
    with pytest.raises(OptionError, match="it has: share"):
        spec("one").parse_options({"shere": 0.1})


def test_a_target_that_cannot_be_imported_names_the_plugin() -> None:
    with pytest.raises(PluginError, match=r"tests\.nowhere"):
        spec("one").load()


def test_a_long_value_is_shortened() -> None:
    with pytest.raises(OptionError) as caught:
        spec("one").parse_options({"share": list(range(512))})
    assert len(str(caught.value)) < 200


def test_plugins_without_options_have_equal_ones() -> None:
    one, other = (PluginSpec(name, "a test", "module:thing").parse_options({}) for name in ("one", "other"))
    assert one == other
