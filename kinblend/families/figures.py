"""Figures of a kinship set, as PNG and SVG: sizes, trios, pictures, demographics, poses. They need matplotlib."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from kinblend.families.left import MOST
from kinblend.imaging.figures import KINDS, check_figure, new_figure, save_figure

BLUE, ORANGE = "#4488aa", "#dd7733"
NAME = 28  # letters of a name beside a bar
BINS = 30

Drawn = Iterator[tuple[str, Any]]  # name and matplotlib figure


def check_figures(folder: Path) -> None:
    """Raise `UsageError` where no figure could be drawn."""
    check_figure(folder / f"figure{KINDS[0]}")


def write_figures(folder: Path, drawn: Drawn) -> list[Path]:
    """Each figure as NAME.png and NAME.svg in a folder. Raises `UsageError` without matplotlib."""
    return [save_figure(figure, folder / f"{name}{kind}") for name, figure in drawn for kind in KINDS]


def set_figures(figures: Mapping[str, Any]) -> Drawn:
    """figures: what `stats.statistics` gave."""
    yield "family-sizes", _counts(figures["family_sizes"], "people", "extended families", figures["mean_family_size"])
    yield (
        "trios-per-family",
        _counts(figures["trios_per_family"], "trios", "extended families", figures["mean_trios_per_family"]),
    )
    largest = [row for row in figures["trios_by_family"] if row["with_images"]][:MOST]
    if largest:
        yield "largest-families", _named(largest, "with_images", "trios with pictures of all three")
    roles = {role: each["mean"] for role, each in figures["images_per_role_in_trios"].items() if "mean" in each}
    if roles:
        yield "images-per-role", _columns(roles, "mean pictures, in valid trios")
    for what in ("people", "families"):
        if rows := figures[f"most_pictured_{what}"]:
            yield f"most-pictured-{what}", _named(rows, "images", "pictures, and share of all")
    yield "left", _left(figures["left"])


def demographic_figures(figures: Mapping[str, Any]) -> Drawn:
    """figures: what `demographics.summary` gave."""
    for name in ("ages", "genders", "races", "emotions"):
        if figures[name]:
            yield name, _columns(figures[name], "pictures")
    for name, table in figures["crossed"].items():
        yield name.replace(" ", "-"), _stacked(table, *name.split(" by "))


def pose_figures(angles: Mapping[str, Sequence[float]]) -> Drawn:
    """angles: what `poses.read_angles` gave, degrees by column."""
    for name in ("yaw", "pitch", "roll"):
        yield name, _angles(name, angles[name], angles[f"flat_{name}"])


def _counts(histogram: Mapping[str, int], across: str, up: str, mean: float | None) -> Any:
    figure = new_figure(6, 3.2)
    axes = figure.subplots()
    axes.bar([int(value) for value in histogram], list(histogram.values()), color=BLUE)
    if mean is not None:
        axes.axvline(mean, color=ORANGE, linestyle="--", label=f"mean {mean:g}")
        axes.legend()
    axes.set(xlabel=across, ylabel=up)
    for axis in (axes.xaxis, axes.yaxis):
        axis.get_major_locator().set_params(integer=True)
    return figure


def _named(rows: Sequence[Mapping[str, Any]], key: str, across: str) -> Any:
    """Bars beside names, the largest on top, each with its number and, where it has one, its share."""
    figure = new_figure(7, 0.8 + 0.32 * len(rows))
    axes = figure.subplots()
    bars = axes.barh([_short(row["name"]) for row in rows], [row[key] for row in rows], color=BLUE)
    texts = [f"{row[key]}" + (f" ({row['percent']} %)" if "percent" in row else "") for row in rows]
    axes.bar_label(bars, texts, padding=3)
    axes.set(xlabel=across)
    _leave_room(axes, [row[key] for row in rows])
    axes.invert_yaxis()
    return figure


def _leave_room(axes: Any, values: Sequence[float]) -> None:
    """Right of lying bars, for their labels; ticks at whole numbers."""
    axes.set_xlim(0, 1.3 * max(1, *values))
    axes.xaxis.get_major_locator().set_params(integer=True)


def _columns(values: Mapping[str, float], up: str) -> Any:
    figure = new_figure(max(4, 0.8 * len(values)), 3.2)
    axes = figure.subplots()
    axes.bar_label(axes.bar(list(map(_short, values)), list(values.values()), color=BLUE), padding=2)
    axes.set(ylabel=up)
    axes.margins(y=0.12)
    axes.yaxis.get_major_locator().set_params(integer=all(value == int(value) for value in values.values()))
    return figure


def _left(rows: Sequence[Mapping[str, Any]]) -> Any:
    figure = new_figure(9, 3)
    left, right = figure.subplots(1, 2, sharey=True)
    rules = [row["rule"].replace(" is left out", "\nis left out") for row in rows]
    for axes, key in ((left, "people"), (right, "images")):
        axes.bar_label(axes.barh(rules, [row[key] for row in rows], color=BLUE), padding=3)
        axes.set(xlabel=f"{key} left")
        _leave_room(axes, [row[key] for row in rows])
    left.invert_yaxis()
    return figure


def _stacked(table: Mapping[str, Mapping[str, int]], across: str, within: str) -> Any:
    """Bars of one thing, each of them divided by another."""
    figure = new_figure(max(5, 0.8 * len(table) + 2), 3.2)
    axes = figure.subplots()
    bottom = [0] * len(table)
    for kind in sorted({kind for row in table.values() for kind in row}):
        heights = [row.get(kind, 0) for row in table.values()]
        axes.bar(list(map(_short, table)), heights, bottom=bottom, label=kind)
        bottom = [low + height for low, height in zip(bottom, heights, strict=True)]
    axes.set(xlabel=across, ylabel="pictures")
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.legend(title=within, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _angles(name: str, ours: Sequence[float], flat: Sequence[float]) -> Any:
    """Histograms of both estimates, with boxes of their quartiles below."""
    figure = new_figure(6, 4)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    reach = max(15, *map(abs, (*ours, *flat)))
    edges = [reach * (2 * place / BINS - 1) for place in range(BINS + 1)]
    for values, colour, label in ((ours, BLUE, "model of the head"), (flat, ORANGE, "flat estimate")):
        above.hist(values, edges, histtype="step", color=colour, linewidth=1.5, label=label)
    above.set(ylabel="pictures")
    above.legend()
    below.boxplot([list(flat), list(ours)], orientation="horizontal", widths=0.6)
    below.set(xlabel=f"{name}, degrees", yticklabels=["flat", "model"])
    return figure


def _short(name: object) -> str:
    text = str(name)
    return text if len(text) <= NAME else f"{text[: NAME - 1]}…"
