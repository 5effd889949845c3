"""Couples and what is asked of each: from a table, JSON lines, or folders with two photographs."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from kinblend.batch.photographs import read_object
from kinblend.errors import InputError, UsageError
from kinblend.object_stores import Address, Place, join, nameless_file, open_store, place_of
from kinblend.pipeline.age_and_sex import DEFAULT_AGE, DEFAULT_SEX
from kinblend.pipeline.lineage import person_file
from kinblend.pipeline.request import ChildRequest
from kinblend.storage.tables import READABLE, SUFFIXES, WORKBOOKS, read_json_lines, read_table

LOG = logging.getLogger(__name__)
PEOPLE = ("father", "mother")
OWN = ("id", *PEOPLE)  # columns beside the fields of a request
JSON_SUFFIXES = (".jsonl", ".ndjson")
REQUEST = "request.json"  # in a couple's folder: the fields of its request
STRUCTURED = ("blender_options", "projector_options", "editor_options", "edits", "by_default")
PARENTS = "parents"  # of age and sex: as the blend of the parents is
MAX_CHILDREN = 100  # of a row
ALIKE = 0.8  # a column's name this much like a known one is a mistake; see `difflib.get_close_matches`


@dataclass(frozen=True)
class Couple:
    """One row.

    number: of the row, from 1. id: its own name, or the number. father, mother: photographs, files or addresses; None
    where the row names none. fields: of its request, as they were read. cells: all that the row says, as text.
    problem: why nothing can be done with it; "" where something can.
    """

    number: int
    id: str
    father: Place | None
    mother: Place | None
    fields: Mapping[str, Any] = field(default_factory=dict)
    cells: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


def read_couples(path: str | Path | Address, defaults: Mapping[str, Any] | None = None) -> list[Couple]:
    """The couples of a `.csv`, `.tsv`, `.parquet`, `.jsonl` or `.ndjson` file, or of a folder with a folder for each;
    any of these also at an address, such as "s3://bucket/couples.csv".

    Columns are `father`, `mother`, perhaps `id`, and the fields of `ChildRequest`; `edits.smile` is the value of
    `smile` within `edits`. Other columns are for `chosen` alone. Paths are relative to the table's folder; an address
    is whole. A couple's
    folder has pictures `father.*` and `mother.*`, and perhaps `request.json` with an object of fields.

    defaults: fields for rows that do not have them.
    Raises `InputError` where nothing can be read, and for a column that is spelt nearly as a known one; a row that
    won't do is a `Couple` with a problem. Raises `StoreError` where an object store does not answer.
    """
    path = place_of(path)
    rows, base = _rows_of(path)
    if not rows:
        raise InputError(f"{path} has no couples: give a table with the columns father and mother")
    _check_columns(path, rows)
    seen, couples = set[str](), []
    for number, row in enumerate(rows, start=1):
        couple = _couple(number, row, base, defaults or {})
        if not couple.problem and couple.id in seen:
            couple = _refused(couple, f"the id {couple.id!r} is another row's already")
        seen.add(couple.id)
        couples.append(couple)
    return couples


def chosen(couples: Sequence[Couple], where: Mapping[str, str], limit: int | None = None) -> list[Couple]:
    """The first `limit` couples whose columns hold these texts; all where neither is given.

    Raises `UsageError` for a column that no row has.
    """
    for column in where:
        if not any(column in couple.cells for couple in couples):
            known = sorted({name for couple in couples for name in couple.cells})
            raise UsageError(f"no row has the column {column!r}; there are: {', '.join(known)}")
    found = [one for one in couples if all(one.cells.get(column, "") == text for column, text in where.items())]
    return found[:limit]


def request_of(fields: Mapping[str, Any]) -> ChildRequest:
    """The request of a row: of an age and a sex that it does not name, the command line's, by default.

    "parents" for one of these leaves it as the blend of the parents is. Raises `UsageError`.
    """
    given = dict(fields)
    if "by_default" not in given:
        given["by_default"] = [name for name in ("age", "sex") if name not in given]
        given = {"age": DEFAULT_AGE, "sex": DEFAULT_SEX} | given
    asked = {name: value for name, value in given.items() if not (name in ("age", "sex") and value == PARENTS)}
    request = ChildRequest.of(asked)
    if request.children > MAX_CHILDREN:
        raise UsageError(f"children={request.children}: a row has at most {MAX_CHILDREN}; give more rows")
    return request


def _rows_of(path: Place) -> tuple[list[dict[str, Any] | None], Place]:
    """The cells of all rows, and the folder that they are relative to."""
    if isinstance(path, Path):
        return (list(_folder_rows(path)), path) if path.is_dir() else (list(_table_rows(path)), path.parent)
    if path.suffix.lower() not in (*READABLE, *WORKBOOKS, *JSON_SUFFIXES):
        return list(_prefix_rows(path)), path
    try:
        data = read_object(path)
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from error
    with nameless_file(data, path) as copy:
        return list(_table_rows(copy)), path.parent


def _table_rows(path: Path) -> Iterator[dict[str, Any] | None]:
    """The cells of each row; None for a row that can't be read."""
    if path.suffix.lower() in JSON_SUFFIXES:
        if not path.is_file():
            raise InputError(f"{path} does not exist")
        yield from (row for _, row in read_json_lines(path))
    elif path.suffix.lower() in (*READABLE, *WORKBOOKS):
        table = read_table(path)
        for note in table.notes:
            LOG.warning("%s: %s", path, note.reason)
        yield from (dict(row) for _, row in table.rows)
    else:
        kinds = ", ".join((*SUFFIXES, *JSON_SUFFIXES))
        raise InputError(f"{path} is no table of couples: give {kinds}, or a folder with a folder for each couple")


def _folder_rows(path: Path) -> Iterator[dict[str, Any] | None]:
    for folder in sorted(one for one in path.iterdir() if one.is_dir()):
        pictures = {who: sorted(folder.glob(f"{who}.*")) for who in PEOPLE}
        if not any(pictures.values()):
            continue
        row: dict[str, Any] = {"id": folder.name}
        row |= {who: str(found[0].relative_to(path)) for who, found in pictures.items() if len(found) == 1}
        try:
            asked = json.loads((folder / REQUEST).read_bytes()) if (folder / REQUEST).exists() else {}
        except (OSError, ValueError, RecursionError):
            asked = None
        yield asked | row if isinstance(asked, dict) else None


def _prefix_rows(address: Address) -> Iterator[dict[str, Any] | None]:
    """As `_folder_rows`, of an address with folders below it."""
    folders: dict[str, list[str]] = {}
    for name in open_store(address).sizes():
        folder, _, file = name.partition("/")
        folders.setdefault(folder, []).append(file)
    for folder, files in sorted(folders.items()):
        pictures = {who: [name for name in files if name.startswith(f"{who}.")] for who in PEOPLE}
        if not any(pictures.values()):
            continue
        row: dict[str, Any] = {"id": folder}
        row |= {who: f"{folder}/{found[0]}" for who, found in pictures.items() if len(found) == 1}
        try:
            asked = json.loads(read_object(address / folder / REQUEST)) if REQUEST in files else {}
        except (OSError, ValueError, RecursionError):
            asked = None
        yield asked | row if isinstance(asked, dict) else None


def _check_columns(path: Place, rows: Sequence[Mapping[str, Any] | None]) -> None:
    """Raise `InputError` where no row can have photographs, or where a column is misspelt."""
    columns = sorted({name for row in rows for name in row or () if isinstance(name, str)})
    if not set(columns) & set(PEOPLE):
        raise InputError(f"{path} has no columns father and mother; it has: {', '.join(columns) or 'none'}")
    known = [*OWN, *ChildRequest.model_fields]
    for column in columns:
        first = column.split(".")[0]
        likely = get_close_matches(first, known, n=1, cutoff=ALIKE)
        if first not in known and likely:
            raise InputError(
                f"{path}: there is no field {first!r}; did you mean {likely[0]!r}? Rename a column of your own"
            )


def _couple(number: int, row: Mapping[str, Any] | None, base: Place, defaults: Mapping[str, Any]) -> Couple:
    if row is None:
        return Couple(number, str(number), None, None, problem="the row is no object of fields that can be read")
    known = {name: value for name, value in row.items() if isinstance(name, str) and not _is_empty(value)}
    try:
        cells = {name: _text(value) for name, value in _flat(known).items()}
    except RecursionError:
        return Couple(number, str(number), None, None, problem="the row has mappings within mappings without end")
    couple = Couple(number, cells.get("id", str(number)), None, None, cells=cells)
    try:
        father, mother = (join(base, cells[who]) if who in cells else None for who in PEOPLE)
    except UsageError as error:
        return _refused(couple, str(error))
    couple = replace(couple, father=father, mother=mother)
    if None in row:
        return _refused(couple, "the row has more cells than the table has columns")
    if missing := [who for who in PEOPLE if who not in cells]:
        return _refused(couple, f"the row names no photograph of the {' and the '.join(missing)}")
    try:
        fields = _fields(known, defaults)
        father, mother = (_person(place) for place in (father, mother) if place is not None)
    except (UsageError, InputError) as error:
        return _refused(couple, str(error))
    return replace(couple, fields=fields, father=father, mother=mother)


def _person(path: Place) -> Place:
    """A photograph, a latent, or that of an earlier child by its manifest. One that is gone stays what it is: it may
    have been used already. Raises what `person_file` does."""
    if isinstance(path, Address):
        if path.suffix.lower() == ".json":
            raise InputError(
                f"{path} is a child's manifest, and those are read from files; name the latent beside it"
            )
        return path
    try:
        return person_file(path) if path.is_file() else path
    except OSError:  # a name too long to be one, for example: whoever opens it says so
        return path


def _refused(couple: Couple, problem: str) -> Couple:
    return replace(couple, problem=problem)


def _fields(cells: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a request that a row names, and the defaults for the others. Raises `UsageError`."""
    found = deepcopy(dict(defaults))
    found |= {name: _value(name, cell) for name, cell in cells.items() if name in ChildRequest.model_fields}
    for name, cell in cells.items():
        first, dot, rest = name.partition(".")
        if dot and first in STRUCTURED:
            _put(found, [first, *rest.split(".")], json_or_text(cell))
    return found


def _put(values: dict[str, Any], keys: Sequence[str], value: Any) -> None:
    for key in keys[:-1]:
        inner = values.setdefault(key, {})
        if not isinstance(inner, dict):
            raise UsageError(f"{'.'.join(keys)}: {key} has a value already, which is no mapping")
        values = inner
    values[keys[-1]] = value


def _value(name: str, cell: Any) -> Any:
    """A cell as the request's model takes it: options and edits are JSON where the table holds texts."""
    if name not in STRUCTURED or not isinstance(cell, str):
        return cell
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        raise UsageError(f"{name}={cell!r}: give JSON, or a column for each, such as {name}.share") from None


def json_or_text(cell: Any) -> Any:
    """JSON where a text is JSON, else the cell as it is."""
    if not isinstance(cell, str):
        return cell
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return cell


def _is_empty(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Values within values under names with dots between."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        found |= _flat(value, f"{before}{name}.") if isinstance(value, dict) and value else {before + name: value}
    return found


def _text(value: Any) -> str:
    """A value as text that any file can hold."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text.encode("utf-8", "replace").decode()
