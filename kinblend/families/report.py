"""The figures of a kinship set as one HTML page that needs nothing else, a few pictures included."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from kinblend.errors import ImageError
from kinblend.families.left import MOST
from kinblend.families.model import KinshipSet

THUMBNAIL = 96  # px
HEADLINES = (
    "extended_families",
    "nuclear_families",
    "complete_nuclear_families",
    "incomplete_nuclear_families",
    "individuals",
    "individuals_without_images",
    "individuals_in_several_nuclear_families",
    "individuals_in_no_nuclear_family",
    "images",
    "trios",
    "trios_with_images",
    "parent_child_pairs",
)
LEFT = ("people", "less_people", "images", "less_images")
SHARES = {"name": "", "images": "images", "percent": "% of all"}
MEANS = {"family_sizes": "mean_family_size", "trios_per_family": "mean_trios_per_family"}
CHARTS = ("roles", "genders", "family_sizes", "nuclear_families_per_family", "trios_per_family")
STYLE = """body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#222}
table{border-collapse:collapse}td,th{padding:.1rem .8rem .1rem 0;text-align:left;vertical-align:top}
td.n{text-align:right}figure{display:inline-block;margin:.5rem;width:7rem;font-size:.75rem;overflow-wrap:anywhere}
.bar{background:#48a;height:.8rem;min-width:1px}summary{cursor:pointer}"""


def write_report(path: str | Path, name: str, found: KinshipSet, figures: Mapping[str, Any]) -> None:
    """Write the page. figures: what `statistics` gave. name: the reader's, for the title."""
    from kinblend.files import atomic_write

    title = f"{found.root.name}: families as {name}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        _table([(_words(key), figures[key]) for key in HEADLINES]),
        "<h2>What each rule took away</h2>",
        "<p>Each nuclear family stands at the first rule that holds for it. The first five make it incomplete; the "
        "last three leave a complete one without a triple of pictures.</p>",
        _removals(figures["removed"]),
        "<h2>People and pictures that are left</h2>",
        _columns(figures["left"], {"rule": "", **{key: _words(key) for key in LEFT}}),
        *(f"<h2>{_words(key).capitalize()}</h2>{_mean(figures, key)}{_bars(figures[key])}" for key in CHARTS),
        "<h2>Trios of each extended family</h2>",
        _families(figures["trios_by_family"]),
        "<h2>Images per father, mother and child in valid trios</h2>",
        _roles(figures["images_per_role_in_trios"]),
        "<h2>Images per father, mother and child, all families</h2>",
        _roles(figures["images_per_role"]),
        "<h2>Most pictured people</h2>",
        *_figures(found, [one["name"] for one in figures["most_pictured_people"]]),
        _columns(figures["most_pictured_people"], SHARES),
        "<h2>Most pictured families</h2>",
        _columns(figures["most_pictured_families"], SHARES),
        f"<h2>Defects: {len(figures['defects'])}</h2>",
        *_defects(figures),
    ]
    head = f"<!doctype html><meta charset=utf-8><title>{escape(title)}</title><style>{STYLE}</style>"
    atomic_write(path, (head + "\n".join(parts) + "\n").encode())


def write_demographics(path: str | Path, title: str, figures: Mapping[str, Any]) -> None:
    """Write a page of bars. figures: what `demographics.summary` gave."""
    from kinblend.files import atomic_write

    numbers = [(_words(key), value) for key, value in figures.items() if isinstance(value, int)]
    charts = [(key, figures[key]) for key in ("ages", "genders", "races", "emotions") if figures[key]]
    parts = [f"<h1>{escape(title)}</h1>", _table(numbers)]
    parts += [f"<h2>{_words(key).capitalize()}</h2>{_bars(counts)}" for key, counts in charts]
    parts += [f"<h2>{name.capitalize()}</h2>{_crossed(table)}" for name, table in figures["crossed"].items()]
    head = f"<!doctype html><meta charset=utf-8><title>{escape(title)}</title><style>{STYLE}</style>"
    atomic_write(path, (head + "\n".join(parts) + "\n").encode())


def _words(key: str) -> str:
    return key.replace("_", " ")


def _table(rows: Iterable[tuple[str, Any]]) -> str:
    cells = "".join(f"<tr><td>{escape(str(key))}<td class=n>{escape(str(value))}" for key, value in rows)
    return f"<table>{cells}</table>"


def _bars(counts: Mapping[str, int]) -> str:
    highest = max(counts.values(), default=0) or 1
    widths = {key: f"{30 * count / highest:.2f}rem" for key, count in counts.items()}
    rows = (
        f"<tr><td>{escape(key)}<td class=n>{count}<td><div class=bar style='width:{widths[key]}'></div>"
        for key, count in counts.items()
    )
    return f"<table>{''.join(rows)}</table>"


def _crossed(table: Mapping[str, Mapping[str, int]]) -> str:
    """A row for each of one thing, a column for each of another, and sums."""
    kinds = sorted({kind for row in table.values() for kind in row})
    rows = [{**dict.fromkeys(kinds, 0), **row, "": name, "all": sum(row.values())} for name, row in table.items()]
    return _columns(rows, {"": "", **{kind: kind for kind in kinds}, "all": "all"})


def _mean(figures: Mapping[str, Any], chart: str) -> str:
    """A line with the mean of what a chart counts, where there is one."""
    mean = figures.get(MEANS.get(chart, ""))
    return "" if mean is None else f"<p>mean {mean}</p>"


def _families(rows: Sequence[Mapping[str, Any]]) -> str:
    """The largest ten as bars, all of them to be unfolded."""
    columns = {"name": "", "trios": "trios", "with_images": "with pictures of all three"}
    bars = _bars({str(row["name"]): row["with_images"] for row in rows[:MOST]})
    return f"{bars}<details><summary>all {len(rows)}</summary>{_columns(rows, columns)}</details>"


def _columns(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> str:
    """A table of some columns, under their titles; the first holds names, the others numbers."""
    first, *others = columns
    head = "".join(f"<th>{escape(title)}" for title in columns.values())
    lines = (
        f"<tr><td>{escape(str(row[first]))}" + "".join(f"<td class=n>{escape(str(row[key]))}" for key in others)
        for row in rows
    )
    return f"<table><tr>{head}{''.join(lines)}</table>"


def _removals(rules: Sequence[Mapping[str, Any]]) -> str:
    rows = (
        f"<tr><td>{escape(one['rule'])}<td class=n>{one['count']}<td><details><summary>which</summary>"
        f"{escape(', '.join(one['families']))}</details>"
        for one in rules
    )
    return f"<table>{''.join(rows)}</table>"


def _roles(summaries: Mapping[str, Mapping[str, float]]) -> str:
    keys = ("people", "images", "mean", "median", "least", "most")
    head = "".join(f"<th>{key}" for key in keys)
    rows = (
        f"<tr><td>{role}" + "".join(f"<td class=n>{summary.get(key, '')}" for key in keys)
        for role, summary in summaries.items()
    )
    return f"<table><tr><th>{head}{''.join(rows)}</table>"


def _defects(figures: Mapping[str, Any]) -> Iterable[str]:
    for kind, count in figures["defects_by_kind"].items():
        rows = [one for one in figures["defects"] if one["kind"] == kind]
        lines = "".join(
            f"<tr><td>{escape(one['file'])}<td>{one['line'] or ''}<td>{escape(one['reason'])}" for one in rows
        )
        yield f"<details><summary>{escape(kind)}: {count}</summary><table>{lines}</table></details>"


def _figures(found: KinshipSet, names: Sequence[str]) -> Iterable[str]:
    people = {f"{family.name}/{name}": person for family in found.families for name, person in family.people.items()}
    for name in names:
        picture = people[name].pictures[0]
        yield f"<figure>{_thumbnail(picture)}<figcaption>{escape(name)}</figcaption></figure>"


def _thumbnail(picture: Path) -> str:
    from kinblend.imaging.decode import read_image

    try:
        image = read_image(picture)
    except ImageError as error:
        return escape(str(error))
    image.thumbnail((THUMBNAIL, THUMBNAIL))
    data = io.BytesIO()
    image.save(data, "JPEG", quality=85)
    return f"<img src='data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode()}' alt=''>"
