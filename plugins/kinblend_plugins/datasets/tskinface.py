"""TSKinFace (Qin, Tan & Chen 2015, "Tri-subject kinship verification"): a family in the names of its pictures.

FMS-7-F.jpg is the father of family 7 of those with a son; FMD have a daughter, FMSD both. Numbers restart in each.
"""

from __future__ import annotations

import re
from pathlib import Path

from kinblend.datasets import Defect, Family, Gender, KinshipSet, Member, NuclearFamily, Person, Role, is_junk_file

NAME = re.compile(r"(FMS|FMD|FMSD)-(\d+)-([FMSD])\.(jpe?g|png|bmp)", re.IGNORECASE)
PLACES: dict[str, tuple[Role, Gender]] = {
    "F": ("father", "m"),
    "M": ("mother", "f"),
    "S": ("child", "m"),
    "D": ("child", "f"),
}


def read(path: Path) -> KinshipSet | None:
    """The families of a folder whose pictures are named so, at any depth; None where there is no such picture."""
    if not path.is_dir():
        return None
    defects: list[Defect] = []
    files: dict[tuple[str, int], dict[str, list[Path]]] = {}
    for file in sorted(path.rglob("*")):
        if is_junk_file(file) or not file.is_file():
            continue
        match = NAME.fullmatch(file.name)
        if match is None:
            defects.append(Defect(file, None, "unknown file", "is not named like FMS-1-F.jpg; left out"))
            continue
        group, number, letter = match[1].upper(), int(match[2]), match[3].upper()
        files.setdefault((group, number), {}).setdefault(letter, []).append(file)
    if not files:
        return None
    families = tuple(_family(*key, files[key], defects, path) for key in sorted(files))
    return KinshipSet(path, families, tuple(defects))


def _family(group: str, number: int, files: dict[str, list[Path]], defects: list[Defect], root: Path) -> Family:
    name, people, members = f"{group}-{number}", {}, []
    for letter, (role, gender) in PLACES.items():
        pictures = files.get(letter, [])
        if letter not in group:
            defects += [
                Defect(file, None, "role out of place", f"{group} families have no {letter}; left out")
                for file in pictures
            ]
        elif not pictures:
            defects.append(Defect(root, None, "picture missing", f"{name}-{letter} is missing"))
        else:
            people[letter] = Person(letter, gender, _one(pictures, defects))
            members.append(Member(letter, role))
    return Family(name, people, (NuclearFamily("1", tuple(members)),))


def _one(pictures: list[Path], defects: list[Defect]) -> tuple[Path, ...]:
    """The first picture that isn't empty; the others are reported."""
    full = [file for file in pictures if file.stat().st_size]
    defects += [
        Defect(file, None, "empty file", "is an empty file; left out") for file in pictures if file not in full
    ]
    for other in full[1:]:
        same = "a copy of" if full[0].read_bytes() == other.read_bytes() else "another picture than"
        defects.append(Defect(other, None, "picture stands twice", f"is {same} {full[0]}; left out"))
    return tuple(full[:1])
