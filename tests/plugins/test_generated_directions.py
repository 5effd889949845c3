"""Directions from a generator's own pictures: planted attributes are read, moved apart, calibrated."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from safetensors.torch import save_file

from kinblend import Context, LatentSpace, Target
from kinblend.backbone import make_plugin
from kinblend.inversion import redone, undone
from kinblend_plugins.interfacegan.training.gaussian import conditional_steps, linear_reader, rising
from kinblend_plugins.interfacegan.training.generated_directions import (
    Layers,
    Measurements,
    even,
    fit_generated,
    metadata,
    uneven,
)
from kinblend_plugins.interfacegan.training.generated_faces import MeasurementCache, _in_turn, joined
from kinblend_plugins.interfacegan.training.picture_measurements import measure_picture

SPACE, LAYERS = LatentSpace("toy", 5, 16, "0" * 64), Layers(5, 3, (1, 4))
SEEN_TOO_OLD = 8.0  # years, of every edited picture


def looks(count: int, seed: int, older: float = 0.0) -> Measurements:
    """Age moves dimension 0, being male dimension 1, and men are older; a beard dimension 2, with age and sex."""
    numbers = torch.Generator().manual_seed(seed)
    v = torch.randn(count, 16, generator=numbers)
    v[:, 2] += 0.5 * v[:, 0] + 0.5 * v[:, 1]
    noise = 0.1 * torch.randn(count, 3, generator=numbers).double()
    x = v.double()
    values = {
        "age": uneven(20 + 25 * (x[:, 0] + 0.1 * x[:, 1])) + older + noise[:, 0],
        "gender": (0.5 + 0.4 * x[:, 1] + noise[:, 1]).clamp(0, 1),
        "beard": x[:, 2] + noise[:, 2],
    }
    fine = torch.randn(count, 16, generator=numbers)  # tells nothing of the three
    return Measurements(v, fine, values)


@pytest.fixture(scope="module")
def fitted():
    drawn = looks(800, 0)
    covariance = torch.cov(drawn.coarse.double().T)
    return fit_generated(drawn, looks(300, 1, SEEN_TOO_OLD), covariance, LAYERS)


@pytest.fixture(scope="module")
def editor(fitted, tmp_path_factory):
    path = tmp_path_factory.mktemp("pack") / "directions.safetensors"
    save_file(fitted.tensors, path, metadata(fitted))
    return make_plugin("editor", "interfacegan", Context(SPACE, {"directions.safetensors": path}))


def test_steps_change_one_reading_each(fitted) -> None:
    assert fitted.about["age"]["r2"] > 0.8
    for name in ("age", "gender", "beard"):
        for other in ("age", "gender", "beard"):
            moved = float((fitted.tensors[name] * fitted.tensors[f"{other}.reader"]).sum())
            assert moved == pytest.approx(1.0 if other == name else 0.0, abs=0.2), (name, other)


def test_only_the_layers_of_shape_move(fitted) -> None:
    assert fitted.tensors["age"][:3].abs().sum() > 0
    assert not fitted.tensors["age"][3:].any()
    assert json.loads(metadata(fitted)["attributes"])["age"]["unit"] == "years"


def test_a_calibrated_age_is_what_edited_pictures_showed(editor) -> None:
    found = looks(40, 7)
    codes = redone(found.coarse)[:, None].expand(-1, 5, -1).contiguous()
    reached = []
    for code in codes:
        strengths = editor.strengths_for_targets(code, {"age": Target(40.0, "years"), "gender": Target("male")})
        after = undone(editor.edit(code[None], strengths))[0, 0]
        reached.append(float(uneven(20.0 + 25 * (after[0] + 0.1 * after[1]))))
        assert 0.5 + 0.4 * float(after[1]) > 0.85
    # A picture looked eight years older than its code when the curve was fitted.
    assert np.mean(reached) == pytest.approx(40 - SEEN_TOO_OLD, abs=5)


def test_undone_and_redone() -> None:
    codes = torch.randn(3, 4)
    torch.testing.assert_close(redone(undone(codes)), codes)
    years = torch.tensor([1.0, 4.0, 19.0, 20.0, 60.0])
    torch.testing.assert_close(uneven(even(years)), years)


def test_conditional_steps_leave_other_readings() -> None:
    numbers = torch.Generator().manual_seed(0)
    readers = torch.randn(8, 3, generator=numbers, dtype=torch.float64)
    half = torch.randn(8, 8, generator=numbers, dtype=torch.float64)
    steps = conditional_steps(readers, half @ half.T)
    torch.testing.assert_close(readers.T @ steps, torch.eye(3, dtype=torch.float64), atol=1e-3, rtol=0)


def test_a_reader_is_found() -> None:
    x = torch.randn(300, 6, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    weights, level = linear_reader(x, 3 * x[:, 1] + 2, 1e-3)
    assert float(weights[1]) == pytest.approx(3, abs=0.01)
    assert level == pytest.approx(2, abs=0.01)


def test_a_rising_curve_rises_where_points_fall() -> None:
    x = torch.linspace(0, 10, 200, dtype=torch.float64)
    y = torch.where(x < 5, 2 * x, 10 - 0.5 * (x - 5))
    curve = rising(x, y, torch.arange(0, 11, 2, dtype=torch.float64), 0.1)
    assert (curve.diff() >= 0.2 - 1e-9).all()
    assert float(curve[1]) == pytest.approx(4, abs=0.8)


def test_bins_are_taken_in_turn() -> None:
    bins = torch.tensor([0] * 50 + [1] * 3 + [2] * 10)
    taken = bins[_in_turn(bins, 15)]
    assert [(taken == number).sum().item() for number in range(3)] == [6, 3, 6]


def test_what_was_seen_is_kept_for_the_same_work_only(tmp_path: Path) -> None:
    path = tmp_path / "seen.part.safetensors"
    first = MeasurementCache(path, {"plan": "a"})
    for number in range(3):
        first.add({"age": float(number), "hair": float("nan")})
    first.save()
    again = MeasurementCache(path, {"plan": "a"})
    assert [row["age"] for row in again.take(5)] == [0.0, 1.0, 2.0]
    assert again.take(5) == []
    assert MeasurementCache(path, {"plan": "b"}).take(5) == []
    again.forget()
    assert not path.exists()


def test_joined_looks_have_what_both_tell() -> None:
    one, other = looks(4, 1), looks(3, 2)
    other.values.pop("beard")
    both = joined(one, other)
    assert len(both) == 7
    assert set(both.values) == {"age", "gender"}


def test_a_drawn_face_is_measured() -> None:
    points = np.zeros((68, 2))
    points[36:42], points[42:48], points[30] = (90, 120), (160, 120), (125, 160)
    points[[36, 45]], points[[19, 24]] = [(80, 120), (170, 120)], [(90, 100), (160, 100)]
    points[2], points[14], points[8], points[[21, 22]] = (60, 150), (190, 150), (125, 230), (125, 100)
    points[48], points[54], points[62], points[66] = (100, 190), (150, 190), (125, 192), (125, 206)
    picture = Image.new("RGB", (256, 256), (200, 160, 140))
    plain = measure_picture(picture, points)
    assert plain["smile"] == pytest.approx(27 / 220) and plain["mouth"] == pytest.approx(42 / 220)
    assert plain["glasses"] == 0.0 and plain["pitch"] == pytest.approx(40 / 110)
    draw = ImageDraw.Draw(picture)
    draw.rectangle((80, 116, 170, 124), fill=(10, 10, 10))
    draw.rectangle((0, 0, 256, 40), fill=(10, 10, 10))
    found = measure_picture(picture, points)
    assert found["glasses"] > 25 and found["hair"] > plain["hair"] + 100
    parts = np.zeros((128, 128), np.uint8)
    parts[:30], parts[118:, :20] = 17, 17
    with_parts = measure_picture(picture, points, lambda _: parts)
    assert with_parts["glasses"] == 0.0 and with_parts["hat"] == 0.0
    assert with_parts["hair_length"] == pytest.approx((20 * 10) ** 0.5 / 36.7, abs=0.05)
