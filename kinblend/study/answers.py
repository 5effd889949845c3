"""Answers as a CSV: a row for each, on the disk before the page goes on. Nothing in it says who somebody is."""

from __future__ import annotations

import csv
import io
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from kinblend.errors import InputError
from kinblend.files import append_text, atomic_write
from kinblend.storage.tables import csv_table
from kinblend.storage.texts import read_bytes
from kinblend.study.design import HIGHEST, KNOWN

CONSENT = "consent"  # the task of a participant's first row


@dataclass(frozen=True)
class Answer:
    """A row.

    participant: random, 16 hex digits. session: how many participants came before. trial: its number, from 1; 0 is
    consent. task, catch, couple, strategy, shown: as in `design.Trial`. answer: the couple that was chosen, the
    rating, "known" where a face was recognised; of consent the beginning of the text's SHA-256. seconds: from the
    page to the answer; "" where the server was started in between.
    """

    participant: str
    session: int
    trial: int
    task: str
    catch: str
    couple: str
    strategy: str
    shown: str
    answer: str
    seconds: str = ""

    @property
    def unrelated(self) -> bool:
        """Whether a rating is of another couple's prediction."""
        return self.task == "rate" and not self.catch and self.couple not in self.shown.split()


COLUMNS = tuple(field.name for field in fields(Answer))


class AnswerFile:
    """Appends to a file of answers, for one process at a time.

    path: made where there is none. What a crash left of a last row is removed. Raises `OSError` and `InputError`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        data = read_bytes(path) if path.is_file() else b""
        head = _line(COLUMNS).encode()
        if whole_rows(data) and not data.startswith(head):
            raise InputError(
                f"{path} is no file of answers as they were written; move it away, or undo what changed it"
            )
        if not data or whole_rows(data) != data:
            atomic_write(path, whole_rows(data) or head, durable=True)

    def rows(self) -> list[Answer]:
        """All of them."""
        return read_answers(self.path)

    def add(self, answer: Answer) -> None:
        """Append a row; it is on the disk when this returns. On `OSError` the file is as it was."""
        size = self.path.stat().st_size
        try:
            append_text(self.path, _line([getattr(answer, name) for name in COLUMNS]), durable=True)
        except OSError:
            os.truncate(self.path, size)
            raise

    def remove(self, participant: str) -> None:
        """Remove all rows of a participant: the file is written anew without them."""
        kept = [row for row in self.rows() if row.participant != participant]
        lines = [_line([getattr(row, name) for name in COLUMNS]) for row in kept]
        atomic_write(self.path, "".join([_line(COLUMNS), *lines]).encode(), durable=True)


def read_answers(path: str | Path) -> list[Answer]:
    """The answers of a file, in order; a last row that is not whole is left out. Raises `InputError`."""
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} does not exist; nobody has answered yet")
    table = csv_table(whole_rows(read_bytes(path)), str(path))
    if tuple(table.columns) != COLUMNS:
        raise InputError(f"{path} is no file of answers; its columns are to be {', '.join(COLUMNS)}")
    seen: set[tuple[str, int]] = set()
    found = []
    for line, row in table.rows:
        answer = _parse(path, line, row)
        if (key := (answer.participant, answer.trial)) in seen:
            raise InputError(f"{path}, line {line}: trial {answer.trial} was answered before")
        seen.add(key)
        found.append(answer)
    return found


def whole_rows(data: bytes) -> bytes:
    """What of a file was written to its end."""
    return data[: data.rfind(b"\n") + 1]


def _parse(path: Path, line: int, row: Any) -> Answer:
    texts = {name: row[name] for name in COLUMNS}
    try:
        if None in row or None in texts.values():
            raise ValueError("cells are missing or too many")
        answer = Answer(**texts | {"session": int(texts["session"]), "trial": int(texts["trial"])})
        _check(answer)
    except ValueError as error:
        raise InputError(f"{path}, line {line}: {error}") from error
    return answer


def _check(answer: Answer) -> None:
    """Raise `ValueError` for a row that nobody can have written by answering."""
    if answer.task not in (CONSENT, "choose", "rate") or answer.catch not in ("", "one-face", "identical", "no-face"):
        raise ValueError(f"there is no task {answer.task!r:.40} with catch {answer.catch!r:.40}")
    if answer.session < 0 or answer.trial < 0 or (answer.task == CONSENT) != (answer.trial == 0):
        raise ValueError("session and trial are to be numbers from 0, and trial 0 is consent")
    if answer.answer == KNOWN or answer.task == CONSENT:
        return
    if answer.task == "rate" and answer.answer not in map(str, range(HIGHEST + 1)):
        raise ValueError(f"a rating is a whole number from 0 to {HIGHEST}, not {answer.answer!r:.40}")
    chosen = [text.partition("/")[0] for text in answer.shown.split()]
    if answer.task == "choose" and answer.answer not in chosen:
        raise ValueError(f"{answer.answer!r:.40} was chosen, but not shown")


def _line(cells: Any) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
