"""What a study found, for the terminal, as a table and as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kinblend.errors import UsageError
from kinblend.evaluation.bootstrap import CrossedEstimate, Estimate
from kinblend.imaging.figures import new_figure, save_figure
from kinblend.storage.tables import write_table
from kinblend.study.design import HIGHEST

HEAD = ("strategy", "right", "less {baseline}", "rating", "less {baseline}", "less unrelated")
COLUMNS = {
    "judge": str,
    "strategy": str,
    "figure": str,
    "mean": float,
    "low": float,
    "high": float,
    "answers": int,
    "participants": int,
    "couples": int,
}


def table(report: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Head and rows: people's figures, then a row for each network and strategy."""
    head = [word.format(baseline=report["baseline"]) for word in HEAD]
    networks = report.get("networks", {})
    head += [f"{name}: {word}" for name in networks for word in ("right", "AUC")]
    rows = []
    for name in dict.fromkeys([*report["right"], *report["rating"]]):
        right, rating = report["right"].get(name, {}), report["rating"].get(name, {})
        cells = [right.get("mean"), right.get("less_baseline"), rating.get("mean")]
        cells += [rating.get("less_baseline"), rating.get("less_unrelated")]
        texts = [_text(cell) for cell in cells]
        for found in networks.values():
            texts += [_text(found.get(name, {}).get(key)) for key in ("right", "auc")]
        rows.append([name, *texts])
    return head, rows


def write_results(folder: Path, report: Mapping[str, Any]) -> list[Path]:
    """Write `study.csv` and, where matplotlib is installed, `study.png`."""
    path = folder / "study.csv"
    write_table(path, COLUMNS, list(_lines(report)))
    try:
        new_figure(1, 1)
    except UsageError:
        return [path]
    return [path, _picture(report, folder / "study.png")]


def _lines(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for task in ("right", "rating"):
        for strategy, figures in report[task].items():
            for key, estimate in figures.items():
                if estimate is not None:
                    name = task if key == "mean" else f"{task}, {key.replace('_', ' ')}"
                    yield {"judge": "people", "strategy": strategy, "figure": name, **estimate}
    for judge, strategies in report.get("networks", {}).items():
        for strategy, figures in strategies.items():
            for name, estimate in figures.items():
                if estimate is not None:
                    shown = {key: estimate[key] for key in ("mean", "low", "high")}
                    line = {"judge": judge, "strategy": strategy, "figure": name, "couples": estimate["families"]}
                    yield dict.fromkeys(COLUMNS) | line | shown


def _text(estimate: Mapping[str, Any] | None) -> str:
    if estimate is None:
        return ""
    return str(CrossedEstimate(**estimate) if "answers" in estimate else Estimate(**estimate))


def _picture(report: Mapping[str, Any], path: Path) -> Path:
    """Two panels: the share of right choices beside chance, and ratings."""
    names = list(dict.fromkeys([*report["right"], *report["rating"]]))[::-1]
    figure = new_figure(9, 1.2 + 0.35 * len(names))
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, task, colour in ((left, "right", "C0"), (right, "rating", "C1")):
        for place, name in enumerate(names):
            estimate = report[task].get(name, {}).get("mean")
            if estimate is not None:
                mean = estimate["mean"]
                low, high = (mean if estimate[end] is None else estimate[end] for end in ("low", "high"))
                axes.errorbar(mean, place, xerr=[[mean - low], [high - mean]], fmt="o", color=colour, capsize=3)
    for number, (judge, found) in enumerate(report.get("networks", {}).items()):
        marked = [(names.index(name), one["right"]["mean"]) for name, one in found.items() if one["right"]]
        places, shares = [place - 0.15 for place, _ in marked], [share for _, share in marked]
        left.plot(shares, places, "x", color=f"C{number + 2}", label=judge)
    if report.get("networks"):
        left.legend(loc="best", fontsize="small")
    left.set_yticks(range(len(names)), names)
    left.axvline(report["chance"], color="grey", linestyle=":")
    left.set_xlim(0, 1)
    left.set_xlabel("share of right choices; dotted: chance")
    right.set_xlim(0, HIGHEST)
    right.set_xlabel("mean rating; 95 % intervals")
    return save_figure(figure, path)
