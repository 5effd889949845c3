"""Latency and memory against resolution and batch, as one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kinblend.errors import UsageError
from kinblend.imaging.figures import check_figure, new_figure, save_figure

DRAWN = {"synthesize": "size", "batch": "batch"}  # a step and what it is drawn against


def check_plot(path: Path, steps: Sequence[str]) -> None:
    """Raise `UsageError` where `plot` could not draw these steps, or not there."""
    if not set(DRAWN) & set(steps):
        raise UsageError(f"--plot draws the steps {' and '.join(DRAWN)}: measure one of these, or leave --plot out")
    check_figure(path)


def plot(report: Mapping[str, Any], path: Path) -> None:
    """Write the picture of a report of `speed.bench`; of one thread CPU times, which other programs hardly change.

    Raises `UsageError` where matplotlib is missing.
    """
    seconds, unit = ("cpu_seconds", "CPU ms") if report["hardware"]["threads"] == 1 else ("seconds", "ms")
    steps = [step for step in DRAWN if any(case["step"] == step for case in report["cases"])]
    figure = new_figure(5 * len(steps), 7)
    rows = figure.subplots(2, len(steps), squeeze=False)
    for column, step in enumerate(steps):
        axes, across = rows[:, column], DRAWN[step]
        drawn = [case for case in report["cases"] if case["step"] == step]
        for label in dict.fromkeys(map(_label, drawn)):
            cases = [case for case in drawn if _label(case) == label]
            x = [case[across] for case in cases]
            axes[0].plot(x, [1000 * case[seconds] for case in cases], "o-", label=label)
            axes[1].plot(x, [_peak(case) / 2**20 for case in cases], "o-", label=label)
        axes[0].set(ylabel=unit, xlabel=f"{across}, {'px' if across == 'size' else 'pictures'}", yscale="log")
        axes[1].set(ylabel="peak memory, MiB", xlabel=axes[0].get_xlabel())
        for axis in axes:
            axis.set_xscale("log", base=2)
            axis.grid(alpha=0.3)
            axis.legend()
    figure.suptitle(
        f"{Path(report['backbone']).name}, {report['hardware']['processor']}, {report['hardware']['device']}"
    )
    save_figure(figure, path)


def _label(case: Mapping[str, Any]) -> str:
    """What a line is of: batches of one size and precision, or pictures of one precision."""
    return f"{case['precision']}, {case['size']} px" if case["step"] == "batch" else str(case["precision"])


def _peak(case: Mapping[str, Any]) -> float:
    return float(case["peak_device"] or case["peak_rss"])
