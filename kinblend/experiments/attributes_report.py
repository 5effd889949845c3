"""What the experiment found: tables, JSON, pictures, directions, and one page that holds everything."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.experiments.attributes import MOVES, Findings
from kinblend.experiments.attributes_page import FIGURES, SEEN, page
from kinblend.experiments.directions import file_names
from kinblend.files import atomic_write
from kinblend.imaging.encode import png_bytes
from kinblend.imaging.figures import new_figure, save_figure
from kinblend.imaging.sheet import sheet
from kinblend.storage.tables import write_table

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 192  # px of a face in a picture
MOST_COUPLES = 12  # in a picture
NUMBER = {"value": float, "low": float, "high": float, "baseline": float, "correlation": float, "faces": int}
ESTIMATE = {"mean": float, "low": float, "high": float, "families": int}


def check_report(folder: Path) -> None:
    """Raise `UsageError` where no picture of figures can be drawn: asked before work that takes long."""
    new_figure(1, 1)


def write_findings(folder: Path, found: Findings) -> list[Path]:
    """Write everything into the folder; returns the paths, the page first."""
    report = found.report
    written = [folder / "report.html", folder / "report.json"]
    atomic_write(written[1], (json.dumps(report, indent=2, sort_keys=True) + "\n").encode())
    for name, columns, rows in _tables(report):
        write_table(folder / name, columns, rows)
        written.append(folder / name)
    pictures = {"steps.png": steps(found), "moves.png": moves(found), "couples.png": couples(found)}
    for name, picture in pictures.items():
        real = found.couples.material.photographs and name != "moves.png"
        atomic_write(folder / name, png_bytes(picture, synthetic=not real))
        written.append(folder / name)
    written += [_models_chart(report, folder / "models.png"), _errors_chart(report, folder / "errors.png")]
    written += list(_directions(folder, found))
    atomic_write(written[0], page(report, {name: folder / name for name in FIGURES}).encode())
    return written


def steps(found: Findings) -> Image:
    """Photographs → codes → blend → edited → true child, of one couple."""
    base = found.report["plan"]["base"]
    groups, people = found.groups, found.couples
    shown = {
        "father": people.father,
        "mother": people.mother,
        "father's code": groups["father's own code"],
        "mother's code": groups["mother's own code"],
        base: groups[base],
        "edited": groups[found.sought],
        "true child": people.child,
        "true child's code": groups["child's own code"],
    }
    return sheet(
        [group.pictures[found.shown] for group in shown.values()], columns=4, side=SIDE, captions=list(shown)
    )


def moves(found: Findings) -> Image:
    """A row for each attribute."""
    pictures = [picture for row in found.moves.values() for picture in row]
    captions = [f"{name} {strength:+g} sd" if strength else "unchanged" for name in found.moves for strength in MOVES]
    return sheet(pictures, columns=len(MOVES), side=SIDE, captions=captions)


def couples(found: Findings) -> Image:
    """A row for each couple: parents, blend, edited, what is predicted now, true child."""
    base, groups, people = found.report["plan"]["base"], found.groups, found.couples
    now = [name for name in groups if name.endswith(", age and sex") and not name.startswith(f"{base},")]
    names = [base, found.sought, *now]
    columns = {
        "father": people.father,
        "mother": people.mother,
        **{n: groups[n] for n in names},
        "true child": people.child,
    }
    count = min(len(people.rows), MOST_COUPLES)
    pictures = [group.pictures[row] for row in range(count) for group in columns.values()]
    return sheet(pictures, columns=len(columns), side=SIDE, captions=list(columns) * count)


def _tables(report: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any], list[dict[str, Any]]]]:
    tests = [
        {"attribute": test["name"], "faces_of": part, **one}
        for test in report["models"]["tests"]
        for part in ("held_out", "people")
        if (one := test[part]) is not None
    ]
    yield "models.csv", {"attribute": str, "faces_of": str, "kind": str, **NUMBER}, tests
    errors = [
        {"children": row["name"], "told": row["told"], "figure": figure, **row[figure]}
        for row in report["errors"]
        for part in ("chosen", "heritable", "all")
        for figure in (part, f"{part}_less_base")
        if row[figure] is not None
    ]
    yield "errors.csv", {"children": str, "told": str, "figure": str, **ESTIMATE}, errors
    names = report["chosen"]
    strengths = [
        {
            "family": family,
            "along": kind,
            **{key: one[key] for key in ("before", "after", "looks")},
            **one["strengths"],
        }
        for kind, searches in report["searches"].items()
        for family, one in zip(report["families"], searches, strict=True)
    ]
    columns = {
        "family": str,
        "along": str,
        "before": float,
        "after": float,
        "looks": int,
        **dict.fromkeys(names, float),
    }
    yield "strengths.csv", columns, strengths
    seen = [
        {"pictures": row["name"], "figure": figure, **row[figure]}
        for row in report["observations"]
        for figure in SEEN
        if row.get(figure) is not None
    ]
    yield "observations.csv", {"pictures": str, "figure": str, **ESTIMATE}, seen


def _directions(folder: Path, found: Findings) -> Iterator[Path]:
    """Files that editors of directions take: for each attribute the change by one standard deviation, [L, D]."""
    from safetensors.torch import save

    for kind, directions in found.directions.items():
        slugs = file_names(directions.names)
        steps = dict(zip(slugs.values(), directions.steps.float().contiguous(), strict=True))
        path = folder / f"directions-{kind}.safetensors"
        atomic_write(path, save({slug: step.clone() for slug, step in steps.items()}))
        yield path


def _models_chart(report: Mapping[str, Any], path: Path) -> Path:
    tests = [test for test in report["models"]["tests"] if test["held_out"] or test["people"]][::-1]
    figure = new_figure(7, 0.8 + 0.22 * len(tests))
    axes = figure.subplots()
    for part, mark in (("held_out", "o"), ("people", "x")):
        known = [(place, test[part]) for place, test in enumerate(tests) if test[part]]
        values = [max(one["value"], -1.0) for _, one in known]
        label = "held out" if part == "held_out" else "people in " + report["pictures"]
        if known:
            axes.plot(values, [place for place, _ in known], mark, label=label)
    axes.set_yticks(range(len(tests)), [test["name"] for test in tests], fontsize=7)
    axes.axvline(0, color="lightgrey", linestyle=":")
    axes.set_xlim(-1.05, 1.05)
    axes.set_xlabel("R² of numbers (−1 and less at the left edge), accuracy of classes")
    axes.legend(fontsize=7)
    return save_figure(figure, path)


def _errors_chart(report: Mapping[str, Any], path: Path) -> Path:
    rows = [row for row in report["errors"] if row["chosen"]][::-1]
    figure = new_figure(8, 0.8 + 0.25 * len(rows))
    axes = figure.subplots()
    for place, row in enumerate(rows):
        one = row["chosen"]
        colour = "grey" if row["reference"] else {"": "C0", "age and sex": "C2"}.get(row["told"], "C1")
        around = [[one["mean"] - one["low"]], [one["high"] - one["mean"]]]
        axes.errorbar(one["mean"], place, xerr=around, fmt="o", color=colour, capsize=3)
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows], fontsize=8)
    axes.set_xlim(left=0)
    axes.set_xlabel(
        "error of attributes, in variances (orange: saw the true child; green: told age and sex)", fontsize=8
    )
    return save_figure(figure, path)
