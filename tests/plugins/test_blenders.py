"""The built-in strategies keep the contract, and do what their names say."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kinblend import Context, LatentSpace, load_backbone
from kinblend.backbone import make_plugin
from kinblend.errors import OptionError, UnsupportedError
from kinblend.testing import BlenderContract

SPACE = Context(LatentSpace("test", 18, 512, "0" * 64))
HALF = {"share": 0.5}
MORPHABLE = load_backbone("morphable").context


class TestAverage(BlenderContract):
    name = "average"
    share_options = {1.0: {"share": 1.0}, 0.0: {"share": 0.0}}
    mirror_options = HALF


class TestDimension(BlenderContract):
    name = "dimension"
    options = {"shares": {"50": 0.9, "100": 0.8}, "default": 0.3}
    share_options = {1.0: {"default": 1.0}, 0.0: {"shares": [0.0] * 512}}
    mirror_options = options


class TestLayer(BlenderContract):
    name = "layer"
    options = {"shares": {"coarse": 0.9, "1-2": 0.1, "3": 0.4}, "dimensions": {"7": 0.25}}
    share_options = {1.0: {"default": 1.0}, 0.0: {"shares": {"coarse": 0, "middle": 0, "fine": 0}, "default": 0.0}}
    mirror_options = options


class TestMask(BlenderContract):
    name = "mask"
    options = {"by": "dimension"}
    share_options = {1.0: {"share": 1.0}, 0.0: {"share": 0.0}}
    mirror_options = {"by": "element"}


class TestLearned(BlenderContract):
    name = "learned"
    sizes = ((4, 512),)
    options = {"weights": str(load_backbone("morphable").pack.files["blender.safetensors"])}
    share_options = {1.0: {**options, "share": 1.0}, 0.0: {**options, "share": 0.0}}


class TestLikeness(BlenderContract):
    name = "likeness"
    backbone = "morphable"
    options = {"steps": 3}
    share_options = {1.0: {"share": 1.0}, 0.0: {"share": 0.0}}


class TestSlerp(BlenderContract):
    name = "slerp"
    share_options = {1.0: {"share": 1.0}, 0.0: {"share": 0.0}}


def weights(name: str, options: dict, seed: int = 0) -> torch.Tensor:
    father, mother = torch.randn(2, 18, 512, generator=torch.Generator().manual_seed(1))
    return make_plugin("blender", name, SPACE, options).blend(father, mother, seed).weights.values


@settings(max_examples=50, deadline=None)
@given(share=st.floats(0, 1), seed=st.integers(0, 2**31), by=st.sampled_from(["dimension", "layer", "element"]))
def test_a_mask_is_binary_and_constant_where_it_should_be(share: float, seed: int, by: str) -> None:
    mask = weights("mask", {"by": by, "share": share}, seed)
    assert bool(((mask == 0) | (mask == 1)).all())
    if by == "dimension":
        assert torch.equal(mask, mask[:1].expand_as(mask))
    if by == "layer":
        assert torch.equal(mask, mask[:, :1].expand_as(mask))


@pytest.mark.parametrize(("run", "changes"), [(1, 0.5), (8, 0.0625), (64, 0.0078)])
def test_genes_are_handed_down_in_stretches_of_the_length_asked_for(run: float, changes: float) -> None:
    masks = torch.cat([weights("mask", {"run": run}, seed) for seed in range(40)])
    assert float((masks[:, 1:] != masks[:, :-1]).float().mean()) == pytest.approx(changes, rel=0.1)
    assert float(masks.mean()) == pytest.approx(0.5, abs=0.05)


@settings(max_examples=50, deadline=None)
@given(share=st.floats(0, 1))
def test_average_lies_where_the_share_says(share: float) -> None:
    father, mother = torch.randn(2, 18, 512, generator=torch.Generator().manual_seed(1))
    child = make_plugin("blender", "average", SPACE, {"share": share}).blend(father, mother, 0).code
    torch.testing.assert_close(child, father * share + mother * (1 - share), atol=1e-6, rtol=0)


def test_layers_beat_dimensions_and_the_rest_has_the_default() -> None:
    found = weights("layer", {"shares": {"0": 1.0, "8-17": 0.0}, "dimensions": {"5": 0.75}, "default": 0.5})
    assert found[0].unique().tolist() == [1.0]
    assert found[8:].unique().tolist() == [0.0]
    assert found[3, 5] == 0.75
    assert found[3, 6] == 0.5


MOBILE = {"head and pose": (0, 6), "features": (7, 12), "complexion and light": (13, 18), "fine detail": (19, 22)}


class Groups:
    """A projector that only names its groups of layers."""

    def layer_groups(self):
        return MOBILE


def on_mobile(name: str, options: dict, seed: int = 0) -> torch.Tensor:
    context = Context(LatentSpace("mobile", 23, 512, "0" * 64), projector=Groups)
    father, mother = torch.randn(2, 23, 512, generator=torch.Generator().manual_seed(1))
    return make_plugin("blender", name, context, options).blend(father, mother, seed).weights.values


def test_left_to_their_defaults_strategies_differ_and_are_fair() -> None:
    found = {name: on_mobile(name, {}) for name in ("average", "dimension", "layer", "mask")}
    for one, other in itertools.combinations(found, 2):
        assert float((found[one] - found[other]).abs().mean()) > 0.1, (one, other)
    for name in found:
        mean = torch.stack([on_mobile(name, {}, seed).mean() for seed in range(30)]).mean()
        assert abs(float(mean) - 0.5) < 0.07, name


def test_layers_by_the_names_of_the_backbones_groups() -> None:
    for name in ("head and pose", "head-and-pose", "Head_and_Pose", "coarse", "0-6"):
        found = on_mobile("layer", {"shares": {name: 1.0}, "default": 0.0})
        assert [bool(row.all()) for row in found] == [layer < 7 for layer in range(23)], name
    fine = on_mobile("layer", {"shares": {"fine": 1.0}, "default": 0.0})
    assert [bool(row.all()) for row in fine] == [layer > 12 for layer in range(23)]
    assert on_mobile("layer", {})[[0, 7, 13, 19], 0].tolist() == [0.75, 0.25, 0.75, 0.25]
    with pytest.raises(OptionError, match="head and pose, features, complexion and light, fine detail, coarse"):
        on_mobile("layer", {"shares": {"hair": 1.0}})


def test_genes_are_the_same_in_all_layers_of_a_group() -> None:
    mask = on_mobile("mask", {})
    for first, last in MOBILE.values():
        assert torch.equal(mask[first : last + 1], mask[first : first + 1].expand(last + 1 - first, 512))
    assert len({tuple(row) for row in mask.tolist()}) == len(MOBILE)


def test_a_default_alone_is_the_share_of_everything() -> None:
    for name in ("dimension", "layer"):
        assert on_mobile(name, {"default": 0.5}).unique().tolist() == [0.5]


def test_slerp_keeps_the_length_of_parents_of_equal_length() -> None:
    father, mother = torch.nn.functional.normalize(torch.randn(2, 18, 512), dim=-1)
    child = make_plugin("blender", "slerp", SPACE, {"share": 0.3}).blend(father, mother, 0).code
    torch.testing.assert_close(child.norm(dim=1), torch.ones(18), atol=1e-5, rtol=0)


def test_shares_and_masks_are_taken_as_tensors_too() -> None:
    """In the shapes people have them in."""
    shares, layers = torch.rand(1, 512), torch.rand(18, 1)
    assert torch.equal(weights("dimension", {"shares": shares}), shares.expand(18, 512))
    torch.testing.assert_close(weights("layer", {"shares": layers}), layers.expand(18, 512))
    assert torch.equal(weights("layer", {"shares": {3: 0.25}})[3], torch.full((512,), 0.25))
    mask = (torch.rand(18, 512, generator=torch.Generator().manual_seed(1)) < 0.5).float()
    assert torch.equal(weights("mask", {"mask": mask}), mask)
    assert torch.equal(weights("mask", {"mask": mask[0].bool()}), mask[:1].expand(18, 512))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("average", {"share": 1.1}),
        ("average", {"shares": 1}),
        ("dimension", {"shares": {"600": 0.5}}),
        ("layer", {"shares": {"18": 0.5}}),
        ("layer", {"shares": {"soft": 0.5}}),
        ("mask", {"by": "eye"}),
        ("mask", {"mask": [0.5] * 512}),
        ("mask", {"mask": [[1, 0], [1]]}),
        ("mask", {"mask": [1] * 7}),
        ("mask", {"mask": [1] * 512, "file": "m.npy"}),
        ("layer", {"shares": [0.5] * 18, "dimensions": {"3": 0.1}}),
    ],
)
def test_options_that_will_not_do(name: str, options: dict) -> None:
    with pytest.raises(OptionError):
        weights(name, options)


def influenced(father: float = 1.0, mother: float = 1.0, share: float = 0.5):
    options = {"father_influence": father, "mother_influence": mother, "share": share}
    return make_plugin("blender", "average", MORPHABLE, options)


@given(st.floats(0, 1.5), st.floats(0, 1.5), st.floats(0, 1))
@settings(max_examples=10, deadline=None)
def test_an_influence_counts_what_differs_from_the_mean_face(father: float, mother: float, share: float) -> None:
    codes = torch.randn(2, 4, 512, generator=torch.Generator().manual_seed(3))
    made = influenced(father, mother, share).blend(*codes, 0)
    expected = share * father * codes[0] + (1 - share) * mother * codes[1]  # the mean face is zero there
    torch.testing.assert_close(made.code, expected, atol=1e-5, rtol=1e-5)
    assert made.weights is not None and float(made.weights.values.mean()) == pytest.approx(share, abs=1e-6)


def test_influences_beyond_one_are_warned_of_and_beyond_the_bound_refused() -> None:
    assert influenced().warnings() == [] and influenced(0.5, 1.0).warnings() == []
    [line] = influenced(1.25).warnings()
    assert "the father's influence of 1.25" in line and "caricature" in line
    for value in (-0.1, 1.6):
        with pytest.raises(OptionError, match="influence"):
            influenced(value)


def test_an_influence_needs_a_mean_face() -> None:
    with pytest.raises(UnsupportedError, match="knows no mean face"):
        make_plugin("blender", "average", SPACE, {"father_influence": 1.2})
