"""KinFaceW-I and -II (Lu, Zhou, Tan, Shang & Zhou 2014, "Neighborhood repulsed metric learning for kinship
verification"): pairs of one parent and one child, 64-pixel crops, in the folders father-dau, father-son, mother-dau
and mother-son.

fd_007_1.jpg is the parent of pair 7, fd_007_2.jpg the child. The lists in meta_data only say which pairs each fold of
the published protocol has; they are not read.
"""

from __future__ import annotations

import re
from pathlib import Path

from kinblend.datasets import Defect, Family, Gender, KinshipSet, Member, NuclearFamily, Person, Role, is_junk_file

FOLDERS: dict[str, tuple[str, Role, Gender, Gender]] = {
    "father-dau": ("fd", "father", "m", "f"),
    "father-son": ("fs", "father", "m", "m"),
    "mother-dau": ("md", "mother", "f", "f"),
    "mother-son": ("ms", "mother", "f", "m"),
}
NAME = re.compile(r"(fd|fs|md|ms)_(\d+)_([12])\.(jpe?g|png|bmp)", re.IGNORECASE)
Pair = dict[str, Path]


def read(path: Path) -> KinshipSet | None:
    """The pairs of a folder, a family each; None where no such folder with such a picture lies in it, at any depth.

    No family has both parents, so none gives a trio. Several sets may lie in one folder; a family is then named by
    its set's folder as well, since numbers restart in each.
    """
    if not path.is_dir():
        return None
    defects: list[Defect] = []
    pairs: dict[tuple[Path, str, str], Pair] = {}
    for name in FOLDERS:
        for folder in sorted(each for each in (path, *path.rglob(name)) if each.name == name and each.is_dir()):
            _read_folder(folder, pairs, defects)
    if not pairs:
        return None
    several = len({folder.parent for folder, *_ in pairs}) > 1
    families = []
    for (folder, kind, number), pair in sorted(pairs.items()):
        above = f"{folder.parent.relative_to(path).as_posix()} " if several else ""
        families.append(_family(f"{above}{kind}_{number}", folder, pair, defects))
    return KinshipSet(path, tuple(families), tuple(defects))


def _read_folder(folder: Path, pairs: dict[tuple[Path, str, str], Pair], defects: list[Defect]) -> None:
    kind = FOLDERS[folder.name][0]
    for file in sorted(folder.iterdir()):
        match = NAME.fullmatch(file.name)
        if is_junk_file(file):
            continue
        if match is None or not file.is_file():
            defects.append(Defect(file, None, "unknown file", f"is not named like {kind}_001_1.jpg; left out"))
        elif match[1].lower() != kind:
            reason = f"lies in {folder.name}, but is named as {match[1].lower()}; left out"
            defects.append(Defect(file, None, "role out of place", reason))
        elif not file.stat().st_size:
            defects.append(Defect(file, None, "empty file", "is an empty file; left out"))
        else:
            pair = pairs.setdefault((folder, kind, match[2]), {})
            if match[3] in pair:
                reason = f"is the same person as {pair[match[3]].name}; left out"
                defects.append(Defect(file, None, "picture stands twice", reason))
            pair.setdefault(match[3], file)


def _family(name: str, folder: Path, pair: Pair, defects: list[Defect]) -> Family:
    _, role, gender, child = FOLDERS[folder.name]
    places: dict[str, tuple[str, Role, Gender]] = {"1": (role, role, gender), "2": ("child", "child", child)}
    people, members = {}, []
    for number, (person, place, sex) in places.items():
        if number in pair:
            people[person] = Person(person, sex, (pair[number],))
            members.append(Member(person, place))
        else:
            defects.append(Defect(folder, None, "picture missing", f"{name}_{number} is missing"))
    return Family(name, people, (NuclearFamily("1", tuple(members)),))
