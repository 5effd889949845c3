"""Feature models find what is in codes, and nothing where there is nothing; their directions do what they say."""

import pytest
import torch

from kinblend import Context, LatentSpace
from kinblend.errors import UsageError
from kinblend.experiments.directions import FeatureEditor, directions_of, file_names
from kinblend.experiments.feature_models import CodeBasis, NumberModel, fit_class, fit_number

FITTED, HELD = slice(0, 150), slice(150, 220)
L, D = 3, 12


@pytest.fixture(scope="module")
def codes() -> torch.Tensor:
    """Elements differ in how much they vary."""
    numbers = torch.Generator().manual_seed(0)
    return torch.randn(220, L, D, generator=numbers) * torch.linspace(0.2, 2, D)


@pytest.fixture(scope="module")
def basis(codes: torch.Tensor) -> CodeBasis:
    return CodeBasis.of(codes[FITTED])


def held(model: NumberModel, basis: CodeBasis, codes: torch.Tensor, values: torch.Tensor) -> float:
    found = model.score(basis.components(codes[HELD]), values[HELD])
    assert found is not None and found.low <= found.value <= found.high
    return found.value


def test_components_lose_nothing(codes: torch.Tensor, basis: CodeBasis) -> None:
    back = basis.code(basis.components(codes[:1])[0]) + basis.centre.view(L, D)
    torch.testing.assert_close(back.float(), codes[0], atol=1e-4, rtol=0)


def test_an_attribute_that_is_in_the_code_is_read_and_one_that_is_not_is_not(
    codes: torch.Tensor, basis: CodeBasis
) -> None:
    x = basis.components(codes[FITTED])
    there = codes[:, 1, 3] - 2 * codes[:, 2, 7] + 5
    nowhere = torch.randn(220, generator=torch.Generator().manual_seed(1))
    model, nothing = (fit_number("a", x, values[FITTED]) for values in (there, nowhere))
    assert model is not None and nothing is not None
    assert held(model, basis, codes, there) > 0.99
    assert held(nothing, basis, codes, nowhere) < 0.1
    assert nothing.penalty > model.penalty


def test_faces_without_a_value_are_left_out(codes: torch.Tensor, basis: CodeBasis) -> None:
    x, values = basis.components(codes[FITTED]), codes[:, 0, 9].clone()
    values[:40] = torch.nan
    model = fit_number("a", x, values[FITTED])
    assert model is not None and held(model, basis, codes, values) > 0.99
    values[15:] = torch.nan
    assert fit_number("a", x, values[FITTED]) is None
    assert fit_number("a", x, torch.ones(150)) is None
    assert model.score(x[:2], values[:2]) is None


def test_classes_are_told_and_rare_ones_left_out(codes: torch.Tensor, basis: CodeBasis) -> None:
    words = ["left" if value < 0 else "right" for value in codes[:, 2, 11]]
    words[3], words[5] = "rare", ""
    model = fit_class("side", basis.components(codes[FITTED]), words[FITTED])
    assert model is not None and model.classes == ["left", "right"]
    found = model.score(basis.components(codes[HELD]), words[HELD])
    assert found is not None and found.kind == "accuracy"
    assert found.value > 0.9 > 0.7 > found.baseline
    numbers = torch.randint(2, (220,), generator=torch.Generator().manual_seed(2)).tolist()
    chance = fit_class("chance", basis.components(codes[FITTED]), [str(n) for n in numbers[FITTED]])
    assert chance is not None
    score = chance.score(basis.components(codes[HELD]), [str(n) for n in numbers[HELD]])
    assert score is not None and score.low < 0.55
    assert fit_class("one", basis.components(codes[FITTED]), ["same"] * 150) is None


@pytest.mark.parametrize("kind", ["weights", "pattern"])
def test_a_step_raises_its_reading_by_one_standard_deviation(kind, codes: torch.Tensor, basis: CodeBasis) -> None:
    x = basis.components(codes[FITTED])
    both = {"a": codes[:, 1, 3] + codes[:, 1, 10], "b": codes[:, 0, 2]}
    models = [model for name, values in both.items() if (model := fit_number(name, x, values[FITTED]))]
    found = directions_of(models, basis, x, kind)
    editor = FeatureEditor(found, Context(LatentSpace("toy", L, D, "ab" * 32)))
    moved = editor.edit(codes[:4], {"a": 1.0})
    before, after = (models[0].read(basis.components(some)) for some in (codes[:4], moved))
    torch.testing.assert_close(
        after - before, torch.full((4,), models[0].spread, dtype=torch.float64), rtol=1e-3, atol=1e-3
    )
    other = models[1].read(basis.components(moved)) - models[1].read(basis.components(codes[:4]))
    torch.testing.assert_close(other / models[1].spread, found.effects[1, 0].expand(4), rtol=1e-3, atol=1e-4)
    with pytest.raises(UsageError, match="unknown attribute 'c'; there are: a, b"):
        editor.edit(codes[:4], {"c": 1.0})


def test_a_pattern_moves_what_varies(codes: torch.Tensor, basis: CodeBasis) -> None:
    """Both elements are read alike; a face that differs in the reading differs mostly in the one that varies more."""
    x = basis.components(codes[FITTED])
    model = fit_number("a", x, (codes[:, 1, 0] + codes[:, 1, 11])[FITTED])
    assert model is not None
    by = {kind: directions_of([model], basis, x, kind).steps[0, 1] for kind in ("weights", "pattern")}
    assert abs(by["weights"][0] / by["weights"][11]) > 0.8
    assert abs(by["pattern"][0] / by["pattern"][11]) < 0.2


def test_names_of_files() -> None:
    found = file_names(["skin L*", "skin L", "age (two)", "***"])
    assert found == {"skin L*": "skin-l", "skin L": "skin-l-2", "age (two)": "age-two", "***": "attribute"}
