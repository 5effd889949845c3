"""A Family101 tree with the quirks of the real one, and the counts that were planted in it."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

PICTURES = "Family101_150x120"
QUIRKS = (
    "blank line",
    "no folder",
    "empty folder",
    "empty file",
    "no father",
    "no mother",
    "no child",
    "two of HUSB",
    "two of WIFE",
    "number used twice",
    "malformed row",
    "unknown role",
    "person twice",
    "strange folder",
    "grown-up child",
)
NAMES = ("Anna", "José", "Zoë Ann", "Björn", "李雷", "Mary_Lou", "O'Neil", "Ivan")


@dataclass
class Planted:
    """What a tree was given, counted as it was planted."""

    counts: Counter[str] = field(default_factory=Counter)
    defects: Counter[str] = field(default_factory=Counter)
    removed: Counter[str] = field(default_factory=Counter)

    def figures(self) -> dict[str, int]:
        """What `kinblend families stats --json` must say."""
        keys = (
            "extended_families",
            "nuclear_families",
            "individuals",
            "trios",
            "images",
            "individuals_without_images",
        )
        incomplete = sum(self.removed.values())
        return {key: self.counts[key] for key in keys} | {
            "incomplete_nuclear_families": incomplete,
            "complete_nuclear_families": self.counts["nuclear_families"] - incomplete,
        }


def plant(root: Path, seed: int, families: int, quirks: frozenset[str], picture: bytes = b"not opened") -> Planted:
    """Write FAMILY101.txt and the folders of its people under `root`. picture: the bytes of every picture."""
    tree = _Tree(root, random.Random(seed), quirks, picture)
    for number in range(families):
        tree.family(f"Family {number} of {tree.draw.choice(NAMES)}")
    (root / "FAMILY101.txt").write_bytes("".join(f"{row}\r\n" for row in tree.rows).encode())
    return tree.planted


class _Tree:
    def __init__(self, root: Path, draw: random.Random, quirks: frozenset[str], picture: bytes) -> None:
        self.root, self.draw, self.quirks, self.picture = root, draw, quirks, picture
        self.rows: list[str] = []
        self.planted = Planted()

    def quirk(self, name: str) -> bool:
        """Whether to plant it here: two times in five, if it is asked for at all."""
        return name in self.quirks and self.draw.random() < 0.4

    def family(self, name: str) -> None:
        self.rows.append(f"0\tFAMI\t{name}")
        self.planted.counts["extended_families"] += 1
        folder = self.root / PICTURES / name
        folder.mkdir(parents=True)
        self.named = 0
        numbers: list[int] = []
        grown = None
        for place in range(self.draw.randint(1, 4)):
            again = place > 1 and numbers[-1] != 1 and self.quirk("number used twice")
            numbers.append(1 if again else place + 1)
            grown = self.house(folder, numbers[-1], grown)
            self.planted.defects["number used twice"] += again
        if self.quirk("strange folder"):
            (folder / "nobody in the list").mkdir()
            self.planted.defects["folder not listed"] += 1

    def house(self, folder: Path, number: int, grown: str | None) -> str | None:
        """Rows of one nuclear family. Returns a daughter who may be a wife in the next one."""
        gaps = [gap for gap in ("no father", "no mother", "no child") if self.quirk(gap)]
        husbands = 0 if "no father" in gaps else 1 + self.quirk("two of HUSB")
        wives = 0 if "no mother" in gaps else 1 + self.quirk("two of WIFE")
        children = 0 if "no child" in gaps else self.draw.randint(1, 3)
        if not husbands + wives + children:
            husbands, gaps = 1, ["no mother"]
        gaps += ["several fathers"] * (husbands > 1) + ["several mothers"] * (wives > 1)
        self.planted.defects["two of HUSB"] += husbands > 1
        self.planted.defects["two of WIFE"] += wives > 1
        self.planted.counts["nuclear_families"] += 1
        self.planted.removed.update(gaps[:1])
        self.planted.counts["trios"] += 0 if gaps else children
        for _ in range(husbands):
            self.row(number, "HUSB", self.person(folder))
        for place in range(wives):
            again = place == 0 and grown is not None and self.quirk("grown-up child")
            self.row(number, "WIFE", grown if again and grown else self.person(folder))
        daughter = None
        for _ in range(children):
            role, name = self.draw.choice(("SONN", "DAUG")), self.person(folder)
            self.row(number, role, name)
            daughter = name if role == "DAUG" else daughter
        if self.quirk("person twice"):
            self.rows.append(self.rows[-1])
            self.planted.defects["person listed twice"] += 1
        self.rubbish(number)
        return daughter

    def row(self, number: int, role: str, name: str) -> None:
        if self.quirk("blank line"):
            self.rows.append("  " if self.draw.random() < 0.5 else "")
        self.rows.append(f"{number}\t{role}\t{name}")

    def rubbish(self, number: int) -> None:
        if self.quirk("malformed row"):
            self.rows.append(self.draw.choice((f"{number}\tHUSB", "what is this?", f"x\tWIFE\tAda {number}")))
            self.planted.defects["malformed row"] += 1
        if self.quirk("unknown role"):
            self.rows.append(f"{number}\tNEPH\tAda")
            self.planted.defects["unknown role"] += 1

    def person(self, folder: Path) -> str:
        """Someone new, with pictures or without."""
        self.named += 1
        name = f"{self.draw.choice(NAMES)} {self.named}"
        self.planted.counts["individuals"] += 1
        if self.quirk("no folder"):
            self.planted.counts["individuals_without_images"] += 1
            self.planted.defects["person without folder"] += 1
            return name
        (folder / name).mkdir()
        images = 0 if self.quirk("empty folder") else self.draw.randint(1, 4)
        for place in range(images):
            (folder / name / f"{name} {place}.jpg").write_bytes(self.picture)
        if self.quirk("empty file"):
            (folder / name / "empty.JPG").touch()
            self.planted.defects["empty file"] += 1
        if not images:
            self.planted.counts["individuals_without_images"] += 1
            self.planted.defects["folder without pictures"] += 1
        self.planted.counts["images"] += images
        return name
