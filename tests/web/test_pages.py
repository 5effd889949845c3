"""What the page offers depends on what the backbone can do."""

from types import SimpleNamespace

from kinblend.web.pages import _ages, _first_strategy, _strategies


def engine_service(blender: str = "average", **units: list[str]) -> SimpleNamespace:
    """On a backbone without weights for `learned` and `likeness`."""
    names = ("average", "dimension", "layer", "mask", "learned", "likeness", "slerp")
    lacking = {name: "no weights yet" if name in ("learned", "likeness") else "" for name in names}
    return SimpleNamespace(units=units, lacking=lacking, settings=SimpleNamespace(blender=blender))


def test_ages_are_offered_where_there_are_directions_for_them() -> None:
    assert _ages(engine_service(age=["years"])) == {"youngest": 0, "oldest": 80, "usual": 8}
    assert _ages(engine_service(age=[])) is None and _ages(engine_service()) is None


def test_the_page_begins_with_a_strategy_that_is_available() -> None:
    assert _first_strategy(engine_service("mask")) == "mask"
    assert _first_strategy(engine_service("learned")) == "average"


def test_strategies_without_weights_are_shown_with_the_reason() -> None:
    notes = {one.name: one.note for one in _strategies(engine_service())}
    assert (notes["likeness"], notes["layer"]) == ("no weights yet", "")
