"""Angles from five points in the plane, on the model's own head turned by known angles."""

from __future__ import annotations

import numpy as np
import pytest

from kinblend.faces.flat_pose import flat_pose
from kinblend.faces.head_pose import five_points


def turned(yaw: float = 0, pitch: float = 0, roll: float = 0) -> np.ndarray:
    """The model's five points, turned by yaw, then pitch, then roll, as a camera far away sees them."""
    a, b, c = np.radians([yaw, pitch, roll])
    about_y = np.array([[np.cos(a), 0, -np.sin(a)], [0, 1, 0], [np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), np.sin(b)], [0, -np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return 100 * (five_points() @ (about_z @ about_x @ about_y).T)[:, :2] + 300


@pytest.mark.parametrize("angle", [-40, -10, 0, 25])
def test_a_nod_and_a_tilt_are_what_they_are(angle: float) -> None:
    assert flat_pose(turned(pitch=angle)).pitch == pytest.approx(angle, abs=0.01)
    assert flat_pose(turned(roll=angle)).roll == pytest.approx(angle, abs=0.01)
    both = flat_pose(turned(pitch=angle, roll=20))
    assert (both.pitch, both.roll) == (pytest.approx(angle, abs=0.01), pytest.approx(20, abs=0.01))


def test_a_turn_is_about_what_it_is() -> None:
    assert flat_pose(turned(yaw=20)).yaw == pytest.approx(20, abs=4)
    assert flat_pose(turned(yaw=-20)).yaw == pytest.approx(-20, abs=4)


def test_points_on_each_other_give_a_number() -> None:
    pose = flat_pose(np.zeros((5, 2)))
    assert np.isfinite([pose.yaw, pose.pitch, pose.roll]).all()
