"""Age, gender, race and emotion of every picture of a kinship set, by an analyser that a plugin brings.

An analyser is a guess of a network about how a face looks, with the biases of what it was trained on. It describes a
data set; it says nothing of a person.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import combinations, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.errors import InputError
from kinblend.families.crops import face_crop
from kinblend.families.model import KinshipSet
from kinblend.families.prepare.cache import StageCache, StageResult, reject
from kinblend.files import file_sha256
from kinblend.storage.cells import parse_number
from kinblend.storage.tables import Kind, read_table

if TYPE_CHECKING:
    from PIL.Image import Image

Analyser = Callable[[Sequence["Image"]], Sequence[Mapping[str, Any]]]

CHUNK = 32
BANDS = (0, 13, 20, 40, 60, 120)  # years at which age groups begin
GUESSES: dict[str, Kind] = {
    "age": float,
    "gender": str,
    "gender_confidence": float,
    "race": str,
    "race_confidence": float,
    "emotion": str,
    "emotion_confidence": float,
}
TOLD = ("gender", "race", "emotion")  # guesses that are words
LISTED: dict[str, Kind] = {"picture": str, "family": str, "person": str, "listed_gender": str}
COLUMNS: dict[str, Kind] = {**LISTED, **GUESSES, "reason": str}


def demographics(
    found: KinshipSet,
    analyser: Analyser,
    cache: StageCache,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """A row for every picture, with the columns `COLUMNS`; what an analyser doesn't guess is None, and a picture that
    could not be looked at has a reason.

    progress: told how many of how many pictures are done.
    Raises `InputError` where there is no picture.
    """
    rows = [
        {"picture": str(picture), "family": family.name, "person": person.name, "listed_gender": person.gender}
        for family in found.families
        for person in family.people.values()
        for picture in person.pictures
    ]
    if not rows:
        raise InputError(f"{found.root} holds no picture")
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        pictures = [Path(str(row["picture"])) for row in part]
        for row, guess in zip(part, _guesses(pictures, analyser, cache, found.aligned), strict=True):
            row.update(guess)
        if progress is not None:
            progress(start + len(part), len(rows))
    return rows


def _guesses(pictures: Sequence[Path], analyser: Analyser, cache: StageCache, aligned: bool) -> list[dict[str, Any]]:
    hashes = [file_sha256(picture) for picture in pictures]
    missing = {sha: picture for sha, picture in zip(hashes, pictures, strict=True) if cache.read(sha) is None}
    crops = {}
    for sha, picture in missing.items():
        crop = face_crop(picture, aligned)
        if isinstance(crop, str):
            cache.write(sha, reject("no face", crop))
        else:
            crops[sha] = crop
    for sha, guess in zip(crops, analyser(list(crops.values())) if crops else [], strict=True):
        known = {name: kind(guess[name]) for name, kind in GUESSES.items() if guess.get(name) is not None}
        cache.write(sha, StageResult(known))
    return [_flat(cache.read(sha) or {}) for sha in hashes]


def _flat(record: Mapping[str, Any]) -> dict[str, Any]:
    return {"reason": record["rejected"]["reason"]} if "rejected" in record else dict(record)


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts to look at: decades of age, genders, also against the list's, races, emotions, and what was not seen."""
    seen = [row for row in rows if not row.get("reason")]
    both = [row for row in seen if row.get("gender") and row.get("listed_gender")]
    return {
        "pictures": len(rows),
        "not_seen": len(rows) - len(seen),
        "ages": _count(decade for row in seen if (decade := _decade(row))),
        **{f"{name}s": _count(row[name] for row in seen if row.get(name)) for name in ("gender", "race", "emotion")},
        "crossed": _crossed(seen),
        "gender_as_listed": sum(row["gender"] == row["listed_gender"] for row in both),
        "gender_other_than_listed": sum(row["gender"] != row["listed_gender"] for row in both),
    }


def _crossed(seen: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, int]]]:
    """Counts of two guesses together, for each two that are known of some picture: {"age by gender": {"20–29":
    {"f": 3}}}."""
    known = [{"age": _decade(row), **{name: str(row.get(name) or "") for name in TOLD}} for row in seen]
    tables = {}
    for pair in combinations(("age", *TOLD), 2):
        one, other = sorted(pair, key=lambda name: name == "gender")
        both = [row for row in known if row[one] and row[other]]
        if both:
            names = sorted({row[one] for row in both})
            tables[f"{one} by {other}"] = {
                name: _count(row[other] for row in both if row[one] == name) for name in names
            }
    return tables


def _decade(row: Mapping[str, Any]) -> str:
    """ "30–39" for 31.5; "" where no age was guessed."""
    if row.get("age") is None:
        return ""
    tens = int(row["age"] // 10)
    return f"{tens}0–{tens}9"


def _count(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))


def groups_of_pictures(path: str | Path) -> dict[Path, dict[str, str]]:
    """The age band and the ethnicity of each picture, from a table that `families demographics` wrote.

    "age" is a band such as "20-39", "ethnicity" the analyser's race; "" where it guessed none. Raises `InputError`.
    """
    table = read_table(path)
    if "picture" not in table.columns:
        raise InputError(f"{path} has no column picture; give a table of `kinblend families demographics`")
    groups = {}
    for _, row in table.rows:
        found = {"age": _band(row.get("age")), "ethnicity": str(row.get("race") or "")}
        groups[Path(str(row["picture"]))] = found
    return groups


def _band(age: object) -> str:
    """ "20-39" for 31; "" for what is no age."""
    try:
        years = parse_number(str(age))
    except ValueError:
        return ""
    return next((f"{low}-{high - 1}" for low, high in pairwise(BANDS) if low <= years < high), "")
