"""The other parent, by the interface for programs."""

import io

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from web_client import couple, finished

PARTNERS = "/api/v1/partners"


@pytest.fixture
def people(parents: dict[str, str]) -> dict[str, str]:
    return {"child": parents["father"], "parent": parents["mother"]}


def test_a_child_and_a_parent_give_the_other_parent(client: TestClient, people: dict[str, str]) -> None:
    placed = client.post(PARTNERS, json=people | {"age": 50})
    assert placed.status_code in (200, 202), placed.text
    made = finished(client, placed.json())
    assert (made["status"], made["age"], made["problem"]) == ("done", 50, None)
    again = client.post(PARTNERS, json=people | {"age": 50})
    assert again.status_code == 200 and again.json() == made == client.get(placed.headers["location"]).json()
    jpeg, png = (Image.open(io.BytesIO(client.get(made[kind]).content)) for kind in ("picture", "png"))
    assert jpeg.size == png.size and "synthetic" in str(png.text).lower() + str(jpeg.info.get("comment")).lower()
    sex = {"male": "female", "female": "male"}[made["sex"]]
    other = finished(client, client.post(PARTNERS, json=people | {"age": 50, "sex": sex}).json())
    assert other["sex"] == sex and client.get(other["png"]).content != client.get(made["png"]).content
    assert client.delete(placed.headers["location"]).status_code == 204
    assert client.get(made["picture"]).status_code == 404


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"age": 81}, 422, "age: Input should be less than or equal to 80"),
        ({"sex": "other"}, 422, "sex: Input should be 'female' or 'male'"),
        ({"inverse": 1.5}, 422, "inverse: "),
        ({"child": "0" * 32}, 404, "no such photograph"),
        ({"father": "0" * 32}, 422, "father: Extra inputs are not permitted"),
    ],
    ids=["too old", "no sex", "too far", "no photograph", "unknown field"],
)
def test_what_can_not_be_made_is_a_problem(
    client: TestClient, people: dict[str, str], change: dict, status: int, words: str
) -> None:
    refused = client.post(PARTNERS, json=people | change)
    assert refused.status_code == status and words in refused.json()["detail"], refused.text


def test_one_photograph_is_not_child_and_parent(client: TestClient, people: dict[str, str]) -> None:
    refused = client.post(PARTNERS, json=people | {"child": people["parent"]})
    assert refused.status_code == 422 and refused.json()["detail"].startswith("The child and the parent are one")


def test_it_has_to_be_clear_who_is_meant(client: TestClient, people: dict[str, str]) -> None:
    several = client.post("/api/v1/photos", files={"photo": couple()}).json()["id"]
    refused = client.post(PARTNERS, json=people | {"child": several})
    assert refused.status_code == 409 and "choose one first" in refused.json()["detail"]


def test_orders_of_another_kind_are_not_found(client: TestClient, people: dict[str, str]) -> None:
    made = finished(client, client.post(PARTNERS, json=people).json())
    for place in ("children", "trees"):
        assert client.get(f"/api/v1/{place}/{made['id']}").status_code == 404
        assert client.get(f"/api/v1/{place}/{made['id']}/events").status_code == 404
    assert client.get(f"/api/v1/children/{made['id']}/1/picture.png").status_code == 404
