"""A study's folder: `study.json`, the consent text, the pictures of each couple, and the answers."""

from __future__ import annotations

import json
import re
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from kinblend.errors import InputError
from kinblend.files import atomic_write
from kinblend.storage.texts import read_text

DESCRIPTION, CONSENT, ANSWERS, PICTURES = "study.json", "consent.txt", "answers.csv", "pictures"
PHOTOGRAPHS = ("father", "mother", "child")
SCRAMBLED = "scrambled"
UNRELATED = "unrelated"  # a condition of ratings: another couple's prediction beside the true child

CoupleId = Annotated[str, StringConstraints(pattern=r"^c[0-9]{3,6}$")]
# It stands in a CSV, on one line, and no spreadsheet may take it for a formula.
STRATEGY_NAME = re.compile(r"[^\W_]([\w ,.+-]{0,58}[\w.+-])?")
NAMING = "use at most 60 letters, digits, spaces and , . + - _, a letter or digit first"
StrategyName = Annotated[str, StringConstraints(pattern=f"^{STRATEGY_NAME.pattern}$")]


class Couple(BaseModel):
    """Two people with a child. id: what answers call them, which names nobody. sex: of the child; "" if unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: CoupleId
    sex: Literal["m", "f", ""] = ""


class Design(BaseModel):
    """What each participant is shown. seed: all orders are drawn from it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    choices: int = Field(default=4, ge=2, le=8, description="children to choose from")
    choose_trials: int = Field(default=20, ge=0, le=500, description="which of these children is theirs?")
    rating_trials: int = Field(default=20, ge=0, le=500, description="how alike are two pictures, 0 to 10?")
    catch_trials: int = Field(default=2, ge=0, le=50, description="trials of each kind that tell attention")
    seed: int = Field(default=0, ge=0)


class Study(BaseModel):
    """What a study shows.

    strategies: names, in the order of the pictures' numbers. baseline: the one that the others are compared with.
    source: whether parents and true children are photographs, or rendered from their codes. age: of the predicted
    children in years, where it was asked for.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    backbone: str
    source: Literal["photographs", "codes"]
    strategies: tuple[StrategyName, ...] = Field(min_length=1)
    baseline: StrategyName
    couples: tuple[Couple, ...] = Field(min_length=2)
    design: Design = Design()
    age: float | None = None

    def rivals(self, couple: Couple) -> list[Couple]:
        """The other couples whose child is of the same sex."""
        return [other for other in self.couples if other.sex == couple.sex and other.id != couple.id]

    @property
    def choosable(self) -> list[Couple]:
        """Couples with enough rivals to choose among."""
        return [couple for couple in self.couples if len(self.rivals(couple)) >= self.design.choices - 1]

    def check(self) -> Self:
        """Itself. Raises `InputError` where participants could be shown nothing, or names don't fit."""
        if UNRELATED in self.strategies or len(set(self.strategies)) < len(self.strategies):
            raise InputError(f"strategies need names of their own, other than {UNRELATED}")
        if self.baseline not in self.strategies:
            raise InputError(f"the baseline {self.baseline!r} is none of the study's strategies")
        if len({couple.id for couple in self.couples}) < len(self.couples):
            raise InputError("two couples of the study have the same id")
        if not self.design.choose_trials + self.design.rating_trials:
            raise InputError("the study has no trials; ask for some of one kind at least")
        if self.design.choose_trials and not self.choosable:
            raise InputError(
                f"no {self.design.choices} couples have a child of the same sex, so nobody could choose among "
                "their children; give more couples or fewer choices"
            )
        return self


class StudyFolder:
    """Where a study lies. path: the folder. Raises `InputError` where it holds none."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.study = _read(self.path / DESCRIPTION)

    @property
    def answers(self) -> Path:
        """The CSV that answers are appended to."""
        return self.path / ANSWERS

    @cached_property
    def consent(self) -> str:
        """What participants agree to, as it stood in the folder when it was first asked for. Raises `InputError`."""
        text = read_text(self.path / CONSENT).text.strip()
        if not text:
            raise InputError(f"{self.path / CONSENT} is empty; write what participants agree to")
        return text

    def picture(self, couple: str, what: str, strategy: str = "") -> Path:
        """A picture's file. what: "father", "mother", "child", "scrambled", or "predicted" by a strategy."""
        return picture_path(self.path, couple, what, self.study.strategies.index(strategy) if strategy else None)

    def check(self) -> None:
        """Raise `InputError` where a picture or the consent text is missing."""
        _ = self.consent
        for couple in self.study.couples:
            for path in pictures_of(self.path, couple.id, len(self.study.strategies)):
                if not path.is_file():
                    raise InputError(f"{path} is missing; prepare the study again")


def picture_path(folder: Path, couple: str, what: str, strategy: int | None = None) -> Path:
    """As `StudyFolder.picture`; strategy: its number."""
    return folder / PICTURES / couple / (f"{what}.jpg" if strategy is None else f"predicted-{strategy}.jpg")


def pictures_of(folder: Path, couple: str, strategies: int) -> list[Path]:
    """All pictures of a couple."""
    named = [picture_path(folder, couple, what) for what in (*PHOTOGRAPHS, SCRAMBLED)]
    return named + [picture_path(folder, couple, "predicted", number) for number in range(strategies)]


def write_study(folder: Path, study: Study) -> Path:
    """Write `study.json`, all or nothing."""
    path = folder / DESCRIPTION
    atomic_write(path, (study.model_dump_json(indent=2) + "\n").encode(), durable=True)
    return path


def _read(path: Path) -> Study:
    if not path.is_file():
        raise InputError(f"{path.parent} holds no study ({DESCRIPTION} is missing); prepare one there first")
    try:
        return Study.model_validate(json.loads(read_text(path).text)).check()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{path}: {where}: {first['msg']}; prepare the study again") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON; prepare the study again") from error
