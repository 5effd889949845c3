"""The file of a family tree, TOML or JSON: read, and checked before any model is loaded."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from kinblend.errors import InputError, KinblendError
from kinblend.family_tree.people import OF_PREDICTED, SEXES, FamilyTree, Person, TreeDefaults, parents_first
from kinblend.files import keep_inputs
from kinblend.pipeline.age_and_sex import OLDEST
from kinblend.pipeline.lineage import person_file
from kinblend.storage.texts import decode, read_bytes
from kinblend.validation import explain, shortened

MOST = 100  # people
LARGEST = 2**20  # bytes of a file
LONGEST_TITLE = 120  # letters
Model = TypeVar("Model", bound=BaseModel)
PERSON = re.compile(r"^[ \t]*\[\[[ \t]*person[ \t]*\]\]", re.MULTILINE)


def read_tree(path: str | Path) -> FamilyTree:
    """The tree that a `.toml` or `.json` file describes.

    Raises `InputError`, which names the line or the person: what is no TOML or JSON, unknown fields and values that
    won't do, names that nobody or two people have, people who are their own ancestors, parents of the wrong sex,
    children with one parent, people with neither photograph nor parents, photographs that are missing or lie outside
    of the file's folder.
    """
    file = Path(path)
    if file.suffix.lower() not in (".toml", ".json"):
        raise InputError(f"{file}: a family tree is a .toml or .json file")
    keep_inputs([file])
    parsed = parse_tree(read_bytes(file), file)
    return tree_of(parsed.fields, file.parent, name=str(file), lines=parsed.lines, warnings=parsed.warnings)


@dataclass(frozen=True)
class ParsedTree:
    """A file that is not checked yet. fields: as the file has them. lines: where each person begins; empty where that
    is not known. warnings: of its text."""

    fields: Mapping[str, Any]
    lines: Sequence[int]
    warnings: Sequence[str]


def parse_tree(data: bytes, file: str | Path) -> ParsedTree:
    """What stands in the bytes of a `.toml` or `.json` file. file: its name. Raises `InputError`."""
    file = Path(file)
    if file.suffix.lower() not in (".toml", ".json"):
        raise InputError(f"{file}: a family tree is a .toml or .json file")
    if len(data) > LARGEST:
        raise InputError(f"{file} has more than {LARGEST} bytes, which no family tree has")
    text = decode(data, str(file))
    fields = _parse(file, text.text)
    lines = [text.text.count("\n", 0, found.start()) + 1 for found in PERSON.finditer(text.text)]
    return ParsedTree(fields, lines, [f"{file} {note.reason}" for note in text.notes])


def tree_of(
    fields: Mapping[str, Any],
    folder: str | Path | None = None,
    *,
    name: str = "the tree",
    lines: Sequence[int] = (),
    warnings: Sequence[str] = (),
) -> FamilyTree:
    """The tree of a mapping as the file has it: {"person": [{"name": "Anna", "photo": "anna.jpg"}, …]}.

    folder: where the photographs lie, and must lie; None takes them from anywhere. name: what errors call it.
    lines: where each person begins, if that is known. warnings: of whoever read it.
    Raises `InputError`, as `read_tree` does.
    """
    tree = outline_of(fields, name=name, lines=lines, warnings=warnings)
    places = _Places(name, fields["person"], lines)
    photos = {
        person.name: _photo(person, folder, places[number])
        for number, person in enumerate(tree.people.values())
        if not person.predicted
    }
    keep_inputs(photos.values())
    return replace(tree, photos=photos)


def outline_of(
    fields: Mapping[str, Any], *, name: str = "the tree", lines: Sequence[int] = (), warnings: Sequence[str] = ()
) -> FamilyTree:
    """The tree of a mapping as `tree_of` takes it, whose photographs are not looked for: any text names one."""
    given = fields.get("person")
    if not isinstance(given, list) or not 1 <= len(given) <= MOST or not all(isinstance(one, dict) for one in given):
        raise InputError(f"{name}: write 1 to {MOST} people, each below a line [[person]] of its own")
    rest = {key: value for key, value in fields.items() if key != "person"}
    file = _validated(TreeDefaults, rest, name)
    if not file.title.isprintable() or len(file.title) > LONGEST_TITLE:
        raise InputError(f"{name}: the title is not one line of at most {LONGEST_TITLE} letters")
    places = _Places(name, given, lines)
    people = [_validated(Person, one, places[number]) for number, one in enumerate(given)]
    known = {person.name: person for person in people}
    for number, person in enumerate(people):
        _check_person(person, people[:number], known, places[number])
    _check_ancestors(people, name)
    return FamilyTree(known, **dict(file), warnings=tuple(warnings))


class _Places:
    """Where people stand, as errors say it: "family.toml, line 12, 'Anna'"."""

    def __init__(self, name: str, given: Sequence[Mapping[str, Any]], lines: Sequence[int]) -> None:
        self._name, self._given = name, given
        self._lines = lines if len(lines) == len(given) else ()

    def __getitem__(self, number: int) -> str:
        line = f"line {self._lines[number]}" if self._lines else f"person {number + 1}"
        who = self._given[number].get("name")
        return f"{self._name}, {line}" + (f", {shortened(who)}" if isinstance(who, str) and who else "")


def _parse(file: Path, text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text) if file.suffix.lower() == ".json" else tomllib.loads(text)
    except RecursionError:
        raise InputError(f"{file} is nested deeper than any family tree") from None
    except json.JSONDecodeError as error:
        raise InputError(f"{file}, line {error.lineno}: this is not valid JSON: {error.msg}") from error
    except (tomllib.TOMLDecodeError, ValueError) as error:
        why = f"{error}"
        raise InputError(f"{file} is not valid {file.suffix[1:].upper()}: {why[:1].lower()}{why[1:]}") from error
    if not isinstance(found, dict):
        raise InputError(f'{file}: write {{"person": [ … ]}}, a list of people')
    return found


def _validated(model: type[Model], fields: Mapping[str, Any], place: str) -> Model:
    """Raises `InputError` that names the place, the field and what to do."""
    try:
        return model.model_validate(dict(fields))
    except ValidationError as error:
        where, value, why = explain(error)
        if where not in model.model_fields and where in fields:
            close = get_close_matches(where, model.model_fields, 1)
            known = f"did you mean {close[0]}?" if close else f"there are: {', '.join(model.model_fields)}"
            raise InputError(f"{place}: {where}: {why}; {known}") from error
        said = where if where not in fields and "." not in where else f"{where} = {shortened(value)}"
        raise InputError(f"{place}: {said}: {why}") from error


def _check_person(person: Person, before: Sequence[Person], known: Mapping[str, Person], place: str) -> None:
    """Raise `InputError` for whatever is wrong with one person."""
    for wrong in _faults(person, before, known):
        raise InputError(f"{place}: {wrong}")


def _faults(person: Person, before: Sequence[Person], known: Mapping[str, Person]) -> Iterator[str]:
    if any(other.name == person.name for other in before):
        yield "two people have this name; give one of them another, such as the year of birth behind it"
    parents = {role: getattr(person, role) for role in ("father", "mother") if getattr(person, role) is not None}
    if len(parents) == 1:
        [(role, name)] = parents.items()
        other = "mother" if role == "father" else "father"
        yield f"there is a {role}, {name}, and no {other}; a child needs both"
    for role, name in parents.items():
        if name not in known:
            close = get_close_matches(name, known, 1)
            yield f"{role} = {name!r}: there is nobody of this name" + (
                f"; did you mean {close[0]!r}?" if close else ""
            )
    if len(set(parents.values())) < len(parents):
        yield f"{person.father} is father and mother; a child needs two parents"
    if person.predicted and not parents:
        children = [one.name for one in known.values() if person.name in (one.father, one.mother)]
        whose = f" (a parent of {children[0]})" if children else ""
        yield f"there is no photo and there are no parents{whose}; give a photo, or father and mother"
    yield from _odd_fields(person)
    for role, sex in (("father", "boy"), ("mother", "girl")):
        children = [one.name for one in known.values() if getattr(one, role) == person.name]
        if children and SEXES.get(person.sex or "", sex) != sex:
            yield f"sex = {person.sex!r}, but {children[0]} names this person as {role}"
    as_father = next((one.name for one in known.values() if one.father == person.name), None)
    as_mother = next((one.name for one in known.values() if one.mother == person.name), None)
    if as_father and as_mother:
        yield f"this person is the father of {as_father} and the mother of {as_mother}; name each parent in one role"


def _odd_fields(person: Person) -> Iterator[str]:
    """Fields that say nothing of such a person."""
    if person.predicted:
        if person.face is not None:
            yield "face says which face of a photo is meant, and there is no photo"
        if person.age is not None and person.age > OLDEST:
            yield f"age = {person.age:g}: a predicted person is at most {OLDEST:g}"
        return
    odd = [name for name in OF_PREDICTED if name in person.model_fields_set]
    if odd:
        yield f"{odd[0]} is of predicted people, and this person has a photo; leave one of them out"


def _check_ancestors(people: Sequence[Person], name: str) -> None:
    """Raise `InputError` where somebody is an ancestor of themselves."""
    fine = set(parents_first(people))
    rest = {person.name: person for person in people if person.name not in fine}
    if not rest:
        return
    way = [next(iter(rest))]
    while len(set(way)) == len(way):
        person = rest[way[-1]]
        way.append(next(one for one in (person.father, person.mother) if one in rest))
    circle = way[way.index(way[-1]) :]
    raise InputError(f"{name}: {circle[0]!r} is among their own ancestors: {' is a child of '.join(circle)}")


def _photo(person: Person, folder: str | Path | None, place: str) -> Path:
    """The file of a person's photograph, or of the latent that stands for it. Raises `InputError`."""
    said = f"{place}: photo = {shortened(person.photo)}"
    given = Path(folder or "", str(person.photo))
    try:
        path = given.resolve()
        if folder is not None and not path.is_relative_to(Path(folder).resolve()):
            raise InputError(f"{said} lies outside of the folder of the tree; copy the photograph there, or below")
        if not path.is_file():
            raise InputError(f"{said}: {given} " + ("is a folder" if path.is_dir() else "does not exist"))
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a name that is too long or holds a NUL
        raise InputError(f"{said} can't be read: {error}") from error
    try:
        return person_file(given)
    except KinblendError as error:
        raise InputError(f"{said}: {error}") from error
