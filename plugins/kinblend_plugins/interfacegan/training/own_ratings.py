"""Ratings and labels of one's own: which pictures a table is about, and what its columns say.

A column whose values are numbers is a rating; one of two different values, numbers or words, is a label.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kinblend.datasets import Table, parse_number, read_table
from kinblend.errors import InputError
from kinblend.imaging import read_image
from kinblend.packs import open_archive
from kinblend_plugins.interfacegan.training.rated_attributes import AttributeSpec, RatedFaces

if TYPE_CHECKING:
    from PIL.Image import Image

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff")
NAME = re.compile(r"[^.=,:/\\]+")  # of an attribute, as `--edit NAME=2` and a file of directions take it
OLDEST = 120.0  # years; a column "age" with no more is of years
EXAMPLES = 6  # columns or names that messages list

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Column:
    """A column as an attribute. values: of each row, None where the cell is empty. meaning: what it is."""

    name: str
    values: Sequence[float | None]
    meaning: AttributeSpec


class Unusable(Exception):
    """Why a column is no attribute."""


@contextmanager
def open_pictures(path: Path) -> Iterator[Callable[[str], Image]]:
    """A function from a picture's name to the picture, of a folder or a zip."""
    if path.is_dir():
        yield lambda name: read_image(path / name)
        return
    with open_archive(path) as archive:
        yield archive.picture


def picture_names(path: Path) -> list[str]:
    """The names of the pictures in a folder, with those below it, or a zip. Raises `InputError` where there are
    none."""
    if path.is_dir():
        names = [str(PurePosixPath(file.relative_to(path))) for file in path.rglob("*") if file.is_file()]
    else:
        with open_archive(path) as archive:
            names = list(archive.names())
    found = sorted(name for name in names if name.lower().endswith(ENDINGS))
    if not found:
        raise InputError(f"{path} has no pictures ({', '.join(ENDINGS)})")
    return found


def read_own(
    pictures: Path, ratings: Path, columns: Sequence[str], file_column: str | None, tell: Tell
) -> RatedFaces:
    """The pictures of a folder or zip that a table names, with the attributes in its columns.

    columns: those that are wanted; none: all that are ratings or labels, and filled in for half of the pictures.
    file_column: the one with the pictures' names, or with what the `index.csv` of a zip calls them; None: the one
    whose cells name most of them. tell: told which columns and rows are left out, and why.
    Raises `InputError`.
    """
    table, known = read_table(ratings), _by_index(pictures) | _by_name(picture_names(pictures))
    place = file_column or _file_column(table, known, pictures, ratings)
    if place not in table.columns:
        raise InputError(f"{ratings} has {table.describe()}; there is no column {place!r}")
    rows = [(known.get(str(row.get(place) or "").strip()), row) for _, row in table.rows]
    named = [(file, row) for file, row in rows if file]
    if len(named) < len(rows):
        tell(f"{len(rows) - len(named)} of {len(rows)} rows name no picture in {pictures}")
    files = [file for file, _ in named]
    if twice := next((file for file in files if files.count(file) > 1), ""):
        raise InputError(f"{ratings} has several rows for {twice}; give each picture one row, with mean ratings")
    used = _chosen(
        [row for _, row in named], [name for name in table.columns if name != place], columns, tell, ratings
    )
    whole = [at for at in range(len(files)) if all(column.values[at] is not None for column in used)]
    if len(whole) < len(files):
        tell(f"{len(files) - len(whole)} pictures are left out: not all of their ratings are known")
    values = {column.name: [_number(column.values[at]) for at in whole] for column in used}
    meanings = {column.name: column.meaning for column in used}
    for name, meaning in meanings.items():
        tell(f"{name}: {'a label, ' + meaning.plus if meaning.words else 'a rating'}")
    return RatedFaces(pictures, [files[at] for at in whole], values, meanings)


def _by_name(names: Sequence[str]) -> dict[str, str]:
    """Pictures by how a table may call them: with their folders, without them, without the ending. What names several
    names none."""
    known: dict[str, str] = {}
    for part in ("stem", "name"):
        found: dict[str, list[str]] = {}
        for name in names:
            found.setdefault(str(getattr(PurePosixPath(name), part)), []).append(name)
        known |= {key: same[0] for key, same in found.items() if len(same) == 1}
    return known | {name: name for name in names}


def _by_index(path: Path) -> dict[str, str]:
    """Pictures of a zip by what its `index.csv` (file, …) calls them in columns in which no two are the same."""
    if path.is_dir():
        return {}
    with open_archive(path) as archive:
        rows = archive.rows() if "index.csv" in archive.names() else []
    known: dict[str, str] = {}
    for column in (rows or [{}])[0]:
        named = [(row[column], row["file"]) for row in rows if row.get(column) and row.get("file")]
        if len({name for name, _ in named}) == len(named):
            known |= dict(named)
    return known


def _file_column(table: Table, known: Mapping[str, str], pictures: Path, ratings: Path) -> str:
    cells = {column: {str(row.get(column) or "").strip() for _, row in table.rows} for column in table.columns}
    counts = {column: len({known[cell] for cell in found & set(known)}) for column, found in cells.items()}
    best = max(counts, key=lambda column: counts[column], default="")
    if not best or not counts[best]:
        example = next(iter(known.values()))
        raise InputError(
            f"no column of {ratings} names pictures of {pictures}, such as {example}; it has {table.describe()}"
        )
    return best


def _chosen(
    rows: Sequence[Mapping[str, Any]], names: Sequence[str], wanted: Sequence[str], tell: Tell, ratings: Path
) -> list[Column]:
    """The columns that are used. Raises `InputError` for one that is wanted and can't be, and where none is left."""
    if unknown := [name for name in wanted if name not in names]:
        listed = ", ".join(names[:EXAMPLES]) or "none"
        raise InputError(f"{ratings} has no column {', '.join(map(repr, unknown))}; it has: {listed}")
    found = []
    for name in names:
        if wanted and name not in wanted:
            tell(f"left out: {name}, which was not asked for")
            continue
        try:
            column = _column(name, [row.get(name) for row in rows])
            filled = sum(value is not None for value in column.values)
            if not wanted and 2 * filled < len(rows):
                raise Unusable(f"it is filled in for {filled} of {len(rows)} pictures alone")
            found.append(column)
        except Unusable as why:
            if wanted:
                raise InputError(f"{ratings}: the column {name!r} is no rating and no label: {why}") from None
            tell(f"left out: {name}, {why}")
    if not found:
        raise InputError(f"{ratings} has no column of numbers, or of two different values")
    return found


def _column(name: str, cells: Sequence[Any]) -> Column:
    """A column's numbers. Raises `Unusable`."""
    if not NAME.fullmatch(name.strip()):
        raise Unusable("its name has one of . , : = / \\, which no attribute's has")
    texts = ["" if cell is None else str(cell).strip() for cell in cells]
    kinds = sorted({text for text in texts if text})
    if len(kinds) < 2:
        raise Unusable("it is the same for all" if kinds else "it is empty")
    try:
        numbers = [parse_number(text) if text else None for text in texts]
    except ValueError:
        if len(kinds) > 2:
            raise Unusable(f"it has {len(kinds)} different texts") from None
        low, high = sorted(kinds, key=str.casefold)
        return Column(name.strip(), [_is_high(text, high) for text in texts], _label(name, low, high))
    known = sorted({number for number in numbers if number is not None})
    if any(number - number != 0 for number in known):
        raise Unusable("it has numbers that are not finite")
    if len(known) < 2:
        raise Unusable("it is the same for all")
    if len(known) == 2:
        low, high = (f"{number:g}" for number in known)
        values = [None if number is None else float(number == known[1]) for number in numbers]
        return Column(name.strip(), values, _label(name, low, high))
    if name.strip().casefold() == "age" and known[0] >= 0 and known[-1] <= OLDEST:
        return Column("age", numbers, AttributeSpec("older", "years"))
    return Column(name.strip(), numbers, AttributeSpec(f"more {name.strip()}"))


def _is_high(text: str, high: str) -> float | None:
    """1 for the one of two words, 0 for the other, None for an empty cell."""
    return float(text == high) if text else None


def _label(name: str, low: str, high: str) -> AttributeSpec:
    return AttributeSpec(f"{name.strip()}: {high}, - is {low}", words=(low, high))


def _number(value: float | None) -> float:
    assert value is not None, "rows without a value were left out"
    return value
