"""Photographs as they come, on the web: turned upright, refused, enlarged on request."""

from __future__ import annotations

import io

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hard_faces import covered, cut, photograph, turned
from PIL import Image
from web_client import as_file


def look(client: TestClient, picture: Image.Image, **query: str) -> object:
    return client.post("/api/v1/photos", files={"photo": ("x.png", as_file(picture, "PNG"))}, params=query)


def crop_of(client: TestClient, picture: Image.Image, **query: str) -> np.ndarray:
    seen = look(client, picture, **query).json()
    assert seen["ready"], seen
    crop = Image.open(io.BytesIO(client.get(seen["crop"]).content)).convert("L").resize((256, 256))
    return np.asarray(crop, dtype=float)[80:224, 64:192]


@pytest.mark.parametrize("degrees", [50, 180, 262])
def test_a_turned_photograph_gives_the_upright_crop(client: TestClient, degrees: float) -> None:
    upright = crop_of(client, photograph("P007"))
    assert np.abs(crop_of(client, turned(photograph("P007"), degrees)) - upright).mean() < 12


def test_of_a_turned_photograph_with_two_people_both_are_shown_upright(client: TestClient) -> None:
    pair = Image.new("RGB", (1280, 640), "grey")
    for place, person in enumerate(("P001", "P005")):
        pair.paste(photograph(person), (640 * place, 0))
    seen = look(client, turned(pair, 90)).json()
    assert len(seen["faces"]) == 2
    for face in seen["faces"]:
        from kinblend.faces.detect import detector

        [shown] = detector().detect([Image.open(io.BytesIO(client.get(face["picture"]).content)).convert("RGB")])
        assert max(shown, key=lambda one: one.area).probability > 0.999


def test_a_face_cut_off_is_a_problem_that_says_so(client: TestClient) -> None:
    refused = look(client, cut("P007", "left", 0.3))
    assert refused.status_code == 422 and refused.json()["type"] == "urn:kinblend:face-cut-off"
    assert "cut off" in refused.json()["detail"]


def test_a_small_face_is_enlarged_on_request(client: TestClient) -> None:
    small = photograph("P001").resize((150, 150))
    assert np.abs(crop_of(client, small, upscaler="bicubic") - crop_of(client, small)).max() > 0
    refused = look(client, small, upscaler="nobody")
    assert refused.status_code == 422 and "there are" in refused.json()["detail"]


def test_what_a_photograph_is_warned_of_stays_with_it(client: TestClient, app: object) -> None:
    """The service that the page asks knows the warnings."""
    picture = covered("P009", "sunglasses", "#101418")
    photo = app.state.services.engine_service.inspect(as_file(picture, "PNG"))
    assert photo.parent is not None and any("covers the eyes" in line for line in photo.parent.warnings)
