"""A kinship set as JSON: what `kinblend prepare` leaves beside its crops."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kinblend.errors import InputError
from kinblend.families.model import Defect, Family, KinshipSet, Member, NuclearFamily, Person


def kinship_json(found: KinshipSet, folder: Path) -> str:
    """The set; pictures, which must lie below `folder`, relative to it, and the photographs they were cut from."""
    families = [
        {
            "name": family.name,
            "people": [
                {
                    "name": person.name,
                    "gender": person.gender,
                    "pictures": [picture.relative_to(folder).as_posix() for picture in person.pictures],
                }
                for person in family.people.values()
            ],
            "nuclear": [
                {"name": house.name, "members": [[member.person, member.role] for member in house.members]}
                for house in family.nuclear
            ],
        }
        for family in found.families
    ]
    defects = [[str(each.file), each.line, each.kind, each.reason] for each in found.defects]
    pictures = [picture for person in found.people() for picture in person.pictures]
    named = {p.relative_to(folder).as_posix(): name for p in pictures if (name := _photograph(found, p))}
    content = {"families": families, "defects": defects, "photographs": named}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def load_kinship_set(path: Path) -> KinshipSet:
    """Read what `kinship_json` gave; its pictures are FFHQ crops. Raises `InputError`."""
    try:
        data = json.loads(path.read_text("utf-8"))
        families = tuple(_family(each, path.parent) for each in data["families"])
        defects = tuple(Defect(Path(file), line, kind, reason) for file, line, kind, reason in data["defects"])
        # Folders of earlier versions do not say.
        named = {path.parent / name: str(photograph) for name, photograph in data.get("photographs", {}).items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path} is not what kinblend prepare wrote: {error}; run it again") from error
    return KinshipSet(path.parent, families, defects, named.get if named else None, aligned=True)


def _photograph(found: KinshipSet, picture: Path) -> str | None:
    return found.photograph(picture) if found.photograph else None


def _family(data: dict[str, Any], folder: Path) -> Family:
    people = {
        each["name"]: Person(each["name"], each["gender"], tuple(folder / name for name in each["pictures"]))
        for each in data["people"]
    }
    nuclear = tuple(
        NuclearFamily(each["name"], tuple(Member(person, role) for person, role in each["members"]))
        for each in data["nuclear"]
    )
    return Family(data["name"], people, nuclear)
