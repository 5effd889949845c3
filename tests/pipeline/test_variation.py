"""Brothers and sisters of one couple, and mutation."""

from pathlib import Path

import published_stylegan3 as published
import pytest
import torch
from portraits import portrait
from published_checkpoints import write_nvidia

from kinblend import Editor, Engine, Latent
from kinblend.errors import UnsupportedError, UsageError
from kinblend.pack_import import import_pack
from kinblend.pipeline import ChildRequest
from kinblend.pipeline.variation import Variation, nearest

COUPLE = ("P007", "P004")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine("morphable", "cpu")


@pytest.fixture(scope="module")
def parents(engine: Engine) -> list[Latent]:
    return [engine.encode(portrait(who)) for who in COUPLE]


@pytest.fixture(scope="module")
def drawing(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """A backbone of made-up weights whose generator draws people."""
    folder, recipe = tmp_path_factory.mktemp("drawing"), published.Recipe()
    write_nvidia(folder / "g.pkl", published.state_of(recipe), settings=published.settings_of(recipe))
    return Engine(import_pack(folder / "g.pkl", folder / "packs", "drawing").folder, "cpu")


@pytest.fixture(scope="module")
def couple(drawing: Engine) -> list[Latent]:
    space = drawing.backbone.space
    codes = torch.randn(2, space.layers, space.dim, generator=torch.Generator().manual_seed(4))
    return [Latent(code, space) for code in codes]


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).square().mean().sqrt())


def test_without_it_children_are_what_they_were(engine: Engine, parents: list[Latent]) -> None:
    child = engine.blend(*parents, "average", seed=3)
    assert engine.vary(child, *parents) is child


def test_children_differ_and_the_manifest_makes_each_again(engine: Engine, parents: list[Latent]) -> None:
    made = engine.run(*parents, blender="average", siblings=0.5, sex="girl", children=2, seed=5)
    assert apart(*(child.latent.code for child in made.children)) > 0.05
    assert made.warnings == []  # nothing of children that are all the same
    assert made.manifest["request"]["siblings"] == 0.5
    assert all(moved > 0 for moved in made.manifest["varied"])
    again = engine.run(*parents, ChildRequest.of(made.manifest["request"]))
    for child, other in zip(made.children, again.children, strict=True):
        assert torch.equal(child.latent.code, other.latent.code)
        assert child.image.tobytes() == other.image.tobytes()


@pytest.mark.parametrize("where", ["engine", "drawing"])
def test_twice_as_much_is_twice_as_far(where: str, request: pytest.FixtureRequest) -> None:
    one: Engine = request.getfixturevalue(where)
    father, mother = (latent.code for latent in request.getfixturevalue({"engine": "parents"}.get(where, "couple")))
    draws = Variation(one.backbone)
    half, whole, most = (draws.siblings(father, mother, amount, 1) for amount in (0.5, 1.0, 1.5))
    assert torch.allclose(2 * half, whole, atol=1e-5)
    assert apart(most, whole) > 0.2 * apart(whole, torch.zeros(()))
    assert not torch.allclose(whole, draws.siblings(father, mother, 1.0, 2))


def test_complexion_stays_between_the_parents(engine: Engine, parents: list[Latent]) -> None:
    father, mother = (latent.code for latent in parents)
    first, last = engine.backbone.projector.layer_groups()["complexion"]
    rows = slice(first, last + 1)
    shares = set()
    for seed in range(20):
        moved = ((father + mother) / 2 + Variation(engine.backbone).siblings(father, mother, 1.5, seed))[rows]
        low, high = torch.minimum(father, mother)[rows], torch.maximum(father, mother)[rows]
        assert bool(((moved >= low - 1e-5) & (moved <= high + 1e-5)).all())
        used = father[rows] != mother[rows]
        share = ((moved - mother[rows]) / (father - mother)[rows])[used]
        assert float(share.std()) < 1e-3  # one share for the whole of it
        shares.add(round(float(share.mean()), 2))
    assert len(shares) > 10


def test_siblings_of_one_person_twice_are_that_person(engine: Engine, parents: list[Latent]) -> None:
    father = parents[0].code
    assert not Variation(engine.backbone).siblings(father, father, 1.0, 0).any()


def test_mutation_brings_somebody_else_in(drawing: Engine, couple: list[Latent]) -> None:
    child = drawing.blend(*couple, "average", seed=2)
    assert torch.equal(drawing.vary(child, *couple, mutation=0.0).latent.code, child.latent.code)
    little, much = (drawing.vary(child, *couple, mutation=share) for share in (0.1, 0.5))
    assert 0 < little.varied < much.varied
    assert torch.equal(much.latent.code, drawing.vary(child, *couple, mutation=0.5).latent.code)
    draws = Variation(drawing.backbone)
    stranger = draws.strangers(child.seed)[0]
    assert apart(much.latent.code, stranger) < apart(child.latent.code, stranger)
    assert not torch.equal(stranger, draws.strangers(child.seed + 1)[0])
    whole = draws.mutate(child.latent.code, stranger, 1.0, child.seed)
    same = (whole - child.latent.code).abs().amax(1) < 1e-5
    from_stranger = (whole - stranger).abs().amax(1) < 1e-4
    assert bool((same | from_stranger).all())


class Means(Editor):
    """Reads an age off the mean of a code."""

    def attributes(self) -> dict[str, str]:
        return {"age": "older"}

    def edit(self, codes: torch.Tensor, strengths: dict[str, float]) -> torch.Tensor:
        return codes

    def targets(self) -> dict[str, tuple[str, ...]]:
        return {"age": ("years",)}

    def strength_for_target(self, code: torch.Tensor, attribute: str, value: float, unit: str) -> float:
        return value - float(code.mean())


def test_the_stranger_is_of_the_childs_age(drawing: Engine) -> None:
    people = torch.stack([torch.full((4, 8), age) for age in (60.0, 9.0, 31.0)])
    editor = Means(None, drawing.backbone.context)  # type: ignore[arg-type]
    for age, expected in ((7.0, 9.0), (35.0, 31.0), (80.0, 60.0)):
        assert float(nearest(editor, torch.full((4, 8), age), people).mean()) == expected
    assert torch.equal(nearest(None, people[1], people), people[0])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"siblings": -0.1}, "siblings=-0.1"),
        ({"siblings": 1.6}, "siblings=1.6"),
        ({"siblings": float("nan")}, "siblings=nan"),
        ({"siblings": "much"}, "siblings='much'"),
        ({"mutation": 0.51}, "mutation=0.51"),
        ({"mutation": -1}, "mutation=-1"),
    ],
    ids=str,
)
def test_values_out_of_range(fields: dict, said: str, engine: Engine, parents: list[Latent]) -> None:
    with pytest.raises(UsageError, match=said):
        ChildRequest.of(fields)
    if not isinstance(next(iter(fields.values())), str):
        child = engine.blend(*parents, "average")
        with pytest.raises(UsageError, match=f"{next(iter(fields))} .*: use 0 to"):
            engine.vary(child, *parents, **fields)


def test_where_nobody_can_be_drawn_mutation_is_refused_before_photographs_are_read(engine: Engine) -> None:
    with pytest.raises(UnsupportedError, match="morphable draws no people"):
        engine.run(Path("nobody.jpg"), Path("nobody.jpg"), mutation=0.1)


def test_what_a_strategy_draws_is_independent_of_it(drawing: Engine, couple: list[Latent]) -> None:
    child = drawing.blend(*couple, "mask", seed=7)
    moved = drawing.vary(child, *couple, siblings=1.0)
    assert torch.equal(moved.weight_map.values, child.weight_map.values)
    offset = moved.latent.code - child.latent.code
    other = drawing.vary(drawing.blend(*couple, "average", seed=7), *couple, siblings=1.0)
    average = drawing.blend(*couple, "average", seed=7).latent.code
    assert torch.allclose(other.latent.code - average, offset, atol=1e-5)
