"""The attributes that directions are fitted for, and the faces whose attributes are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from kinblend.datasets import parse_number, read_table
from kinblend.errors import InputError
from kinblend.packs import open_archive

ID = "omi_stimulus"  # the column of an archive's index by which ratings name its faces


@dataclass(frozen=True)
class AttributeSpec:
    """What an attribute is.

    plus: what "+" means. unit: "years", log, or "" for a scale of its own. column: of the ratings of One Million
    Impressions; none for what is measured in the picture. neutral: the value of a face that does nothing, where a
    photograph's moment says nothing about a person; neutral_from: "above" where only more than that is too much.
    none, unless: the value of a face that has none of it, and values of other attributes under which no face has any.
    Such an attribute is fitted beside the others, which are free to take of it what is theirs. of_skin: whether it is
    about the skin's colour itself; any other attribute is moved without that.
    """

    plus: str
    unit: str = ""
    column: str | None = None
    neutral: float | None = None
    neutral_from: Literal["both", "above"] = "both"
    pose: bool = False  # of the photograph, not of the person: no edit is offered
    none: float | None = None
    unless: Mapping[str, float] = field(default_factory=dict)
    of_skin: bool = False
    words: tuple[str, str] | None = None  # a label's two values, 0 and 1


NO_BEARD = 0.0  # women's median
CLOSED = 0.02  # eye distances between closed lips, as landmarks have it
ATTRIBUTE_SPECS = {
    "age": AttributeSpec("older", "years", "age"),
    "gender": AttributeSpec("more male", column="gender"),
    "smile": AttributeSpec("a broader smile", column="happy", neutral=40, neutral_from="above"),
    "weight": AttributeSpec("heavier", column="weight"),
    "skin": AttributeSpec("darker skin", column="skin-color", of_skin=True),
    "hair": AttributeSpec("darker hair and brows", column="hair-color"),
    "width": AttributeSpec("a wider face"),
    "beard": AttributeSpec("more beard", none=NO_BEARD, unless={"age": 16, "gender": 35}),
    "yaw": AttributeSpec("turned to the picture's right", neutral=0, pose=True),
    "mouth": AttributeSpec("lips farther apart", neutral=CLOSED, neutral_from="above", pose=True),
}


@dataclass(frozen=True)
class Attribute:
    """An attribute and its value for each face."""

    name: str
    values: Sequence[float]
    meaning: AttributeSpec

    @property
    def is_label(self) -> bool:
        """Whether it has two values alone."""
        return self.meaning.words is not None


@dataclass(frozen=True)
class RatedFaces:
    """Faces that have ratings. archive: a zip or folder. files: names in it. ratings: attribute → a value for each.

    meanings: of attributes of a table of one's own; what is measured in pictures as well is then only what a
    photograph's moment is about. None: they are those of `ATTRIBUTE_SPECS`.
    """

    archive: Path
    files: Sequence[str]
    ratings: Mapping[str, Sequence[float]]
    meanings: Mapping[str, AttributeSpec] | None = None

    def attributes(self, measured: Mapping[str, Sequence[float]]) -> list[Attribute]:
        """All attributes, those that were measured in the pictures included."""
        values = {**measured, **self.ratings}
        if self.meanings is None:
            known: Mapping[str, AttributeSpec] = ATTRIBUTE_SPECS
        else:
            of_moment = {name: spec for name, spec in ATTRIBUTE_SPECS.items() if spec.pose}
            known = {**of_moment, **self.meanings}
        return [Attribute(name, values[name], meaning) for name, meaning in known.items() if name in values]


def is_of_impressions(archive: Path, ratings: str | Path) -> bool:
    """Whether these are faces and ratings as One Million Impressions has them: an index with `omi_stimulus`, and a
    table with `stimulus`."""
    if archive.is_dir() or "stimulus" not in read_table(ratings).columns:
        return False
    with open_archive(archive) as file:
        return "index.csv" in file.names() and any(ID in row for row in file.rows()[:1])


def read_rated(archive: str | Path, ratings: str | Path, tell: Callable[[str], None] = lambda _: None) -> RatedFaces:
    """The faces of a zip with an `index.csv` (file, omi_stimulus) that a CSV of ratings (stimulus, …) names.

    tell: told which columns are left out. Raises `InputError`.
    """
    table = read_table(ratings)
    rated = {row["stimulus"]: row for _, row in table.rows if row.get("stimulus")}
    with open_archive(archive) as file:
        index = file.rows()
    found = [(row["file"], rated[row[ID]]) for row in index if row.get(ID) in rated and row.get("file")]
    if not found:
        raise InputError(f"no face in {archive} has ratings in {ratings}: no {ID} of its index is a stimulus there")
    columns = {name: m.column for name, m in ATTRIBUTE_SPECS.items() if m.column in found[0][1]}
    try:
        values = {name: [parse_number(row[str(column)]) for _, row in found] for name, column in columns.items()}
    except (TypeError, ValueError) as error:
        raise InputError(f"{ratings}: a rating is no number: {error}") from error
    if not values:
        known = ", ".join(meaning.column for meaning in ATTRIBUTE_SPECS.values() if meaning.column)
        raise InputError(f"{ratings} has none of the columns {known}")
    used = {"stimulus", *columns.values()}
    if others := [column for column in table.columns if column not in used]:
        tell(f"left out: {', '.join(others)}; give the columns that are wanted by name")
    return RatedFaces(Path(archive), [file for file, _ in found], values)
