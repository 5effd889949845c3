"""The answers' file: a row for each answer, whole or not there, whatever happens to the server."""

import os
import signal
from pathlib import Path

import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_study import Crowd, study, write_toy
from web_client import WAIT, Server

from kinblend.errors import InputError
from kinblend.study import Answer, read_answers
from kinblend.study.answers import COLUMNS, AnswerFile, whole_rows
from kinblend.study.folder import StudyFolder
from kinblend.study.sessions import Session, Sessions, participant_of

HEAD = ",".join(COLUMNS) + "\n"
ROW = Answer("0123456789abcdef", 0, 1, "choose", "", "c001", "average", "c001 c002", "c002", "3.1")


def fields() -> st.SearchStrategy[str]:
    """Texts that a strategy may be called."""
    return st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9_ ,.+-]{0,30}[A-Za-z0-9_.+-])?", fullmatch=True)


@settings(max_examples=50, deadline=None)
@given(st.lists(fields(), max_size=6))
def test_what_is_added_is_read_again(tmp_path_factory, strategies: list[str]) -> None:
    file = AnswerFile(tmp_path_factory.mktemp("answers") / "answers.csv")
    rows = [Answer(**vars(ROW) | {"trial": n + 1, "strategy": name}) for n, name in enumerate(strategies)]
    for row in rows:
        file.add(row)
    assert file.rows() == rows == AnswerFile(file.path).rows()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_file_that_ends_anywhere_has_all_rows_before(tmp_path_factory, data) -> None:
    """As after a crash of the machine: what was not written to its end is cut off, and work goes on."""
    file = AnswerFile(tmp_path_factory.mktemp("answers") / "answers.csv")
    rows = [Answer(**vars(ROW) | {"trial": n, "strategy": "a, b"}) for n in range(1, 5)]
    for row in rows:
        file.add(row)
    whole = file.path.read_bytes()
    end = data.draw(st.integers(0, len(whole)))
    file.path.write_bytes(whole[:end])
    complete = rows[: max(0, whole[:end].count(b"\n") - 1)]
    if whole_rows(whole[:end]):
        assert read_answers(file.path) == complete
    again = AnswerFile(file.path)
    assert again.rows() == complete
    again.add(Answer(**vars(ROW) | {"trial": 9}))
    assert len(again.rows()) == len(complete) + 1


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = AnswerFile(tmp_path / "answers.csv")
    file.add(ROW)
    before = file.path.read_bytes()

    def full(path: Path, text: str, **_: object) -> None:
        with Path(path).open("a") as out:
            out.write(text[: len(text) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("kinblend.study.answers.append_text", full)
    with pytest.raises(OSError, match="space"):
        file.add(ROW)
    assert file.path.read_bytes() == before


@pytest.mark.parametrize(
    "changed",
    [
        {"answer": "c009"},
        {"task": "rate", "answer": "11"},
        {"task": "rate", "answer": "-1"},
        {"task": "rate", "answer": "1.5"},
        {"task": "guess"},
        {"catch": "maybe"},
        {"trial": "0"},
        {"trial": "one"},
        {"session": "-1"},
        {"task": "consent"},
    ],
)
def test_rows_that_nobody_can_have_answered_are_refused_with_their_line(changed: dict, tmp_path: Path) -> None:
    file = AnswerFile(tmp_path / "answers.csv")
    file.add(ROW)
    file.add(Answer(**vars(ROW) | {"trial": 2} | changed))
    with pytest.raises(InputError, match="line 3"):
        read_answers(file.path)


@pytest.mark.parametrize("text", ["", "a,b\n", "\xff\n", HEAD + "x\n", HEAD + "x," * 20 + "\n"])
def test_other_files_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(InputError, match=r"a\.csv"):
        read_answers(tmp_path / "a.csv")
    if text:
        with pytest.raises(InputError, match=r"a\.csv"):
            AnswerFile(tmp_path / "a.csv").rows()
    with pytest.raises(InputError, match="nobody has answered"):
        read_answers(tmp_path / "b.csv")


def test_an_answer_twice_is_refused(tmp_path: Path) -> None:
    file = AnswerFile(tmp_path / "answers.csv")
    for _ in range(2):
        file.add(ROW)
    with pytest.raises(InputError, match="answered before"):
        file.rows()


def answer_some(sessions: Sessions, session: Session, count: int) -> None:
    for _ in range(count):
        trial = sessions.show(session)
        assert sessions.answer(session, session.answered + 1, "1"), trial


def test_sessions_go_on_where_they_were_and_take_turns(tmp_path: Path) -> None:
    folder = StudyFolder(write_toy(tmp_path))
    sessions = Sessions(folder)
    tokens = [sessions.begin() for _ in range(3)]
    for count, token in enumerate(tokens):
        answer_some(sessions, sessions.find(token), 2 * count)
    again = Sessions(folder)
    for count, token in enumerate(tokens):
        before, after = sessions.find(token), again.find(token)
        assert (after.number, after.answered, after.trials) == (count, 2 * count, before.trials)
    assert again.find(again.begin()).number == 3
    text = folder.answers.read_text()
    assert not any(token in text for token in tokens) and participant_of(tokens[0]) in text
    assert again.find("") is None and again.find("x") is None


def test_an_answer_counts_once_and_only_to_the_current_question(tmp_path: Path) -> None:
    sessions = Sessions(StudyFolder(write_toy(tmp_path)))
    session = sessions.find(sessions.begin())
    assert [sessions.answer(session, number, "1") for number in (2, 0, 1, 1, 3, 2)] == [
        False,
        False,
        True,
        False,
        False,
        True,
    ]
    for strange in ("0", "5", "", "c001", "１"):
        with pytest.raises(InputError, match="choose one of"):
            sessions.answer(session, 3, strange)
    assert len(read_answers(sessions.folder.answers)) == 3


def test_who_withdraws_leaves_nothing(tmp_path: Path) -> None:
    sessions = Sessions(StudyFolder(write_toy(tmp_path)))
    first, second = (sessions.find(sessions.begin()) for _ in range(2))
    for session in (first, second):
        answer_some(sessions, session, 3)
    sessions.withdraw(first)
    rows = read_answers(sessions.folder.answers)
    assert {row.participant for row in rows} == {second.participant} and len(rows) == 4
    assert not sessions.answer(first, 4, "1"), "a late answer is not kept"


def test_seconds_are_counted_from_the_page_on(tmp_path: Path) -> None:
    now = [100.0]
    sessions = Sessions(StudyFolder(write_toy(tmp_path)), clock=lambda: now[0])
    session = sessions.find(sessions.begin())
    sessions.show(session)
    now[0] += 2.5
    sessions.show(session)  # a second look at the same question
    now[0] += 1
    sessions.answer(session, 1, "1")
    sessions.answer(session, 2, "1")
    assert [row.seconds for row in read_answers(sessions.folder.answers)[1:]] == ["3.5", ""]


def test_answers_of_another_study_are_not_gone_on_with(tmp_path: Path) -> None:
    folder = StudyFolder(write_toy(tmp_path))
    file = AnswerFile(folder.answers)
    for row in Crowd(study(seed=9), dict.fromkeys(folder.study.strategies, 0.5), {}).answers(0) or [ROW]:
        file.add(row)
    with pytest.raises(InputError, match="another study"):
        Sessions(folder)


def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    """SIGKILL right after an answer was taken, again and again: none is lost, and each session goes on."""
    folder = write_toy(tmp_path)
    jar: dict[str, str] = {}
    for round_ in range(3):
        with Server("--quiet", str(folder), serve=("study", "serve")) as server:
            with httpx2.Client(base_url=server.address, timeout=WAIT, cookies=jar) as client:
                if not jar:
                    assert client.post("consent", data={"agree": "yes"}).status_code == 303
                    jar = dict(client.cookies)
                page = client.get("trial").text
                for number in range(3 * round_ + 1, 3 * round_ + 4):
                    assert f"Question {number} of" in page
                    assert client.post("answer", data={"trial": number, "answer": "2"}).status_code == 303
                    page = client.get("trial").text if number < 3 * round_ + 3 else ""
            os.kill(server.process.pid, signal.SIGKILL)
        rows = read_answers(folder / "answers.csv")
        assert [row.trial for row in rows] == list(range(3 * round_ + 4))


@pytest.mark.parametrize("change", [lambda text: text.replace(",", ";"), lambda text: "sep=,\n" + text])
def test_a_file_that_a_spreadsheet_saved_is_analysed_but_not_gone_on_with(change, tmp_path: Path) -> None:
    """Rows of two kinds in one file would be read as neither."""
    file = AnswerFile(tmp_path / "answers.csv")
    file.add(ROW)
    file.path.write_text(change(file.path.read_text()))
    assert read_answers(file.path) == [ROW]
    with pytest.raises(InputError, match="move it away"):
        AnswerFile(file.path)
