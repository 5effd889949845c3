"""Who takes part, and how far they are: from the answers' file alone, so that a server may end at any time."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from kinblend.errors import InputError, KinblendError
from kinblend.study.answers import CONSENT, Answer, AnswerFile
from kinblend.study.design import KNOWN, Trial, trials_of
from kinblend.study.folder import StudyFolder

MOST = 20_000  # participants of a study: whoever agrees again and again fills no disk


class StudyFullError(KinblendError):
    """No more participants are taken."""


@dataclass
class Session:
    """One participant's trials. answered: how many of them. shown_at: when the current one was, by the clock."""

    participant: str
    number: int
    trials: list[Trial]
    answered: int = 0
    shown_at: float | None = None

    @property
    def current(self) -> Trial | None:
        """What is to be answered next; None at the end."""
        return self.trials[self.answered] if self.answered < len(self.trials) else None


@dataclass
class Sessions:
    """All sessions of a study. clock: seconds. Raises `InputError` for answers that are not of this study."""

    folder: StudyFolder
    clock: Callable[[], float] = time.monotonic
    _sessions: dict[str, Session] = field(default_factory=dict)
    _next: int = 0

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._file = AnswerFile(self.folder.answers)
        for row in self._file.rows():
            if row.task == CONSENT:
                self._open(row.participant, row.session)
            else:
                self._go_on(row)

    def find(self, token: str) -> Session | None:
        """The session of whoever has this token."""
        return self._sessions.get(participant_of(token))

    def begin(self) -> str:
        """Somebody agreed: their token. Raises `StudyFullError` and `OSError`."""
        with self._lock:
            if self._next >= MOST:
                raise StudyFullError("This study takes no more participants")
            token = secrets.token_urlsafe(24)
            participant, text = participant_of(token), hashlib.sha256(self.folder.consent.encode()).hexdigest()[:12]
            self._file.add(Answer(participant, self._next, 0, CONSENT, "", "", "", "", text))
            self._open(participant, self._next)
            return token

    def show(self, session: Session) -> Trial | None:
        """The trial to show; from now on its seconds are counted."""
        session.shown_at = session.shown_at or self.clock()
        return session.current

    def answer(self, session: Session, number: int, given: str) -> bool:
        """Keep the answer to a trial, counted from 1. False, and nothing is kept, where it is not the current one.

        given: a picture's place, counted from 1, a rating, or "known". Raises `InputError` and `OSError`.
        """
        with self._lock:
            trial = session.current
            if trial is None or number != session.answered + 1 or session.participant not in self._sessions:
                return False
            self._file.add(self._row(session, trial, number, _meaning(trial, given)))
            session.answered, session.shown_at = number, None
            return True

    def withdraw(self, session: Session) -> None:
        """Remove all that somebody answered, consent too."""
        with self._lock:
            self._file.remove(session.participant)
            self._sessions.pop(session.participant, None)

    def _open(self, participant: str, number: int) -> None:
        trials = trials_of(self.folder.study, participant, number)
        self._sessions[participant] = Session(participant, number, trials)
        self._next = max(self._next, number + 1)

    def _go_on(self, row: Answer) -> None:
        session = self._sessions.get(row.participant)
        trial = session and session.current
        asked = trial and (trial.task, trial.couple, trial.strategy, trial.shown)
        if session is None or asked != (row.task, row.couple, row.strategy, row.shown):
            raise InputError(
                f"{self.folder.answers} has answers to another study; move the file away, or prepare that study again"
            )
        session.answered += 1

    def _row(self, session: Session, trial: Trial, number: int, answer: str) -> Answer:
        seconds = "" if session.shown_at is None else f"{self.clock() - session.shown_at:.1f}"
        about = (trial.task, trial.catch, trial.couple, trial.strategy, trial.shown)
        return Answer(session.participant, session.number, number, *about, answer, seconds)


def participant_of(token: str) -> str:
    """What the answers call whoever has this token, which they don't tell: 16 hex digits."""
    return hashlib.sha256(token.encode()).hexdigest()[:16]


def _meaning(trial: Trial, given: str) -> str:
    if given == KNOWN:
        return KNOWN
    answers = trial.answers()
    offered = [str(place) for place in range(1, len(answers) + 1)] if trial.task == "choose" else answers
    if given not in offered:
        raise InputError(f"choose one of {offered[0]} to {offered[-1]}")
    return answers[offered.index(given)]
