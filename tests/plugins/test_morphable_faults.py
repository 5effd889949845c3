"""What children of the embedded backbone must not show: beards, teeth, patches, greenish brows.

The people are those of the package `openpeople`; P005 has a full beard.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from kinblend import Engine
from kinblend.cli.demo import example
from kinblend.faces import predict_in_crop
from kinblend_plugins.morphable.beard import BeardZone
from kinblend_plugins.morphable.model import resize
from kinblend_plugins.morphable.skin import SIZE, tints

BEARDED, WOMEN = "P005", ("P001", "P002", "P004", "P009", "P010")
FEW = settings(max_examples=6, deadline=None)


@pytest.fixture(scope="module")
def engine():
    return Engine("morphable", cached_parents=32)


@pytest.fixture(scope="module")
def people(engine):
    """Latents of calm people by their names, of their portraits."""
    editor = engine.editor()
    return {name: engine.neutral(engine.parent(example(name)).latent, editor) for name in (BEARDED, *WOMEN)}


@pytest.fixture(scope="module")
def model(engine):
    return engine.backbone.projector.model


def logs(picture, places, reach):
    """Median logarithms of the colours round places (x, y): [n, 3]."""
    pixels = np.asarray(picture, dtype=np.float64)
    found = []
    for x, y in np.clip(np.round(places), 0, len(pixels) - 1).astype(int):
        patch = pixels[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
        found.append(np.log(np.median(patch.reshape(-1, 3), axis=0) + 8))
    return np.array(found)


def cheeks(points):
    return [points[list(of)].mean(0) for of in ((41, 31, 48, 3), (46, 35, 54, 13))]


def rim(picture):
    """How much darker than the cheeks the places just outside of the jaw are, as a logarithm."""
    points = predict_in_crop(picture)
    outside = points[30] + (points[4:13] - points[30]) * 1.05
    return float(logs(picture, cheeks(points), 6).mean() - np.median(logs(picture, outside, 3).mean(1)))


def texture(model, latent, size=SIZE):
    whole = model.texture(latent.code[None], latent.detail["residual"].shape[-1]) + latent.detail["residual"].float()
    return resize(whole, size)


def test_who_has_a_beard_is_told_from_who_has_a_shadow(engine):
    assert float(engine.parent(example(BEARDED)).latent.detail["beard"].min()) > 0.9
    for name in WOMEN:
        for picture in (example(name), example(name).with_name("amateur_selfie.jpg")):
            assert float(engine.parent(picture).latent.detail["beard"].max()) < 0.2, picture


@FEW
@given(
    mother=st.sampled_from(WOMEN),
    share=st.floats(0.4, 0.75),
    edits=st.one_of(
        st.integers(3, 14).map(lambda years: {"age": f"{years}y"}),
        st.integers(18, 45).map(lambda years: {"age": f"{years}y", "gender": "female"}),
    ),
)
def test_no_child_and_no_woman_has_the_fathers_beard_round_the_jaw(engine, people, mother, share, edits):
    strategy = engine.blender("average", {"share": share})
    born = engine.blend(people[BEARDED], people[mother], strategy, 0, {"background": "father"}).latent
    zone: BeardZone = engine.backbone.projector._edited.beard
    child = engine.edit(born, engine.editor(), edits)
    [picture] = engine.backbone.render([child])
    [father] = engine.backbone.render([people[BEARDED]])
    assert rim(picture) < rim(father) / 2
    assert float(zone.amount(texture(engine.backbone.projector.model, child))) < 0.12
    assert float(zone.amount(texture(engine.backbone.projector.model, people[BEARDED]))) > 0.6


def test_the_child_of_a_bearded_father_and_a_smooth_mother_has_no_beard_by_any_strategy(engine):
    for strategy in ("layer", "likeness", "learned"):
        options = {"background": "father"}
        result = engine.run(example(BEARDED), example("P001"), blender=strategy, age=8, projector_options=options)
        assert rim(result.children[0].image) < rim(result.father.crop) / 2, strategy


def test_a_grown_man_keeps_the_beard(engine, people):
    old = engine.edit(people[BEARDED], engine.editor(), {"age": "60y"})
    before, after = engine.backbone.render([people[BEARDED], old])
    assert rim(after) > 0.7 * rim(before)


@FEW
@given(person=st.sampled_from(WOMEN), years=st.integers(3, 80))
def test_where_nobody_has_a_beard_nothing_is_taken_from_the_picture_round_the_face(engine, people, person, years):
    latent = engine.edit(people[person], engine.editor(), {"age": f"{years}y"})
    plain = type(latent)(latent.code, latent.space, {k: v for k, v in latent.detail.items() if k != "beard"})
    one, other = (np.asarray(picture).astype(int) for picture in engine.backbone.render([latent, plain]))
    assert np.abs(one - other).max() <= 2


def teeth(picture):
    """How strong upright edges are within the mouth, as logarithms: between teeth, and between their shadows."""
    points, green = predict_in_crop(picture), np.log(np.asarray(picture, dtype=np.float64)[..., 1] + 8)
    step = max(1, round((points[42:48] - points[36:42]).mean(0)[0] / 20))
    mask = Image.new("1", picture.size)
    ImageDraw.Draw(mask).polygon([tuple(point) for point in points[48:60]], fill=1)
    inside = np.asarray(mask)
    return float(np.abs(green[:, step:] - green[:, :-step])[inside[:, step:] & inside[:, :-step]].mean())


@pytest.mark.parametrize("person", ["P001", "P002", "P004", "P007", "P009"])
def test_a_calmed_mouth_shows_no_teeth(engine, person):
    parent = engine.parent(example(person).with_name("amateur_selfie.jpg"))
    editor = engine.editor()
    calm = engine.neutral(parent.latent, editor)
    child = engine.edit(calm, editor, {"age": "8y"})
    for latent in (calm, child):
        assert float(editor._directions["mouth"].reading(latent.code[None])) < 0.06
    assert teeth(engine.backbone.render([calm])[0]) < 0.8 * teeth(parent.crop)


def test_a_broader_smile_opens_no_mouth(engine, people):
    mouth = engine.editor()._directions["mouth"]
    for latent in people.values():
        smiling = engine.edit(latent, engine.editor(), {"smile": 1.0})
        assert abs(float(mouth.reading(smiling.code[None]) - mouth.reading(latent.code[None]))) < 0.02


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**63 - 1), run=st.floats(1, 600))
def test_a_sibling_has_the_complexion_of_one_parent_whole(engine, seed, run):
    father, mother = torch.ones(4, 512), torch.zeros(4, 512)
    mask = engine.blender("mask", {"run": run}).weights(father, mother, seed)
    assert engine.backbone.projector.whole_groups() == ("complexion",)
    assert len(mask[1].unique()) == 1
    assert bool(((mask == 0) | (mask == 1)).all())


def test_siblings_differ_in_complexion_and_the_rest_is_drawn_in_pieces(engine):
    masks = torch.stack(
        [engine.blender("mask").weights(torch.ones(4, 512), torch.zeros(4, 512), seed) for seed in range(40)]
    )
    assert 0.25 < float(masks[:, 1, 0].mean()) < 0.75
    assert all(0 < float(mask[layer].mean()) < 1 for mask in masks for layer in (0, 2, 3))


@FEW
@given(couple=st.permutations((BEARDED, *WOMEN)), years=st.integers(60, 80))
def test_brows_and_lids_do_not_go_grey_or_green_with_the_years(engine, people, model, couple, years):
    born = engine.blend(people[couple[0]], people[couple[1]], engine.blender("average")).latent
    old = engine.edit(born, engine.editor(), {"age": f"{years}y"})
    points = (model.mean_shape - torch.tensor(model.corner)) / model.side
    places = ((points[[18, 19, 24, 25]] + points[[37, 38, 43, 44]]) / 2 * SIZE).long()
    before, after = (tints(texture(model, latent))[0, 1, places[:, 1], places[:, 0]] for latent in (born, old))
    assert float((after - before).min()) > -0.025


def test_a_code_that_stays_leaves_the_detail_as_it_was(engine, people):
    projector = engine.backbone.projector
    for latent in people.values():
        kept = projector.edit_detail(latent, latent.code.clone())["residual"].float()
        assert float((kept - latent.detail["residual"].float()).abs().max()) < 0.02
