"""In Python: strategies of one's own, latents as parents, and the steps of a run as methods."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from plugin_site import here

import kinblend
from kinblend import Engine, WeightMap, save_latent
from kinblend.cli.demo import FATHER, MOTHER, example
from kinblend.errors import KinblendError, LatentError, UsageError
from kinblend.pipeline.age_and_sex import ChildSpec
from kinblend.pipeline.request import edit_warnings, validate_edits
from kinblend.pipeline.warnings import about_siblings


class Mothers(kinblend.Blender):
    """All from the mother."""

    def weights(self, father, mother, seed):
        return torch.zeros_like(father)


class Bare(Mothers):
    """Made without anything."""

    def __init__(self):
        pass


class Numpy(kinblend.Blender):
    """Gives what no tensor is."""

    def weights(self, father, mother, seed):
        return np.zeros(father.shape, "float32")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine("morphable")


@pytest.fixture(scope="module")
def parents(engine: Engine) -> tuple[kinblend.Latent, kinblend.Latent]:
    return engine.encode(example(FATHER)), engine.encode(example(MOTHER))


def test_every_way_to_bring_a_strategy_gives_the_same_child(engine: Engine, parents, tmp_path: Path) -> None:
    space, context = engine.backbone.space, engine.backbone.context
    zeros = torch.zeros(space.layers, space.dim)
    strategies = [Mothers(None, context), Mothers(None, None), Mothers, Bare(), WeightMap(zeros, space), zeros]
    codes = []
    for strategy in strategies:
        result = engine.run(*parents, blender=strategy, neutral=False)
        assert result.manifest["blender"]["name"] == ""
        codes.append(result.children[0].latent.code)
        assert torch.equal(codes[-1], engine.blend(*parents, strategy).latent.code)
    assert all(torch.equal(codes[0], code) for code in codes)
    result.save(tmp_path / "out")
    digest = json.loads((tmp_path / "out" / "child.json").read_text())["blender"]["weights_sha256"]
    assert len(digest) == 64
    words = [example(FATHER), example(MOTHER), "--out", tmp_path / "again"]
    code, _, error = here("run", "--from", tmp_path / "out" / "child.json", *words)
    assert (code, "the strategy was given in Python" in error) == (2, True)


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        (3, "a int is no strategy"),
        ({"share": 1}, "a dict is no strategy"),
        (Engine, "a type is no strategy"),
        (np.zeros((4, 512), "float32"), "must be a torch.Tensor, not a numpy.ndarray: torch.from_numpy"),
        (torch.zeros(4, 512).double(), "must be float32, not float64"),
        (torch.zeros(512), r"must have shape \[4, 512\], not \[512\]"),
        (torch.full((4, 512), 1.5), r"lies in \[0, 1\]"),
        (torch.full((4, 512), float("nan")), "NaN"),
        (Numpy, "must be a torch.Tensor, not a numpy.ndarray"),
    ],
    ids=str,
)
def test_what_is_no_strategy(strategy: object, said: str, engine: Engine, parents) -> None:
    with pytest.raises(KinblendError, match=said):
        engine.run(*parents, blender=strategy)


def test_a_strategy_of_ones_own_has_its_options_already(engine: Engine, parents) -> None:
    with pytest.raises(UsageError, match="leave out blender_options"):
        engine.run(*parents, blender=Mothers, blender_options={"share": 1})


@pytest.mark.parametrize("value", [np.zeros((4, 512)), np.zeros((4, 512), "float32"), [[0.0]], 3, "x", None])
def test_what_is_no_tensor_is_told_as_what_it_is(value: object, engine: Engine) -> None:
    for kind in (kinblend.Latent, WeightMap):
        with pytest.raises(LatentError, match=f"must be a torch.Tensor, not a .*{type(value).__name__}"):
            kind(value, engine.backbone.space)


def test_latents_files_and_photographs_make_the_same_child(engine: Engine, parents, tmp_path: Path) -> None:
    for name, latent in zip("fm", parents, strict=True):
        save_latent(tmp_path / f"{name}.safetensors", latent)
    ways = [
        (example(FATHER), example(MOTHER)),
        parents,
        (tmp_path / "f.safetensors", str(tmp_path / "m.safetensors")),
    ]
    results = [engine.run(*way, age=8, sex="girl", seed=3) for way in ways]
    assert all(torch.equal(results[0].children[0].latent.code, one.children[0].latent.code) for one in results)
    inputs = [result.manifest["inputs"]["father"] for result in results]
    assert [set(one) for one in inputs] == [{"sha256"}, {"latent_sha256"}, {"sha256"}]
    with pytest.raises(UsageError, match="leave out the number of a face"):
        engine.run(*parents, father_face=1)


def test_the_steps_of_a_run_are_methods(engine: Engine, parents) -> None:
    child = engine.blend(*parents, "mask", seed=7)
    older = engine.edit(child, "interfacegan", {"age": "30y"})
    one, several = engine.render(older), engine.render([child, older, engine.parent(example(FATHER))])
    assert one.size == (512, 512)
    assert len(several) == 3
    away = np.abs(np.asarray(several[1], dtype=int) - np.asarray(one, dtype=int))
    assert away.max() <= 1, "pictures that are drawn together may be rounded otherwise"
    for wrong in (3, "latent", None, torch.zeros(4, 512)):
        for step in (engine.render, lambda it: engine.edit(it, "interfacegan", {}), lambda it: engine.blend(it, it)):
            with pytest.raises(UsageError, match="is no latent"):
                step(wrong)
    with pytest.raises(LatentError, match="give a list of latents"):
        engine.backbone.render(older)


SAME = "father and mother are the same photograph"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda picture: picture, SAME),
        (lambda picture: picture.resize((picture.width // 2, picture.height // 2)), "look like one person"),
        (lambda picture: picture.crop((9, 9, picture.width - 9, picture.height - 9)), "look like one person"),
        (lambda picture: picture.transpose(0), "look like one person"),
        (lambda picture: picture.point(lambda value: min(255, round(value * 1.1))), "look like one person"),
    ],
    ids=["as it is", "smaller", "cropped", "mirrored", "brighter"],
)
def test_one_photograph_given_twice_is_told(change, said: str, engine: Engine, tmp_path: Path) -> None:
    from PIL import Image

    picture = Image.open(example(FATHER)).convert("RGB")
    change(picture).save(tmp_path / "copy.png")
    [line] = engine.run(example(FATHER), tmp_path / "copy.png").warnings
    assert said in line
    assert engine.run(example(FATHER), example(MOTHER)).warnings == []


@pytest.mark.parametrize("attribute", ["age", "beard", "gender", "hair", "skin", "smile", "weight", "width"])
def test_strengths_beyond_what_was_fitted_are_told_and_far_ones_refused(attribute: str, engine: Engine) -> None:
    editor = engine.editor()
    low, high = editor.strength_ranges()[attribute]
    for end, away in ((low, -1), (high, 1)):
        assert edit_warnings(editor, validate_edits(editor, {attribute: end})) == []
        [line] = edit_warnings(editor, validate_edits(editor, {attribute: end + away * 0.5}))
        assert f"is beyond {low:.3g} to {high:.3g}, which morphable was fitted for" in line
        with pytest.raises(UsageError, match=rf"{attribute}=.* use -\d.* to \d"):
            validate_edits(editor, {attribute: 2 * end + away * 0.1})


@pytest.mark.parametrize("age", ["-50y", "-0.1y", "80.5y", "200y", "1e9y", "inf y", "nan y", "old", "8 apples"])
def test_ages_that_nobody_has(age: str, engine: Engine) -> None:
    with pytest.raises(UsageError, match="age"):
        validate_edits(engine.editor(), {"age": age})


def test_ages_beyond_what_was_fitted_are_told_however_they_are_asked_for(engine: Engine, parents) -> None:
    for asked in ({"age": 75}, {"edits": {"age": "75y"}}):
        [line] = engine.run(*parents, **asked).warnings
        assert "age=75y is beyond 2 to 68 years" in line


def test_an_age_as_a_strength_is_asked_about(engine: Engine) -> None:
    editor = engine.editor()
    for strength in (5, 6, 8, 30):
        with pytest.raises(UsageError, match=f"for {strength} years write age={strength}y"):
            validate_edits(editor, {"age": strength})


def test_a_direction_of_ones_own_has_no_range(engine: Engine, tmp_path: Path) -> None:
    torch.save(torch.ones(512), tmp_path / "mine.pt")
    editor = engine.editor("interfacegan", {"directions": {"mine": str(tmp_path / "mine.pt")}})
    edits = validate_edits(editor, {"mine": 90})
    assert (edits, edit_warnings(editor, edits)) == ({"mine": 90.0}, [])
    with pytest.raises(UsageError, match="mine=101: use -100 to 100"):
        validate_edits(editor, {"mine": 101})


def test_siblings_by_a_strategy_without_chance_are_told(engine: Engine, parents) -> None:
    [line] = engine.run(*parents, blender="average", children=2).warnings
    assert "'average'" in line and "these 2 are all the same; for others use 'mask'" in line
    alike, different = [ChildSpec(sex="girl")] * 3, [ChildSpec(sex="girl"), ChildSpec(sex="boy")]
    for name in ("average", "dimension", "layer", "slerp"):
        [line] = about_siblings(engine.blender(name), alike)
        assert f"'{name}'" in line and "these 3 are all the same" in line
        [line] = about_siblings(engine.blender(name), different)
        assert "these 2 differ in sex alone" in line
    assert about_siblings(engine.blender("mask"), alike) == about_siblings(engine.blender("average"), alike[:1]) == []


class Beyond(kinblend.Blender):
    """The average, and more."""

    def blend(self, father: torch.Tensor, mother: torch.Tensor, seed: int) -> kinblend.Blend:
        half = WeightMap(torch.full_like(father, 0.5), self.space)
        added = torch.full_like(father, 0.01)
        return kinblend.Blend((father + mother) / 2 + added, half, offset=added)


def test_what_a_strategy_adds_to_the_weighted_sum_is_told(engine: Engine, parents) -> None:
    result = engine.run(*parents, blender=Beyond)
    assert result.children[0].offset == pytest.approx(0.01, rel=1e-4)
    assert result.manifest["offset"] == [0.01]
    assert engine.run(*parents, blender="average").manifest["offset"] == [0.0]
