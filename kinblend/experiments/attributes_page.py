"""The experiment as one HTML page that needs nothing else, pictures included."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from kinblend.evaluation.bootstrap import Estimate

HEAD = ("children", "told of the true child", "error", "less the base", "error, heritable")
FIGURES = {
    "steps.png": "The steps, on one couple",
    "moves.png": "One child, each attribute moved by −2 to 2 standard deviations",
    "couples.png": "Couples, their predicted children, and the true ones",
    "models.png": "How well attributes are read from codes",
    "errors.png": "How near children come to the true child's attributes",
}
SEEN = ("face size", "sharpness", "spread", "told apart")
FEW = 20  # families, under which a page says so
STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse;font-size:.85rem}td,th{padding:.1rem .8rem .1rem 0;text-align:left;vertical-align:top}
img{max-width:100%}h2{margin-top:2.5rem}"""
MODEL_HEAD = ("attribute", "figure", "faces held out", "baseline", "people", "correlation", "number of people")


def page(report: Mapping[str, Any], figures: Mapping[str, Path]) -> str:
    """The page. figures: the pictures of `FIGURES`, as files."""
    title = "Attributes read from codes, and moved"
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>{title}</title><style>{STYLE}</style><h1>{title}</h1>",
        *_about(report),
        *_section("steps.png", figures, _STEPS),
        *_section("moves.png", figures, _MOVES),
        *_section("couples.png", figures, _COUPLES),
        *_section("models.png", figures, _MODELS),
        _table(MODEL_HEAD, (_model_cells(test) for test in report["models"]["tests"])),
        *_section("errors.png", figures, _ERRORS),
        _table(HEAD, (error_cells(row) for row in report["errors"])),
        *_strengths(report),
        *_observations(report),
    ]
    return "\n".join(parts) + "\n"


_STEPS = (
    "Faces are cut out and turned upright, encoded, blended and edited. Predicted children are codes alone: hair and "
    "surroundings that a backbone copies from a photograph are left out."
)
_MOVES = "A child, moved along directions of feature models. What changes beside the attribute moves along."
_COUPLES = (
    "The edited child was brought near the true one's attributes by looking at it: it is no prediction. Children "
    "with “age and sex” were told these two of the true child and nothing else."
)
_MODELS = (
    "A feature model reads an attribute from a code. R² is of numbers: 1 is perfect, 0 is as good as always saying "
    "the mean. Accuracy is of classes; its baseline always says the most frequent one. No face was fitted that is "
    "tested."
)
_ERRORS = (
    "Mean squared difference to the true child, in variances of the faces that models were fitted to, with 95 % "
    "intervals over families. “Error” is over the attributes that strengths were sought for, “heritable” over those "
    "of the face's shape and of the colours of eyes, skin and hair. Strengths that were sought know the true child; "
    "those of the others are the mean over other families, which is a prediction."
)


def error_cells(row: Mapping[str, Any]) -> list[str]:
    """The cells of `HEAD`."""
    return [
        row["name"],
        row["told"] or ("" if row["reference"] else "nothing"),
        text(row["chosen"]),
        text(row["chosen_less_base"]),
        text(row["heritable"]),
    ]


def text(estimate: Mapping[str, Any] | None) -> str:
    """A mean and its interval; "" for none."""
    return "" if estimate is None else str(Estimate(**estimate))


def _about(report: Mapping[str, Any]) -> Iterator[str]:
    models, families = report["models"], len(report["families"])
    fitted = "faces that the generator drew" if models["fitted_to"] == "samples" else "people of other families"
    yield (
        f"<p>Backbone {escape(report['backbone'])}; {families} couples, seen in {report['pictures']}; analysers "
        f"{escape(', '.join(report['analysers']))}. Models were fitted to {models['fitted']} {fitted}, and tested on "
        f"{models['held_out']} held out and on {models['people']} people."
    )
    if families < FEW:
        yield f"<p>These are {families} families: too few for an interval to mean much."
    if report["rejected"]:
        lines = "".join(f"<li>{escape(reason)}" for reason in report["rejected"])
        yield f"<details><summary>{len(report['rejected'])} pictures were no use</summary><ul>{lines}</ul></details>"
    if report["pictures"] == "photographs":
        yield "<p><strong>This page shows photographs of people: treat it as you treat these.</strong>"


def _section(name: str, figures: Mapping[str, Path], note: str) -> Iterator[str]:
    data = base64.b64encode(figures[name].read_bytes()).decode()
    yield f"<h2>{FIGURES[name]}</h2><p>{note}</p><img src='data:image/png;base64,{data}' alt='{FIGURES[name]}'>"


def _model_cells(test: Mapping[str, Any]) -> list[str]:
    own, people = test["held_out"], test["people"]
    one = own or people or {}
    related = next((part["correlation"] for part in (people, own) if part and part["correlation"] is not None), None)
    return [
        test["name"],
        one.get("kind", "not tested"),
        _score(own),
        f"{one['baseline']:.2f}" if one else "",
        _score(people),
        "" if related is None else f"{related:.2f}",
        str(people["faces"]) if people else "",
    ]


def _score(one: Mapping[str, Any] | None) -> str:
    return "" if one is None else f"{one['value']:.2f} [{one['low']:.2f}, {one['high']:.2f}]"


def _strengths(report: Mapping[str, Any]) -> Iterator[str]:
    yield "<h2>Strengths, and the error of each family before and after</h2>"
    for kind, searches in report["searches"].items():
        yield f"<h3>Directions along {'weights' if kind == 'weights' else 'patterns'}</h3>"
        head = ("family", "age", "sex", *report["chosen"], "before", "after")
        rows = zip(report["families"], report["couples"], searches, strict=True)
        yield _table(head, (_strength_cells(*row, report["chosen"]) for row in rows))


def _strength_cells(family: str, who: Mapping[str, Any], one: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    age = "" if who["age"] is None else f"{who['age']:.0f}"
    strengths = [f"{one['strengths'][name]:+.1f}" for name in names]
    return [family, age, who["sex"], *strengths, f"{one['before']:.2f}", f"{one['after']:.2f}"]


def _observations(report: Mapping[str, Any]) -> Iterator[str]:
    yield (
        "<h2>Seen without models</h2><p>Face size: the root of the area round eyes, nose and mouth over the head's "
        "width. Sharpness: 1 less the blur metric of Crete et al. 2007. Spread: 1 less the mean cosine to the other "
        "couples' pictures of the same kind, by the identity network in use; the less, the more alike all are. Told "
        "apart: how many of the other couples' true children are less like it than their own; 0.5 by chance."
    )
    head = ("pictures", *SEEN)
    yield _table(head, ([row["name"], *(text(row.get(key)) for key in head[1:])] for row in report["observations"]))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    first = "".join(f"<th>{escape(name)}" for name in head)
    lines = "".join("<tr>" + "".join(f"<td>{escape(cell)}" for cell in row) for row in rows)
    return f"<table><tr>{first}{lines}</table>"
