"""What each participant is shown, and in which order. Nothing here is drawn from anything but seed and participant.

Choosing comes before rating: the true children, whom ratings show, must not help to choose.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from kinblend.study.folder import PHOTOGRAPHS, SCRAMBLED, UNRELATED, Couple, Study

T = TypeVar("T")
Task = Literal["choose", "rate"]
Catch = Literal["", "one-face", "identical", "no-face"]

HIGHEST = 10  # rating
AGREED, KNOWN = "agreed", "known"  # answers of their own: consent, and that a face was recognised


@dataclass(frozen=True)
class Shown:
    """A picture. what: "predicted", "child" (the true one), "scrambled". text: what it is called in the answers."""

    couple: str
    what: str = "predicted"

    @property
    def text(self) -> str:
        return self.couple if self.what == "predicted" else f"{self.couple}/{self.what}"


@dataclass(frozen=True)
class Trial:
    """One question.

    task: "choose" (which of the pictures shows the couple's child?) or "rate" (how alike are the two?).
    catch: "" for a question proper; else its answer tells attention. "one-face": all other pictures are scrambled;
        "identical": the same picture twice; "no-face": one of the two is scrambled.
    couple: whose photographs, or whose true child, are shown. strategy: that made the predictions.
    pictures: in the order in which they stand on the page.
    """

    task: Task
    catch: Catch
    couple: str
    strategy: str
    pictures: tuple[Shown, ...]

    @property
    def shown(self) -> str:
        """The pictures as one text, for the answers."""
        return " ".join(picture.text for picture in self.pictures)

    def answers(self) -> list[str]:
        """What may be answered, as the answers' file has it: a couple for each picture, or a rating."""
        if self.task == "choose":
            return [picture.couple for picture in self.pictures]
        return [str(rating) for rating in range(HIGHEST + 1)]


def passes(catch: str, couple: str, answer: str) -> bool:
    """Whether the answer to a catch trial is that of somebody who looked."""
    if catch == "one-face":
        return answer == couple
    return int(answer) >= HIGHEST - 2 if catch == "identical" else int(answer) <= 2


def trials_of(study: Study, participant: str, session: int) -> list[Trial]:
    """All trials of a participant, in order.

    participant: the order, the positions and the rivals are drawn from the study's seed and this. session: how many
        participants came before; couples and strategies take turns by it (`rotation`).
    """
    numbers, design = random.Random(f"{study.design.seed} {participant}"), study.design
    choosable = [couple.id for couple in study.choosable]
    turns = rotation(choosable, study.strategies, design.choose_trials, session, f"{design.seed} choose")
    places = _balanced(range(design.choices), len(turns), numbers)
    choose = [_choose(study, *turn, place, numbers) for turn, place in zip(turns, places, strict=True)]
    everyone = [couple.id for couple in study.couples]
    conditions = [*study.strategies, UNRELATED]
    turns = rotation(everyone, conditions, design.rating_trials, session, f"{design.seed} rate")
    places = _balanced(range(2), len(turns), numbers)
    rate = [_rate(study, *turn, place, numbers) for turn, place in zip(turns, places, strict=True)]
    numbers.shuffle(choose)
    numbers.shuffle(rate)
    return [
        *_with_catches(choose, _choose_catches(study, choose, numbers), numbers),
        *_with_catches(rate, _rating_catches(study, numbers), numbers),
    ]


def rotation(
    items: Sequence[str], conditions: Sequence[str], count: int, session: int, seed: str
) -> list[tuple[str, str]]:
    """The items and conditions of one session; no item twice.

    Over sessions every item comes equally often, give or take one, and in as many of its turns as there are
    conditions it comes once in each. Within a session the conditions come equally often, give or take two.
    """
    if not items:
        return []
    order, count = list(items), min(count, len(items))
    random.Random(seed).shuffle(order)
    # A round is one turn of every item. The shift makes an item's condition another one in the next round.
    shift = next(s for s in range(len(conditions) + 1) if math.gcd(len(order) + s, len(conditions)) == 1)
    slots = ((*divmod(slot, len(order)), slot) for slot in range(session * count, (session + 1) * count))
    return [(order[place], conditions[(slot + shift * turn) % len(conditions)]) for turn, place, slot in slots]


def _balanced(values: Sequence[T], count: int, numbers: random.Random) -> list[T]:
    """So many values, each equally often, give or take one, in random order."""
    order = numbers.sample(values, len(values))
    found = [order[place % len(order)] for place in range(count)]
    numbers.shuffle(found)
    return found


def _rivals(study: Study, couple: str, numbers: random.Random) -> list[str]:
    known = {one.id: one for one in study.couples}
    return [rival.id for rival in numbers.sample(study.rivals(known[couple]), study.design.choices - 1)]


def _choose(
    study: Study, couple: str, strategy: str, place: int, numbers: random.Random, *, catch: bool = False
) -> Trial:
    pictures = [Shown(rival, SCRAMBLED if catch else "predicted") for rival in _rivals(study, couple, numbers)]
    pictures.insert(place, Shown(couple))
    return Trial("choose", "one-face" if catch else "", couple, strategy, tuple(pictures))


def _rate(study: Study, couple: str, condition: str, place: int, numbers: random.Random) -> Trial:
    strategy = study.baseline if condition == UNRELATED else condition
    whose = couple if condition != UNRELATED else numbers.choice(_others(study, couple)).id
    return _pair("", couple, strategy, Shown(whose), place)


def _others(study: Study, couple: str) -> list[Couple]:
    """Couples with a child of the same sex; any, where there is none."""
    known = {one.id: one for one in study.couples}
    return study.rivals(known[couple]) or [one for one in study.couples if one.id != couple]


def _pair(catch: Catch, couple: str, strategy: str, beside: Shown, place: int) -> Trial:
    pictures = [Shown(couple, PHOTOGRAPHS[2])]
    pictures.insert(place, beside)
    return Trial("rate", catch, couple, strategy, tuple(pictures))


def _with_catches(trials: list[Trial], catches: list[Trial], numbers: random.Random) -> list[Trial]:
    """The trials with catch trials among them: one at a random place of each of equal stretches."""
    if not trials or not catches:
        return trials
    found: list[Trial] = []
    for number, catch in enumerate(catches):
        stretch = trials[len(trials) * number // len(catches) : len(trials) * (number + 1) // len(catches)]
        stretch.insert(numbers.randint(0, len(stretch)), catch)
        found += stretch
    return found


def _choose_catches(study: Study, trials: list[Trial], numbers: random.Random) -> list[Trial]:
    """Of couples who are asked about nowhere else, while there are some: a catch trial shows who is whose."""
    asked = {trial.couple for trial in trials}
    couples = [couple.id for couple in study.choosable]
    free = [couple for couple in couples if couple not in asked]
    count = study.design.catch_trials if couples else 0
    chosen = _balanced(free or couples, count, numbers)
    places = _balanced(range(study.design.choices), count, numbers)
    return [
        _choose(study, couple, study.baseline, place, numbers, catch=True)
        for couple, place in zip(chosen, places, strict=True)
    ]


def _rating_catches(study: Study, numbers: random.Random) -> list[Trial]:
    found = []
    for _ in range(study.design.catch_trials):
        identical, no_face = (numbers.choice(study.couples).id for _ in range(2))
        found.append(_pair("identical", identical, study.baseline, Shown(identical, PHOTOGRAPHS[2]), 0))
        found.append(_pair("no-face", no_face, study.baseline, Shown(no_face, SCRAMBLED), numbers.randint(0, 1)))
    numbers.shuffle(found)
    return found
