"""Family trees, by the interface for programs."""

import io
import json
import zipfile
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from web_client import couple, finished

from kinblend.family_tree import read_tree

TREES = "/api/v1/trees"
PROBLEM = "application/problem+json"


def people(parents: dict[str, str]) -> list[dict]:
    """Two photographs, a son of theirs, and his child with her, which a tree may have."""
    return [
        {"name": "Ernst", "photo": parents["father"], "age": 71},
        {"name": "Rosa", "photo": parents["mother"]},
        {"name": "Ida", "photo": parents["mother"]},
        {"name": "Paul", "father": "Ernst", "mother": "Rosa"},
        {"name": "Lena/Lea", "father": "Paul", "mother": "Ida", "age": 12, "sex": "girl", "siblings": 1.0},
    ]


@pytest.fixture
def asked(parents: dict[str, str]) -> dict:
    return {"title": "Us", "siblings": 0.5, "person": people(parents)}


def test_a_tree_from_photographs_to_its_bundle(client: TestClient, asked: dict, tmp_path: Path) -> None:
    placed = client.post(TREES, json=asked)
    assert placed.status_code in (200, 202), placed.text
    made = finished(client, placed.json())
    assert (made["status"], made["done"], made["total"], made["problem"]) == ("done", 2, 2, None)
    again = client.post(TREES, json=asked)
    assert again.status_code == 200 and again.json() == made == client.get(placed.headers["location"]).json()

    assert [one["generation"] for one in made["people"]] == [0, 0, 1, 1, 2]
    assert [one["predicted"] for one in made["people"]] == [False, False, False, True, True]
    assert [one["age"] for one in made["people"]] == [71, None, None, None, 12]
    assert [one["sex"] for one in made["people"]] == ["boy", "girl", "girl", "boy", "girl"]
    pictures = [client.get(one["picture"]).content for one in made["people"]]
    assert len(set(pictures)) == 4 and pictures[1] == pictures[2], "one photograph of two people"
    assert Image.open(io.BytesIO(client.get(made["people"][4]["png"]).content)).format == "PNG"
    assert made["people"][0]["png"] is None and client.get(f"{TREES}/{made['id']}/people/1.png").status_code == 404
    assert client.get(f"{TREES}/{made['id']}/people/6.jpg").status_code == 404
    drawn = Image.open(io.BytesIO(client.get(made["png"]).content))
    assert drawn.width > 500 and drawn.size == Image.open(io.BytesIO(client.get(made["picture"]).content)).size

    packed = zipfile.ZipFile(io.BytesIO(client.get(made["bundle"]).content))
    assert sorted(packed.namelist()) == sorted(
        ["family.json", "tree.png", "Paul.png", "Lena-Lea.png"]
        + [f"photos/{who}.jpg" for who in ("Ernst", "Rosa", "Ida")]
    )
    packed.extractall(tmp_path)
    read = read_tree(tmp_path / "family.json")
    assert list(read.people) == [one["name"] for one in asked["person"]] and read.title == "Us"
    assert (read.siblings, read.people["Paul"].siblings, read.people["Lena/Lea"].siblings) == (0.5, None, 1)
    opened = client.post(f"{TREES}/file", content=packed.read("family.json")).json()
    assert (opened["siblings"], opened["mutation"]) == (0.5, None)
    assert opened["person"] == [
        one | {"photo": f"photos/{one['name']}.jpg"} if "photo" in one else one for one in asked["person"]
    ]

    assert client.delete(placed.headers["location"]).status_code == 204
    assert client.get(made["picture"]).status_code == 404


REFUSED = {
    "nobody": ([], "write 1 to 100 people"),
    "own ancestors": (
        [
            {"name": "A", "father": "B", "mother": "C"},
            {"name": "B", "father": "A", "mother": "C"},
            {"name": "C", "photo": "M"},
        ],
        "own ancestors",
    ),
    "an own parent": ([{"name": "A", "father": "A", "mother": "M"}, {"name": "M", "photo": "M"}], "own ancestors"),
    "an unknown parent": (
        [{"name": "A", "father": "X", "mother": "M"}, {"name": "M", "photo": "M"}],
        "nobody of",
    ),
    "one parent": ([{"name": "A", "father": "M"}, {"name": "M", "photo": "M"}], "a child needs both"),
    "neither photograph nor parents": ([{"name": "A"}], "give a photo, or father and mother"),
    "two of one name": ([{"name": "M", "photo": "M"}, {"name": "M", "photo": "M"}], "two people have this name"),
    "a long name": ([{"name": "x" * 81, "photo": "M"}], "1 to 80 letters"),
    "no letters": ([{"name": "\N{CLOWN FACE}", "photo": "M"}], "No font here has"),
    "nobody to make": ([{"name": "M", "photo": "M"}], "add a child of two"),
    "too many": ([{"name": f"P{number}", "photo": "M"} for number in range(25)], "at most 24 people"),
    "an age": ([{"name": "A", "photo": "M", "age": 200}], "use at most 120"),
    "too old to be made": (
        [
            {"name": "A", "father": "F", "mother": "M", "age": 90},
            {"name": "F", "photo": "F"},
            {"name": "M", "photo": "M"},
        ],
        "a predicted person is at most 80",
    ),
    "an unknown strategy": (
        [
            {"name": "A", "father": "F", "mother": "M", "blender": "nothing"},
            {"name": "F", "photo": "F"},
            {"name": "M", "photo": "M"},
        ],
        "A: ",
    ),
    "a file of the server's": (
        [
            {
                "name": "A",
                "father": "F",
                "mother": "M",
                "blender": "learned",
                "blender_options": {"weights": "/etc/passwd"},
            },
            {"name": "F", "photo": "F"},
            {"name": "M", "photo": "M"},
        ],
        "A: ",
    ),
    "a path for a photograph": ([{"name": "A", "photo": "/etc/passwd"}], "person.0.photo: String should match"),
    "an unknown field": ([{"name": "A", "photo": "M", "face": 2}], "person.0.face: Extra inputs"),
}


@pytest.mark.parametrize(("given", "words"), REFUSED.values(), ids=REFUSED)
def test_a_tree_that_can_not_be_made_is_a_problem(
    client: TestClient, parents: dict[str, str], given: list[dict], words: str
) -> None:
    ids = {"F": parents["father"], "M": parents["mother"]}
    person = [one | {"photo": ids.get(one["photo"], one["photo"])} if "photo" in one else one for one in given]
    refused = client.post(TREES, json={"person": person})
    assert (refused.status_code, refused.headers["content-type"]) == (422, PROBLEM), refused.text
    assert words in refused.json()["detail"], refused.text


def test_a_photograph_that_will_not_do_is_told_with_the_name(client: TestClient, asked: dict) -> None:
    for photo, status in (
        ("0" * 32, 404),
        (client.post("/api/v1/photos", files={"photo": couple()}).json()["id"], 409),
    ):
        asked["person"][1]["photo"] = photo
        refused = client.post(TREES, json=asked)
        assert refused.status_code == status and refused.json()["detail"].startswith("Rosa: The"), refused.text


FILES = {
    "nothing": (b"", 422, "write 1 to 100 people"),
    "bytes": (bytes(range(256)), 422, "Family.toml"),
    "broken TOML": (b"[[person]]\nname = ", 422, "not valid TOML"),
    "broken JSON": (b'{"person": [', 422, "not valid JSON"),
    "deep JSON": (b'{"a":' * 100_000, 422, "nested deeper"),
    "a list": (b"[]", 422, "not valid TOML"),
    "too large": (bytes(2 * 2**20), 413, "at most"),
    "a circle": (
        b'[[person]]\nname="A"\nfather="A"\nmother="M"\n[[person]]\nname="M"\nphoto="m.jpg"',
        422,
        "own ancestors",
    ),
}


@pytest.mark.parametrize(("data", "status", "words"), FILES.values(), ids=FILES)
def test_a_file_that_is_no_tree_is_a_problem(client: TestClient, data: bytes, status: int, words: str) -> None:
    refused = client.post(f"{TREES}/file", content=data)
    assert (refused.status_code, refused.headers["content-type"]) == (status, PROBLEM), refused.text
    assert words in refused.json()["detail"], refused.text


def test_a_toml_file_is_read_with_values_that_json_lacks(client: TestClient) -> None:
    text = 'title = "Us"\n[[person]]\nname = "A"\nphoto = "../a.jpg"\n[[person]]\nname="B"\nphoto="b.jpg"\n'
    text += '[[person]]\nname = "C"\nfather = "A"\nmother = "B"\nblender_options = { x = nan, day = 2026-01-01 }\n'
    opened = client.post(f"{TREES}/file", content=text.encode())
    assert opened.status_code == 200, opened.text
    assert json.loads(opened.text)["person"][0] == {"name": "A", "photo": "../a.jpg"}
