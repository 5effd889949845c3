"""The list of triples of pictures that training starts from: Parquet or CSV, by the file's suffix.

Every column is text. family, father, mother, child are needed; the pictures are paths, relative to the list's folder
or absolute. nuclear, father_name, mother_name and child_name say who the people are, child_gender is m, f or empty,
photograph is "shared" where the child's picture was cut from a photograph that a parent is on too, "own" where it was
not, and split is train, val or test, the same for all rows of a family.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from kinblend.errors import InputError
from kinblend.families.splits import PARTS
from kinblend.files import atomic_write
from kinblend.storage.cells import join_path
from kinblend.storage.tables import read_table, write_table

NEEDED = ("family", "father", "mother", "child")
PICTURES = NEEDED[1:]


@dataclass(frozen=True)
class TrioFiles:
    """One picture each of a father, a mother and their child, the extended family's name, and what else is known."""

    family: str
    father: Path
    mother: Path
    child: Path
    nuclear: str | None = None
    father_name: str | None = None
    mother_name: str | None = None
    child_name: str | None = None
    child_gender: str | None = None
    photograph: str | None = None
    split: str | None = None


COLUMNS = tuple(field.name for field in fields(TrioFiles))


def write_trio_list(path: str | Path, trios: Sequence[TrioFiles]) -> list[Path]:
    """Write the list and, beside it, three parallel ones: NAME.fathers.txt, .mothers.txt, .children.txt.

    Returns the files written. Raises `UsageError` for another suffix, `InputError` where there is no trio.
    """
    path = Path(path)
    if not trios:
        raise InputError("there is no trio with three pictures; see `kinblend families stats` for what is missing")
    rows = [_texts(trio, path.parent.resolve()) for trio in trios]
    write_table(path, dict.fromkeys(COLUMNS, str), rows)
    written = [path]
    for role, plural in zip(PICTURES, ("fathers", "mothers", "children"), strict=True):
        written.append(path.with_suffix(f".{plural}.txt"))
        atomic_write(written[-1], "".join(f"{row[role]}\n" for row in rows).encode())
    return written


def read_trio_list(path: str | Path) -> list[TrioFiles]:
    """Read and check such a list. Raises `InputError`."""
    path = Path(path)
    table = read_table(path)
    missing = [name for name in NEEDED if name not in table.columns]
    if missing:
        raise InputError(f"{path} lacks the column {', '.join(missing)}; it needs {', '.join(NEEDED)}")
    rows = []
    part_of: dict[str, str | None] = {}
    for line, row in table.rows:
        trio = _check(path, line, row)
        if part_of.setdefault(trio.family, trio.split) != trio.split:
            raise InputError(f"{path}, line {line}: family {trio.family} stands on two sides of the split")
        rows.append(trio)
    if not rows:
        raise InputError(f"{path} names no trio")
    if None in part_of.values() and len(set(part_of.values())) > 1:
        raise InputError(f"{path}: some rows name their part of the split and others don't")
    return rows


def _texts(trio: TrioFiles, folder: Path) -> dict[str, str | None]:
    return asdict(trio) | {role: _relative(getattr(trio, role).resolve(), folder) for role in PICTURES}


def _relative(picture: Path, folder: Path) -> str:
    return picture.relative_to(folder).as_posix() if picture.is_relative_to(folder) else str(picture)


def _check(path: Path, line: int, row: Mapping[str, Any]) -> TrioFiles:
    values = {name: str(row[name]) if row.get(name) not in (None, "") else None for name in COLUMNS}
    empty = [name for name in NEEDED if values[name] is None]
    if empty:
        raise InputError(f"{path}, line {line}: {', '.join(empty)} is empty")
    if values["split"] not in (None, *PARTS):
        raise InputError(f"{path}, line {line}: split is {values['split']!r}, none of {', '.join(PARTS)}")
    return TrioFiles(**{**values, **{role: join_path(path.parent, str(values[role])) for role in PICTURES}})  # type: ignore[arg-type]
