"""What the page offers depends on what the backbone can do."""

from types import SimpleNamespace

from kinblend.web.engine_service import EngineService
from kinblend.web.forms import Field
from kinblend.web.limits import Limits
from kinblend.web.pages import _ages, _first_strategy, _strategies


def engine_service(
    blender: str = "average", lacks: tuple[str, ...] = ("learned", "likeness"), **units: list[str]
) -> SimpleNamespace:
    """On a backbone without weights for `learned` and `likeness`."""
    names = ("average", "dimension", "layer", "mask", "learned", "likeness", "slerp", "parts")
    lacking = {name: "no weights yet" if name in lacks else "" for name in names}
    return SimpleNamespace(
        units=units,
        knows_ages="years" in units.get("age", ()),
        lacking=lacking,
        settings=SimpleNamespace(blender=blender),
        limits=Limits(),
        can=lambda spec, **options: True,
        names_for=lambda spec, option: ["nose", "left-ear"],
        is_stochastic=EngineService.is_stochastic,
    )


def test_ages_are_offered_where_there_are_directions_for_them() -> None:
    assert _ages(engine_service(age=["years"])) == {"youngest": 0, "oldest": 80, "usual": 8}
    assert _ages(engine_service(age=[])) is None and _ages(engine_service()) is None


def test_the_page_begins_with_a_strategy_that_is_available() -> None:
    assert _first_strategy(engine_service("mask")) == "mask"
    assert _first_strategy(engine_service("learned")) == "average"


def test_only_strategies_that_can_be_used_are_shown_in_words_for_people() -> None:
    shown = {one.name: one.label for one in _strategies(engine_service())}
    assert not {"likeness", "learned"} & set(shown)
    assert (shown["layer"], shown["mask"]) == ("Part by part", "By chance")


def test_choices_that_need_what_is_not_installed_are_left_out() -> None:
    def fields(works: set[str]) -> dict[str, Field]:
        service = engine_service(lacks=())
        service.can = lambda spec, **options: str(next(iter(options.values()))) in works
        [likeness] = [one for one in _strategies(service) if one.name == "likeness"]
        return {field.name: field for field in likeness.fields}

    assert "identity" not in fields(set()), "one choice alone is none"
    assert list(fields({"facenet"})["identity"].choices) == ["dlib", "facenet"]
    assert fields(set())["steps"].high == Limits().steps, "no more than the server allows"


def test_parts_of_the_face_are_those_of_the_backbone_and_none_are_offered_where_it_has_none() -> None:
    service = engine_service()
    [parts] = [one for one in _strategies(service) if one.name == "parts"]
    [field] = [one for one in parts.fields if one.kind == "parts"]
    assert field.choices == {"nose": "Nose", "left-ear": "Left ear"} and field.value == {}
    service.names_for = lambda spec, option: []
    [parts] = [one for one in _strategies(service) if one.name == "parts"]
    assert [one.kind for one in parts.fields] == ["slider"]
