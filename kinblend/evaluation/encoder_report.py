"""What `evaluate encoders` found: tables and a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.evaluation.bootstrap import Estimate, over_families
from kinblend.evaluation.encoders import Outcome, People
from kinblend.files import atomic_write
from kinblend.imaging.encode import png_bytes
from kinblend.imaging.sheet import sheet
from kinblend.storage.tables import write_table

if TYPE_CHECKING:
    from torch import Tensor

SHOWN, SIDE = 8, 224  # people in the picture, and px of each of theirs
WHO: dict[str, type[str] | type[int] | type[float]] = {"backbone": str, "encoder": str, "options": str}
MEMORY = "peak memory, MiB"


def estimates(outcome: Outcome) -> dict[str, Estimate | None]:
    """The mean of each figure over people; None where it could not be told of anybody."""
    return {figure: over_families(values, _numbered(values)) for figure, values in outcome.values.items()}


def report_of(outcomes: Sequence[Outcome], people: People, memory: Sequence[int | None]) -> dict[str, Any]:
    """All figures, for JSON. memory: bytes of each encoder."""
    return {
        "people": len(people.faces),
        "identity_networks": [judge.name for judge in people.judges],
        "encoders": [
            {
                "backbone": one.candidate.backbone,
                "encoder": one.candidate.encoder,
                "label": one.candidate.label,
                "options": dict(one.candidate.options),
                "peak_memory_bytes": most,
                "figures": {
                    figure: found and {"mean": found.mean, "low": found.low, "high": found.high}
                    for figure, found in estimates(one).items()
                },
            }
            for one, most in zip(outcomes, memory, strict=True)
        ],
    }


def figure_rows(outcomes: Sequence[Outcome], memory: Sequence[int | None]) -> list[list[str]]:
    """A row for each figure and a cell for each encoder, for the terminal."""
    columns = [estimates(one) for one in outcomes]
    figures = dict.fromkeys(figure for column in columns for figure in column)
    rows = [[figure, *(_text(column.get(figure)) for column in columns)] for figure in figures]
    return [*rows, [MEMORY, *("" if most is None else f"{most / 2**20:.0f}" for most in memory)]]


def head_of(outcomes: Sequence[Outcome]) -> list[str]:
    """The heading of `figure_rows`."""
    return ["mean over people, 95 % interval", *(one.candidate.title for one in outcomes)]


def write_encoders(
    folder: Path, outcomes: Sequence[Outcome], people: People, memory: Sequence[int | None]
) -> list[Path]:
    """Write `encoders.csv`, `people.csv` with every person's figures, and `encoders.png`; returns the paths."""
    paths = [folder / name for name in ("encoders.csv", "people.csv", "encoders.png")]
    columns = WHO | {"figure": str, "mean": float, "low": float, "high": float, "people": int}
    write_table(paths[0], columns, list(_summary(outcomes, memory)))
    write_table(paths[1], WHO | {"person": str, "figure": str, "value": float}, list(_each(outcomes, people)))
    atomic_write(paths[2], png_bytes(picture_of(outcomes, people)))
    return paths


def picture_of(outcomes: Sequence[Outcome], people: People) -> Any:
    """A row for each of up to eight people: the photograph, and what each encoder makes of it."""
    judge = people.judges[0].name
    pictures, captions = [], []
    for row, face in enumerate(people.faces[:SHOWN]):
        pictures += [face, *(one.pictures[row] for one in outcomes)]
        captions.append("photograph")
        captions += [f"{one.candidate.title}, {one.values[f'identity, {judge}'][row]:.2f}" for one in outcomes]
    return sheet(pictures, columns=1 + len(outcomes), side=SIDE, captions=captions)


def _summary(outcomes: Sequence[Outcome], memory: Sequence[int | None]) -> Iterator[dict[str, Any]]:
    for one, most in zip(outcomes, memory, strict=True):
        for figure, found in estimates(one).items():
            if found is not None:
                numbers = {"mean": found.mean, "low": found.low, "high": found.high, "people": found.families}
                yield _who(one) | {"figure": figure} | numbers
        if most is not None:
            yield _who(one) | {"figure": MEMORY, "mean": most / 2**20, "low": None, "high": None, "people": 1}


def _each(outcomes: Sequence[Outcome], people: People) -> Iterator[dict[str, Any]]:
    for one in outcomes:
        for figure, values in one.values.items():
            for name, value in zip(people.names, values.tolist(), strict=True):
                known = value == value  # NaN is an empty cell
                yield _who(one) | {"person": name, "figure": figure, "value": value if known else None}


def _who(one: Outcome) -> dict[str, Any]:
    candidate = one.candidate
    options = ",".join(f"{name}={value}" for name, value in candidate.options.items())
    return {"backbone": candidate.backbone, "encoder": candidate.label or candidate.encoder, "options": options}


def _numbered(values: Tensor) -> list[str]:
    """Each person by a number: one family each, for the interval."""
    return [str(number) for number in range(len(values))]


def _text(estimate: Estimate | None) -> str:
    return "" if estimate is None else str(estimate)
