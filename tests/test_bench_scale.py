"""`kinblend bench scale`: what is measured, and what is made of it."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from plugin_site import here

from kinblend.bench import scale
from kinblend.bench.costs import Order, estimate
from kinblend.bench.machine import busy_seconds, private_bytes
from kinblend.bench.scale import Scaling, Worker

ONE = Worker(cold=10, cold_cpu=4, photograph=2, photograph_cpu=1, child=1, child_cpu=0.5)


def case(workers: int, ratio: float, others: float | None = 0.0) -> Scaling:
    return Scaling(workers, ratio, ratio, others, 2**20)


def test_an_estimate_is_the_sum_of_its_parts() -> None:
    cost = estimate(Order(1000, 300, 3), ONE, [case(1, 1), case(2, 1.6)], "cpu", 512)
    assert cost.core_hours == pytest.approx((2 * 4 + 300 * 1 + 3000 * 0.5) / 3600)
    assert cost.hours == pytest.approx((10 + (300 * 2 + 3000 * 1) / 1.6) / 3600)
    assert (cost.workers, cost.gpu_hours) == (2, None)
    said = "\n".join(cost.assumptions)
    for part in ("1000 couples of 300 people", "of each couple: 3", "512 px", "no GPU-hours", "the machine was idle"):
        assert part in said


def test_what_was_not_measured_is_not_estimated() -> None:
    busy = estimate(Order(10, 4), ONE, [case(1, 1, 0.9), case(2, 1.0, 0.05)], "cpu", 512)
    assert busy.hours is None and "others took 90% of it" in busy.assumptions[-1]
    unknown = estimate(Order(10, 4), ONE, [case(1, 1, None)], "cpu", 512)
    assert unknown.hours is None and "is not known" in unknown.assumptions[-1]
    gpu = estimate(Order(10, 4), ONE, [case(1, 1)], "cuda:0", 512)
    assert gpu.gpu_hours == pytest.approx((10 + 4 * 2 + 10 * 1) / 3600)
    assert any("one process on cuda:0" in sentence for sentence in gpu.assumptions)


def test_what_the_system_does_not_say_is_not_known(tmp_path: Path) -> None:
    assert busy_seconds(tmp_path / "stat") is private_bytes(tmp_path / "smaps_rollup") is None
    (tmp_path / "stat").write_text("cpu  100 0 100 5 5 0 0 0 0 0\n")
    (tmp_path / "smaps_rollup").write_text("Private_Clean: 3 kB\nPrivate_Dirty:       12 kB\n")
    assert private_bytes(tmp_path / "smaps_rollup") == 12 * 1024
    assert 0 < (busy_seconds(tmp_path / "stat") or 0) < 200


@pytest.mark.skipif(find_spec("openpeople") is None, reason="the example people are not installed")
def test_a_worker_is_timed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(scale, "PEOPLE", 1)
    monkeypatch.setattr(scale, "ROWS", 1)
    words = ["--backbone", "morphable", "--device", "cpu", "--workers", 1, "--size", 200, "--json", "--quiet"]
    asked = ["--couples", 50, "--people", 9, "--children", 2]
    code, out, error = here("bench", "scale", *words, *asked, "--out", tmp_path / "r.json")
    assert (code, error) == (0, "")
    report = json.loads(out)
    assert report == json.loads((tmp_path / "r.json").read_text())
    assert all(seconds > 0 for seconds in report["worker"].values())
    assert [found["workers"] for found in report["scaling"]] == [1]
    assert report["order"] == {"couples": 50, "people": 9, "children": 2} and report["cost"]["gpu_hours"] is None
    parts = report["worker"]
    wanted = parts["cold_cpu"] + 9 * parts["photograph_cpu"] + 100 * parts["child_cpu"]
    assert report["cost"]["core_hours"] == pytest.approx(wanted / 3600)


def test_what_can_not_be_asked(tmp_path: Path) -> None:
    code, _, error = here("bench", "scale", "--couples", 2, "--people", 5)
    assert (code, error.count("\n")) == (2, 1) and "at most 4 people" in error
    code, _, error = here("bench", "scale", "--father", tmp_path, "--mother", tmp_path, "--backbone", "morphable")
    assert (code, error.count("\n")) == (3, 1) and "is a folder" in error
    code, _, error = here("bench", "nonsense")
    assert (code, "nonsense" in error) == (2, True)
