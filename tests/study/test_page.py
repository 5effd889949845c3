"""The page, as participants and as the curious meet it."""

import re
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the web extra is not installed")

from fastapi.testclient import TestClient
from plugin_site import here
from toy_study import STRATEGIES, study, write_toy
from web_client import HERE

from kinblend.errors import InputError
from kinblend.study import read_answers
from kinblend.study.app import PARTICIPANT, create_study_app
from kinblend.study.folder import StudyFolder
from kinblend.study.sessions import participant_of
from kinblend.web.access import Access
from kinblend.web.limits import Limits

MANY = Limits(requests_per_second=1e6, burst=1e6)


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return StudyFolder(write_toy(tmp_path / "study"))


@pytest.fixture
def client(folder: StudyFolder) -> TestClient:
    return TestClient(create_study_app(folder, limits=MANY), base_url=HERE)


def begin(client: TestClient) -> None:
    assert client.post("/consent", data={"agree": "yes"}).url.path == "/trial"


def test_consent_comes_first(client: TestClient, folder: StudyFolder) -> None:
    page = client.get("/")
    assert "No names are kept." in page.text and "I agree" in page.text
    for path in ("/trial", "/answer"):
        answer = client.get(path) if path == "/trial" else client.post(path, data={"trial": 1, "answer": 1})
        assert answer.url.path == "/", "nobody is asked who has not agreed"
    assert client.get("/picture/1/1").status_code == 404
    refused = client.post("/consent", data={})
    assert refused.status_code == 422 and "Tick the box" in refused.text
    assert read_answers(folder.answers) == []
    begin(client)
    assert client.get("/").url.path == "/trial"


def test_a_whole_session_and_its_rows(client: TestClient, folder: StudyFolder) -> None:
    begin(client)
    total = int(re.search(r"Question 1 of (\d+)", client.get("/trial").text)[1])
    for number in range(1, total + 1):
        page = client.get("/trial").text
        assert f"Question {number} of {total}" in page
        pictures = re.findall(r'src="(/picture/[^"]+)"', page)
        assert len(pictures) == (6 if "is theirs?" in page else 2)
        assert all(client.get(path).headers["content-type"] == "image/jpeg" for path in pictures)
        last = client.post("/answer", data={"trial": number, "answer": "1"})
    assert "Thank you" in last.text and client.get("/picture/1/1").status_code == 404
    rows = read_answers(folder.answers)
    assert [row.trial for row in rows] == list(range(total + 1))
    assert {row.participant for row in rows} == {participant_of(client.cookies[PARTICIPANT])}
    chosen = [row for row in rows if row.task == "choose"]
    assert all(row.answer == row.shown.split()[0].partition("/")[0] for row in chosen)


def test_pictures_are_those_that_the_answers_name(client: TestClient, folder: StudyFolder) -> None:
    begin(client)
    page = client.get("/trial").text
    seen = [client.get(path).content for path in re.findall(r'src="(/picture/[^"]+)"', page)]
    client.post("/answer", data={"trial": 1, "answer": "1"})
    row = read_answers(folder.answers)[1]
    kinds = [text.split("/") if "/" in text else (text, "predicted") for text in row.shown.split()]
    paths = [folder.picture(row.couple, "father"), folder.picture(row.couple, "mother")]
    paths += [folder.picture(c, what, row.strategy if what == "predicted" else "") for c, what in kinds]
    assert seen == [path.read_bytes() for path in paths]


def test_nothing_tells_strategies_couples_or_the_answer(client: TestClient, folder: StudyFolder) -> None:
    """Neither the page nor an address nor a header: files that were made together have dates that would tell."""
    begin(client)
    headers = set()
    for number in range(1, 9):
        page = client.get("/trial")
        text = page.text + str(page.headers) + str(page.url)
        assert not [name for name in (*STRATEGIES, "c0", "predicted", "scrambled", "catch") if name in text]
        for path in re.findall(r'src="(/picture/[^"]+)"', page.text):
            assert re.fullmatch(rf"/picture/{number}/(father|mother|\d)", path)
            found = dict(client.get(path).headers)
            assert found.pop("content-length")
            headers.add(str(sorted(found.items())))
        client.post("/answer", data={"trial": number, "answer": "1"})
    assert len(headers) == 1 and "etag" not in headers.pop()


@pytest.mark.parametrize("path", ["/", "/trial", "/static/study/study.css", "/picture/1/1", "/none"])
def test_every_answer_has_a_policy_without_scripts(client: TestClient, path: str) -> None:
    begin(client)
    policy = client.get(path).headers["content-security-policy"]
    assert "default-src 'none'" in policy and "script" not in policy and "http" not in policy
    assert "unsafe" not in policy and "form-action 'self'" in policy


def test_the_page_asks_nobody_else_and_runs_nothing(client: TestClient) -> None:
    begin(client)
    for page in (client.get("/trial").text, TestClient(client.app, base_url=HERE).get("/").text):
        assert not re.search(r"<script|\son\w+=|style=|https?://", page)
        for path in re.findall(r'(?:src|href)="([^"]+)"', page):
            assert client.get(path).status_code == 200, path


def test_every_control_can_be_reached_by_keyboard_and_has_a_name(client: TestClient, folder: StudyFolder) -> None:
    """Radio buttons, buttons and a link list of their own: nothing needs a pointer, and pictures have texts."""
    begin(client)
    for number in range(1, 14):
        page = client.get("/trial").text
        assert "<legend>" in page and "autofocus" not in page, "what is marked first is answered more often"
        assert all('alt="' in tag for tag in re.findall(r"<img[^>]*>", page))
        assert 'tabindex="-' not in page
        offered = 4 if "is theirs?" in page else 11
        assert len(re.findall(r'<label><input type="radio"', page)) == offered
        client.post("/answer", data={"trial": number, "answer": "1"})


def test_nothing_chosen_is_said_and_not_kept(client: TestClient, folder: StudyFolder) -> None:
    begin(client)
    answer = client.post("/answer", data={"trial": 1})
    assert answer.status_code == 422 and "Choose an answer first" in answer.text
    assert len(read_answers(folder.answers)) == 1


@pytest.mark.parametrize(
    "form",
    [
        {"trial": "1", "answer": "9"},
        {"trial": "x", "answer": "1"},
        {"trial": "", "answer": "1"},
        {"trial": "²", "answer": "1"},
        {"trial": "9" * 5000, "answer": "1"},
        {"trial": "1", "answer": "x" * 9000},
    ],
)
def test_answers_that_nobody_can_give_are_refused_and_not_kept(
    client: TestClient, folder: StudyFolder, form: dict[str, str]
) -> None:
    begin(client)
    answer = client.post("/answer", data=form)
    assert answer.status_code == 422 and answer.headers["content-type"] == "application/problem+json"
    assert len(read_answers(folder.answers)) == 1


def test_an_answer_that_comes_twice_counts_once(client: TestClient, folder: StudyFolder) -> None:
    begin(client)
    for _ in range(3):
        assert client.post("/answer", data={"trial": 1, "answer": "2"}).status_code == 200
    assert len(read_answers(folder.answers)) == 2


def test_who_knows_a_face_says_so(client: TestClient, folder: StudyFolder) -> None:
    begin(client)
    client.post("/answer", data={"trial": 1, "known": "yes"})
    assert read_answers(folder.answers)[1].answer == "known"


def test_withdrawing_deletes_and_the_next_participant_begins_anew(client: TestClient, folder: StudyFolder) -> None:
    begin(client)
    client.post("/answer", data={"trial": 1, "answer": "2"})
    assert "were deleted" in client.post("/withdraw").text
    assert read_answers(folder.answers) == []
    begin(client)
    first = client.cookies[PARTICIPANT]
    assert client.post("/leave").url.path == "/"
    begin(client)
    assert client.cookies[PARTICIPANT] != first
    assert len({row.participant for row in read_answers(folder.answers)}) == 2


def test_two_participants_at_once_are_kept_apart(folder: StudyFolder) -> None:
    app = create_study_app(folder, limits=MANY)
    clients = [TestClient(app, base_url=HERE) for _ in range(2)]
    for client in clients:
        begin(client)
    for number in (1, 2, 3):
        for client in clients:
            client.post("/answer", data={"trial": number, "answer": "1"})
    rows = read_answers(folder.answers)
    assert sorted(row.session for row in rows) == [0] * 4 + [1] * 4
    orders = {tuple(row.shown for row in rows if row.session == session) for session in (0, 1)}
    assert len(orders) == 2


def test_strangers_are_refused(folder: StudyFolder) -> None:
    client = TestClient(create_study_app(folder, limits=MANY), base_url=HERE)
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 403
    foreign = {"Origin": "http://evil.example"}
    assert client.post("/consent", data={"agree": "yes"}, headers=foreign).status_code == 403
    assert read_answers(folder.answers) == []


def test_elsewhere_a_token_is_needed(folder: StudyFolder) -> None:
    token = "0123456789abcdef"
    client = TestClient(create_study_app(folder, Access("0.0.0.0", token), MANY), base_url=HERE)
    assert client.get("/trial").status_code == 401
    assert client.get("/", headers={"Accept": "text/html"}).url.path == "/login"
    assert client.post("/login", data={"token": "wrong"}).status_code == 401
    assert "No names are kept." in client.post("/login", data={"token": token}).text
    begin(client)


def test_requests_have_limits(folder: StudyFolder) -> None:
    client = TestClient(create_study_app(folder, limits=Limits(requests_per_second=0.01, burst=3)), base_url=HERE)
    assert [client.get("/").status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    client = TestClient(create_study_app(folder, limits=MANY), base_url=HERE)
    assert client.post("/consent", content=b"x" * 2**21).status_code == 413


def test_an_address_or_a_name_is_nowhere_in_the_folder(folder: StudyFolder) -> None:
    client = TestClient(create_study_app(folder, limits=MANY), base_url=HERE, client=("203.0.113.77", 4711))
    begin(client)
    client.post("/answer", data={"trial": 1, "answer": "1"}, headers={"User-Agent": "a browser of mine"})
    token = client.cookies[PARTICIPANT]
    for path in folder.path.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not [word for word in (b"203.0.113", b"browser", token.encode()) if word in data], path


def test_a_study_that_lacks_pictures_or_consent_is_not_served(tmp_path: Path) -> None:
    folder = write_toy(tmp_path, study(8))
    (folder / "consent.txt").write_text(" \n")
    with pytest.raises(InputError, match="is empty"):
        create_study_app(StudyFolder(folder))
    (folder / "consent.txt").write_text("Agreed?")
    (folder / "pictures" / "c003" / "child.jpg").unlink()
    code, out, error = here("study", "serve", folder)
    assert (code, out, error.count("\n")) == (3, "", 1) and "prepare the study again" in error
    assert here("study", "serve", folder, "--host", "0.0.0.0")[0] == 2
    assert here("study", "serve", tmp_path / "none")[0] == 3
