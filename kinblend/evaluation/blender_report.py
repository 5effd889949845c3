"""What `evaluate blender` found: Markdown, CSV and a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kinblend.evaluation.blender import LEAST
from kinblend.evaluation.bootstrap import Estimate
from kinblend.face_interfaces import SimilarityScale
from kinblend.faces.attributes import ATTRIBUTES
from kinblend.files import atomic_write
from kinblend.imaging.figures import new_figure, save_figure
from kinblend.storage.tables import write_table

COLUMNS = {"kind": str, "name": str, "figure": str, "mean": float, "low": float, "high": float, "families": int}
NO_DOMINANCE = "no dominance seen"
SHOWN = {
    "auc": "AUC",
    "less_baseline": "less the baseline",
    "less_mean": "less mean of embeddings",
    "rank": "rank",
    "own": "cosine to the child",
    "others": "to others",
    "father": "to the father",
    "mother": "to the mother",
    "diversity": "diversity",
    "detection": "detected",
}


def write_evaluation(folder: Path, report: Mapping[str, Any]) -> list[Path]:
    """Write `evaluation.md`, `.csv` and `.png` of what `evaluation.blender.evaluate` gave."""
    rows = list(_rows(report))
    write_table(folder / "evaluation.csv", COLUMNS, rows)
    atomic_write(folder / "evaluation.md", _markdown(report).encode())
    picture = _picture(report, folder / "evaluation.png")
    return [folder / "evaluation.md", folder / "evaluation.csv", picture]


def report_notes(report: Mapping[str, Any]) -> Iterator[str]:
    """How to read the figures: what cosines mean, and whether there are families enough for an interval."""
    if scale := report.get("similarity_scale"):
        yield f"Cosines of {report['identity']} are, as a rule: {SimilarityScale(**scale)}."
    if report["families"] < LEAST:
        yield f"These are {report['families']} families: too few for an interval to mean anything."


def auc_rows(report: Mapping[str, Any]) -> list[list[str]]:
    """Name, AUC and difference to the baseline, for the terminal."""
    return [
        [name, *(_text(line["figures"].get(key)) for key in ("auc", "less_baseline"))]
        for _, name, line in _lines(report)
    ]


def _lines(report: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for kind in ("strategies", "references"):
        for name, line in report[kind].items():
            yield kind, name, line


def _rows(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for kind, name, line in _lines(report):
        found = {**line["figures"], **{f"auc, {group}": value for group, value in line["groups"].items()}}
        for figure, estimate in found.items():
            yield {"kind": kind, "name": name, "figure": figure, **estimate}
    for kind, name, errors in _errors(report):
        for attribute, estimate in errors.items():
            yield {"kind": kind, "name": name, "figure": f"squared error, {attribute}", **estimate}
    for attribute, found in report["dominance"].items():
        for name in ("share", "null"):
            yield {"kind": "dominance", "name": attribute, "figure": name, **found[name]}


def _errors(report: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Kind, name, and error by attribute, of whatever was measured."""
    for name, line in report["strategies"].items():
        yield "strategies", name, line["attributes"]
    for name, errors in report["attributes"].items():
        yield "references", name, errors


def _markdown(report: Mapping[str, Any]) -> str:
    notes = "".join(f" {line}" for line in report_notes(report))
    head = (
        f"# Predicted and true children\n\n{report['trios']} trios of {report['families']} families; embeddings of "
        f"{report['identity']}. AUC: the chance that a prediction is more like the true child than like another "
        f"family's child of the same sex. In brackets 95 % intervals over families.{notes}\n"
    )
    parts = [head]
    for kind, title in (("strategies", "Strategies"), ("references", "References, which render nothing")):
        lines = report[kind]
        shown = {key: word for key, word in SHOWN.items() if any(key in line["figures"] for line in lines.values())}
        cells = [[name, *(_text(line["figures"].get(key)) for key in shown)] for name, line in lines.items()]
        parts += [f"## {title}\n", _table(["", *shown.values()], cells)]
    groups = sorted({group for _, _, line in _lines(report) for group in line["groups"]})
    cells = [[name, *(_text(line["groups"].get(group)) for group in groups)] for _, name, line in _lines(report)]
    parts += ["## AUC by group\n", _table(["", *groups], cells)]
    if small := report["small_groups"]:
        listed = ", ".join(f"{name} ({count})" for name, count in small.items())
        parts.append(f"Left out, of fewer than {LEAST} families: {listed}.\n")
    return "\n".join([*parts, *_attributes(report), *_dominance(report)])


def _attributes(report: Mapping[str, Any]) -> list[str]:
    cells = [[name, *(_text(errors.get(group)) for group in ATTRIBUTES)] for _, name, errors in _errors(report)]
    note = (
        "Mean squared difference to the true child, in variances of true children, measured in rendered pictures. "
        "The mean child has about 1, and an unrelated child of the same sex, the null, about 2.\n"
    )
    return ["## Attributes\n", note, _table(["", *ATTRIBUTES], cells)]


def _dominance(report: Mapping[str, Any]) -> list[str]:
    """An attribute's line has the figure only where it is more than the null shows."""
    cells = [
        [name, _text(found["share"]) if found["seen"] else NO_DOMINANCE, _text(found["null"])]
        for name, found in report["dominance"].items()
    ]
    note = (
        "Where children lie between their parents: 1 is the parent with the higher value, −1 the one with the lower, "
        f"0 the middle. The null has children shuffled among families. Of {len(cells)} attributes one in twenty "
        "seems dominant by chance.\n"
    )
    return ["## Dominance\n", note, _table(["", "towards the higher value", "null"], cells)] if cells else []


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _text(estimate: Mapping[str, Any] | None) -> str:
    return "" if estimate is None else str(Estimate(**estimate))


def _picture(report: Mapping[str, Any], path: Path) -> Path:
    lines = [(kind, name, line["figures"]["auc"]) for kind, name, line in _lines(report) if "auc" in line["figures"]][
        ::-1
    ]
    figure = new_figure(7, 0.6 + 0.28 * len(lines))
    axes = figure.subplots()
    for place, (kind, _, auc) in enumerate(lines):
        spread = [[auc["mean"] - auc["low"]], [auc["high"] - auc["mean"]]]
        colour = "C0" if kind == "strategies" else "grey"
        axes.errorbar(auc["mean"], place, xerr=spread, fmt="o", color=colour, capsize=3)
    axes.set_yticks(range(len(lines)), [name for _, name, _ in lines])
    axes.axvline(0.5, color="lightgrey", linestyle=":")
    axes.set_xlabel("AUC of the true child, 95 % interval over families")
    return save_figure(figure, path)
