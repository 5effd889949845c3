"""A study of coloured squares, in a folder, and participants of known skill."""

import math
import random
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from kinblend.imaging.encode import jpeg_bytes
from kinblend.study import Answer, Couple, Design, Study, trials_of
from kinblend.study.folder import CONSENT, UNRELATED, pictures_of, write_study

STRATEGIES = ("average", "first", "second, of its own")


def study(couples: int = 24, sexes: str = "mf", strategies: tuple[str, ...] = STRATEGIES, **design: int) -> Study:
    known = tuple(Couple(id=f"c{number:03d}", sex=sexes[number % len(sexes)]) for number in range(couples))
    asked = {"choose_trials": 8, "rating_trials": 8, "catch_trials": 2} | design
    return Study(
        backbone="toy",
        source="photographs",
        strategies=strategies,
        baseline="average",
        couples=known,
        design=Design(**asked),
    ).check()


def write_toy(folder: Path, made: Study | None = None) -> Path:
    """Each picture has a colour of its own, so that it is known again."""
    made = made or study()
    for couple in made.couples:
        for path in pictures_of(folder, couple.id, len(made.strategies)):
            path.parent.mkdir(parents=True, exist_ok=True)
            numbers = random.Random(f"{couple.id} {path.name}")
            picture = Image.new("RGB", (16, 16), tuple(numbers.randrange(256) for _ in range(3)))
            path.write_bytes(jpeg_bytes(picture, quality=95))
    (folder / CONSENT).write_text("You see faces.\n\nNo names are kept.\n")
    write_study(folder, made)
    return folder


class Crowd:
    """Participants whose answers are drawn.

    skill: of each strategy, how often the right child is seen, apart from guessing. rating: the mean of each
    condition. spread: standard deviation between participants and between couples, of skill and, times ten, of
    ratings. careless: the share of participants who guess everywhere.
    """

    def __init__(
        self,
        made: Study,
        skill: dict[str, float],
        rating: dict[str, float],
        spread: float = 0.0,
        careless: float = 0.0,
        seed: int = 0,
    ) -> None:
        self.study, self.skill, self.rating = made, skill, rating
        self.spread, self.careless, self.numbers = spread, careless, random.Random(seed)
        self._couples = {couple.id: self.numbers.gauss(0, spread) for couple in made.couples}

    def answers(self, participants: int) -> list[Answer]:
        return [row for session in range(participants) for row in self.participant(session)]

    def participant(self, session: int) -> Iterator[Answer]:
        name = f"{self.numbers.getrandbits(64):016x}"
        careless, mood = self.numbers.random() < self.careless, self.numbers.gauss(0, self.spread)
        yield Answer(name, session, 0, "consent", "", "", "", "", "abc")
        for number, trial in enumerate(trials_of(self.study, name, session), start=1):
            shown = (trial.task, trial.catch, trial.couple, trial.strategy, trial.shown)
            answer = self.numbers.choice(trial.answers()) if careless else self._answer(trial, mood)
            yield Answer(name, session, number, *shown, answer, "1.0")

    def _answer(self, trial, mood: float) -> str:
        if trial.catch:
            return {"one-face": trial.couple, "identical": "10", "no-face": "0"}[trial.catch]
        effect = mood + self._couples[trial.couple]
        if trial.task == "choose":
            seen = self.numbers.random() < self.skill[trial.strategy] + effect
            return trial.couple if seen else self.numbers.choice(trial.answers())
        condition = trial.strategy if trial.couple in trial.shown.split() else UNRELATED
        given = self.rating[condition] + 10 * effect + self.numbers.uniform(-1, 1)
        return str(max(0, min(10, math.floor(given + 0.5))))
