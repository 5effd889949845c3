"""The interface for programs, over the real engine."""

import io
import json
import time
import zipfile
from itertools import pairwise
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from web_client import as_file, couple, finished, nobody, photograph

from kinblend.cli.demo import FATHER, MOTHER

PROBLEM = "application/problem+json"


def look(client: TestClient, data: bytes) -> object:
    return client.post("/api/v1/photos", files={"photo": ("x.jpg", data, "image/jpeg")})


@pytest.fixture
def family(client: TestClient, parents: dict[str, str]) -> dict:
    """An order that is done."""
    placed = client.post("/api/v1/children", json=parents | {"edits": {"age": -1}})
    assert placed.status_code in (200, 202), placed.text
    return finished(client, placed.json())


def test_a_photograph_with_one_face_is_ready_and_the_same_one_is_the_same(client: TestClient) -> None:
    first = look(client, photograph())
    assert first.status_code == 201 and first.json()["ready"] and first.json()["faces"] == []
    again = look(client, photograph())
    assert again.status_code == 200 and again.json() == first.json()
    assert client.get(first.headers["location"]).json() == first.json()
    crop = Image.open(io.BytesIO(client.get(first.json()["crop"]).content))
    assert crop.size == (512, 512)


def test_of_several_faces_one_is_chosen(client: TestClient) -> None:
    seen = look(client, couple()).json()
    assert not seen["ready"] and [face["number"] for face in seen["faces"]] == [1, 2]
    assert seen["faces"][0]["box"][2] < 0.55 < seen["faces"][1]["box"][2]
    assert Image.open(io.BytesIO(client.get(seen["faces"][1]["picture"]).content)).format == "JPEG"
    refused = client.post("/api/v1/children", json={"father": seen["id"], "mother": seen["id"]})
    assert refused.status_code == 409 and "choose one first" in refused.json()["detail"]
    crops = []
    for number in (1, 2):
        chosen = client.put(f"/api/v1/photos/{seen['id']}/face", json={"face": number}).json()
        assert chosen["ready"] and chosen["face"] == number
        crops.append(client.get(chosen["crop"]).content)
    assert crops[0] != crops[1]
    assert client.put(f"/api/v1/photos/{seen['id']}/face", json={"face": 3}).status_code == 422


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (nobody(), "no-face", "no face was found"),
        (b"GIF87a nothing", "image", "not a picture"),
        (b"%PDF-1.4 text", "image", "use jpeg, png"),
        (photograph()[:5000], "image", "truncated or damaged"),
        (as_file(Image.new("1", (9000, 9000)), "PNG"), "image", "megapixels; at most 50"),
    ],
    ids=["nobody", "corrupt gif", "pdf", "truncated", "81 megapixels"],
)
def test_a_photograph_that_will_not_do_is_a_problem(client: TestClient, data: bytes, kind: str, words: str) -> None:
    refused = look(client, data)
    assert (refused.status_code, refused.headers["content-type"]) == (422, PROBLEM)
    found = refused.json()
    assert found["type"] == f"urn:kinblend:{kind}" and words in found["detail"].lower(), found
    assert "/" not in found["detail"], "no path of the server's"


def test_metadata_of_a_photograph_reaches_nothing(client: TestClient) -> None:
    exif = Image.Exif()
    exif[0x010F] = "a secret camera"
    exif[0x0112] = 6
    sideways = Image.open(io.BytesIO(photograph())).transpose(Image.Transpose.ROTATE_90)
    seen = look(client, as_file(sideways, exif=exif)).json()
    assert seen["ready"], "it was turned upright"
    crop = client.get(seen["crop"]).content
    assert b"secret" not in crop and not Image.open(io.BytesIO(crop)).getexif()


def test_children_come_with_pictures_likeness_and_files(client: TestClient, family: dict) -> None:
    [child] = family["children"]
    assert set(child["similarity"]) == {"father", "mother"} and min(child["similarity"].values()) > 0.8
    picture = Image.open(io.BytesIO(client.get(child["picture"]).content))
    assert picture.size == (512, 512) and b"Synthetic image" in picture.info["comment"]
    png = client.get(child["png"])
    assert "Synthetic image" in Image.open(io.BytesIO(png.content)).info["Description"]
    assert png.headers["content-disposition"] == 'attachment; filename="child.png"'
    assert Image.open(io.BytesIO(client.get(family["sheet"]).content)).size == (3 * 392 - 8, 384 + 8 + 384 // 14)
    with zipfile.ZipFile(io.BytesIO(client.get(family["bundle"]).content)) as bundle:
        assert set(bundle.namelist()) == {"child.png", "child.safetensors", "child.json", "sheet.png"}
        assert bundle.read("child.png") == png.content
        manifest = json.loads(bundle.read("child.json"))
    assert manifest["edits"] == {"age": -1.0}
    assert set(manifest["inputs"]["father"]) == {"pixels_sha256"}


def test_the_weight_map_says_who_gave_what(client: TestClient, parents: dict[str, str]) -> None:
    order = parents | {"blender": "layer", "blender_options": {"shares": {"0": 1.0}, "default": 0.0}}
    family = finished(client, client.post("/api/v1/children", json=order).json())
    layers = client.get(family["children"][0]["weights"]).json()
    assert [layer["part"] for layer in layers] == ["shape", "complexion", "features", "detail"]
    assert [layer["share"] for layer in layers] == [1, 0, 0, 0]
    assert set(layers[0]["values"]) == {255} and len(layers[0]["values"]) < len(layers[2]["values"])


def test_the_strip_runs_from_father_over_child_to_mother(client: TestClient, family: dict) -> None:
    strip = Image.open(io.BytesIO(client.get(family["children"][0]["morph"]).content))
    assert strip.size == (13 * 256, 256)
    frames = [strip.crop((place * 256, 0, place * 256 + 256, 256)) for place in range(13)]
    child = Image.open(io.BytesIO(client.get(family["children"][0]["picture"]).content)).resize((256, 256))
    assert difference(frames[6], child) < 4 < min(difference(frames[0], child), difference(frames[12], child))
    steps = [difference(*pair) for pair in pairwise(frames)]
    assert max(steps) < 0.5 * difference(frames[0], frames[12]), "no jump"


def test_a_child_through_the_years(client: TestClient, parents: dict[str, str]) -> None:
    """As it is made at each age, whatever its own is."""
    order = parents | {"blender": "mask", "siblings": 1, "children": 2, "seed": 3, "sex": "girl"}
    family = finished(client, client.post("/api/v1/children", json=order | {"age": 12}).json())
    grown = finished(client, client.post("/api/v1/children", json=order | {"age": 60}).json())
    answer = client.get(family["children"][1]["ages"])
    strip = Image.open(io.BytesIO(answer.content))
    assert (answer.headers["content-type"], strip.size) == ("image/jpeg", (5 * 256, 256))
    places = {age: 256 * place for place, age in enumerate((4, 12, 20, 40, 60))}
    at = {age: strip.crop((left, 0, left + 256, 256)) for age, left in places.items()}
    for age, made in ((12, family), (60, grown)):
        child = Image.open(io.BytesIO(client.get(made["children"][1]["picture"]).content)).resize((256, 256))
        far = {years: difference(picture, child) for years, picture in at.items()}
        assert min(far, key=far.__getitem__) == age and far[age] < 4
    with Image.open(io.BytesIO(client.get(family["children"][1]["growing"]).content)) as film:
        assert (film.format, film.size, film.n_frames, film.info["loop"]) == ("GIF", (256, 256), 32, 0)
        assert b"Synthetic image" in film.info["comment"]


def test_a_card_to_print(client: TestClient, family: dict) -> None:
    orders = {"order": [family["id"]]}
    answer = client.get("/api/v1/card.pdf", params=orders | {"name": ["Zoë"], "title": "Our children"})
    assert answer.headers["content-disposition"] == 'attachment; filename="card.pdf"'
    assert answer.content.startswith(b"%PDF")
    assert answer.content != client.get("/api/v1/card.pdf", params=orders).content
    for bad, said in (
        ({"name": ["A", "B"]}, "1 children, but 2 names"),
        ({"name": ["\U0001f921"]}, "No font here has"),
        ({"name": [""]}, "name"),
    ):
        answer = client.get("/api/v1/card.pdf", params=orders | bad)
        assert (answer.status_code, said in answer.json()["detail"]) == (422, True), answer.json()


def test_the_animation_goes_there_and_back(client: TestClient, family: dict) -> None:
    answer = client.get(family["children"][0]["animation"])
    assert answer.headers["content-disposition"] == 'attachment; filename="morph.gif"'
    with Image.open(io.BytesIO(answer.content)) as film:
        assert (film.format, film.size, film.n_frames, film.info["loop"]) == ("GIF", (256, 256), 24, 0)
        assert b"Synthetic image" in film.info["comment"]
        shown = []
        for place in (0, 6, 12, 18):
            film.seek(place)
            shown.append((film.convert("RGB"), film.info["duration"]))
    assert [seconds for _, seconds in shown] == [800] * 4 and difference(shown[1][0], shown[3][0]) < 6
    assert min(difference(shown[0][0], shown[2][0]), difference(shown[0][0], shown[1][0])) > 6


def test_children_of_several_orders_come_in_one_picture(
    client: TestClient, parents: dict[str, str], family: dict
) -> None:
    second = finished(client, client.post("/api/v1/children", json=parents | {"blender": "mask", "seed": 3}).json())
    alone, both = (
        Image.open(
            io.BytesIO(client.get("/api/v1/sheet.png", params={"order": [one["id"] for one in orders]}).content)
        )
        for orders in ([family], [family, second])
    )
    assert both.width * both.height >= alone.width * alone.height and both.tobytes() != alone.tobytes()
    turned = {"father": parents["mother"], "mother": parents["father"]}
    other = finished(client, client.post("/api/v1/children", json=turned).json())
    refused = client.get("/api/v1/sheet.png", params={"order": [family["id"], other["id"]]})
    assert refused.status_code == 422 and "different parents" in refused.json()["detail"]
    assert client.get("/api/v1/sheet.png", params={"order": ["0" * 32]}).status_code == 404
    assert client.get("/api/v1/sheet.png").status_code == 422


def difference(one: Image.Image, other: Image.Image) -> float:
    import numpy as np

    return float(np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean())


def test_siblings_are_ordered_and_previewed(client: TestClient, parents: dict[str, str]) -> None:
    asked = [{}, {"siblings": 1}, {"siblings": 1, "seed": 1}]
    pictures = [client.post("/api/v1/previews", json=parents | {"sex": "girl"} | words) for words in asked]
    assert [one.status_code for one in pictures] == [200] * 3
    assert len({one.content for one in pictures}) == 3
    for words in ({"siblings": 2}, {"siblings": "1"}, {"mutation": 0.6}, {"mutation": 0.1}):
        for place in ("previews", "children"):
            assert client.post(f"/api/v1/{place}", json=parents | words).status_code == 422, words


def test_a_preview_is_the_child_in_small(client: TestClient, parents: dict[str, str], family: dict) -> None:
    preview = client.post("/api/v1/previews", json=parents | {"edits": {"age": -1}})
    small = Image.open(io.BytesIO(preview.content))
    assert small.size == (256, 256)
    full = Image.open(io.BytesIO(client.get(family["children"][0]["picture"]).content)).resize((256, 256))
    assert difference(small, full) < 4
    older = client.post("/api/v1/previews", json=parents | {"edits": {"age": "60y"}})
    assert difference(small, Image.open(io.BytesIO(older.content))) > 2


def test_parts_of_the_face_come_from_the_parent_that_is_named(client: TestClient, parents: dict[str, str]) -> None:
    [strategy] = [one for one in client.get("/api/v1/strategies").json() if one["name"] == "parts"]
    known = strategy["options"]["properties"]["parts"]["propertyNames"]["enum"]
    assert known == ["eyes", "brows", "nose", "mouth", "jaw"]
    pictures = {}
    for parent in ("father", "mother"):
        order = parents | {"blender": "parts", "blender_options": {"parts": {"mouth": parent}}}
        order |= {"age": None, "sex": None}  # how far an edit goes depends on the face
        answer = client.post("/api/v1/previews", json=order)
        pictures[parent] = Image.open(io.BytesIO(answer.content))
    places = ((90, 160, 166, 200), (0, 0, 256, 100))
    low, high = (difference(*(one.crop(place) for one in pictures.values())) for place in places)
    assert low > 3 * high


@pytest.mark.parametrize("parts", [{"ears": "father"}, {"eyes": "uncle"}, {"eyes": None}, ["eyes"], "eyes"])
def test_parts_that_are_none_are_refused(client: TestClient, parents: dict[str, str], parts: object) -> None:
    order = parents | {"blender": "parts", "blender_options": {"parts": parts}}
    for address in ("/api/v1/children", "/api/v1/previews"):
        assert client.post(address, json=order).status_code == 422


def test_a_child_of_eight_unless_asked_otherwise(client: TestClient, parents: dict[str, str], family: dict) -> None:
    [edited] = family["children"]
    assert (edited["age"], edited["sex"] in ("girl", "boy")) == (None, True), "an edit of age beats the default"
    usual = finished(client, client.post("/api/v1/children", json=parents).json())["children"][0]
    assert (usual["age"], usual["sex"]) == (8, edited["sex"])
    assert usual["seen"] is None or set(usual["seen"]) == {"age", "sex", "sex_confidence"}
    other = "boy" if usual["sex"] == "girl" else "girl"
    order = parents | {"age": None, "sex": other}
    plain = finished(client, client.post("/api/v1/children", json=order).json())["children"][0]
    assert (plain["age"], plain["sex"]) == (None, other)
    pictures = [client.post("/api/v1/previews", json=parents | words).content for words in ({}, {"sex": other})]
    assert pictures[0] != pictures[1]


def test_the_same_order_is_the_same_family(client: TestClient, parents: dict[str, str], family: dict) -> None:
    again = client.post("/api/v1/children", json=parents | {"edits": {"age": -1.0}})
    assert again.status_code == 200 and again.json()["id"] == family["id"]
    other = client.post("/api/v1/children", json=parents | {"edits": {"age": -1.0}, "seed": 1})
    assert other.json()["id"] != family["id"]
    client.delete(f"/api/v1/children/{other.json()['id']}")


def test_progress_is_told_stage_by_stage(client: TestClient, parents: dict[str, str]) -> None:
    placed = client.post("/api/v1/children", json=parents | {"blender": "mask", "seed": 5, "children": 2}).json()
    events = client.get(placed["events"]).text.strip().split("\n\n")
    last = events[-1].split("\n")
    assert last[0] == "event: done"
    assert [child["seed"] for child in json.loads(last[1][6:])["children"]] == [5, 6]


def test_two_photographs_in_one_request(client: TestClient) -> None:
    files = {"father": photograph(FATHER), "mother": couple()}
    refused = client.post("/api/v1/orders", files=files)
    assert refused.status_code == 422 and "give mother_face" in refused.json()["detail"]
    refused = client.post("/api/v1/orders", files=files | {"father": nobody()})
    assert refused.json()["type"] == "urn:kinblend:no-face" and "The father's photograph" in refused.json()["detail"]
    order = {"order": json.dumps({"mother_face": 2, "blender": "slerp"})}
    placed = client.post("/api/v1/orders", files=files, data=order)
    assert placed.status_code == 202 and placed.headers["location"].endswith(placed.json()["id"])
    assert finished(client, placed.json())["status"] == "done"


@pytest.mark.parametrize("value", ["8 years", "8 y", "-", "", "1e9", 101, -1e6, None, [8], {"years": 8}, True])
@pytest.mark.parametrize("name", ["age", "gender", "smile"])
def test_an_edit_that_will_not_do_is_named_as_it_was_sent(
    client: TestClient, parents: dict[str, str], name: str, value: object
) -> None:
    for route, place in (("previews", ""), ("children", "")):
        detail = client.post(f"/api/v1/{route}", json=parents | {"edits": {name: value}}).json()["detail"]
        assert detail.startswith(f"{place}edits.{name}: give a number from -100 to 100, or a target such as"), detail
    order = {"order": json.dumps({"edits": {name: value}})}
    files = {"father": photograph(FATHER), "mother": photograph(MOTHER)}
    assert (
        client.post("/api/v1/orders", files=files, data=order)
        .json()["detail"]
        .startswith(f"order: edits.{name}: give")
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"blender": "nobody"}, "there is no blender"),
        ({"blender_options": {"wings": 2}}, "has no option"),
        ({"blender_options": {"share": 2}}, "use at most 1"),
        ({"edits": {"wings": 1}}, "can't move 'wings'"),
        ({"edits": {"age": -1}, "age": 8}, "contradicts an edit of age"),
        ({"edits": {"gender": "blue"}}, "gender=female or gender=male"),
        ({"age": 81}, "less than or equal to 80"),
        ({"sex": "man"}, "sex: "),
        ({"blender": "mask", "blender_options": {"file": "/etc/passwd"}}, "takes no file"),
        ({"blender": "layer", "blender_options": {"shares": "/etc/passwd"}}, "takes no file"),
        ({"projector_options": {"background": "uncle"}}, "refuses background"),
        ({"children": 9}, "children: "),
        ({"wings": 2}, "wings: "),
    ],
    ids=lambda value: str(value)[:40],
)
def test_orders_that_will_not_do(client: TestClient, parents: dict[str, str], change: dict, words: str) -> None:
    refused = client.post("/api/v1/children", json=parents | change)
    assert (refused.status_code, refused.headers["content-type"]) == (422, PROBLEM)
    assert words.lower() in refused.json()["detail"].lower()


def test_nobody_sees_what_is_anothers(client: TestClient, family: dict, parents: dict[str, str]) -> None:
    mine = [f"/api/v1/photos/{parents['father']}", f"/api/v1/children/{family['id']}", family["children"][0]["png"]]
    assert [client.get(path).status_code for path in mine] == [200, 200, 200]
    client.cookies.clear()
    client.get("/")
    assert [client.get(path).status_code for path in mine] == [404, 404, 404]
    assert look(client, photograph(FATHER)).json()["id"] != parents["father"]


def test_forgetting_leaves_nothing(client: TestClient, app, family: dict, parents: dict[str, str]) -> None:
    services = app.state.services
    kept = len(services.photos) + len(services.orders)
    assert client.delete("/api/v1/mine").status_code == 204
    assert len(services.photos) + len(services.orders) <= kept - 3
    assert client.get(f"/api/v1/photos/{parents['father']}").status_code == 404
    assert client.delete("/api/v1/mine").status_code == 403, "the cookie is on_evict, too"


def test_programs_without_a_cookie_share_a_corner(client: TestClient) -> None:
    client.cookies.clear()
    first = look(client, photograph(MOTHER))
    assert "set-cookie" not in first.headers
    assert look(client, photograph(MOTHER)).json()["id"] == first.json()["id"]
    assert client.delete(f"/api/v1/photos/{first.json()['id']}").status_code == 204
    assert client.get(f"/api/v1/photos/{first.json()['id']}").status_code == 404


def test_strategies_say_whether_they_draw_lots(client: TestClient) -> None:
    known = {strategy["name"]: strategy for strategy in client.get("/api/v1/strategies").json()}
    assert known["mask"]["stochastic"] is True and known["average"]["stochastic"] is False
    assert known["average"]["options"]["properties"]["share"]["default"] == 0.5
    ages = next(a for a in client.get("/api/v1/attributes").json() if a["name"] == "age")
    assert ages["units"] == ["years"]
    assert known["learned"]["available"] is True and known["learned"]["note"] is None


def test_the_server_says_how_it_is(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    until = time.monotonic() + 120
    while client.get("/readyz").status_code != 200:
        assert time.monotonic() < until
        time.sleep(0.2)
    look(client, photograph())
    metrics = client.get("/metrics").text
    assert 'kinblend_http_requests_total{method="POST",route="/api/v1/photos",status="20' in metrics
    assert 'kinblend_jobs_total{kind="warm",outcome="done"} 1.0' in metrics
    assert "kinblend_queue_length 0.0" in metrics


def test_every_answer_carries_the_headers_that_keep_strangers_out(client: TestClient) -> None:
    for path in ("/", "/api/v1/strategies", "/nowhere", "/static/app.js"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
    assert client.get("/").headers["cache-control"] == "no-store"
    cookie = client.get("/", headers={"Cookie": "x=y"}).headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie


def test_pages_ask_nobody_else_for_anything(client: TestClient) -> None:
    static = Path(__file__).parents[2] / "kinblend" / "web" / "static"
    texts = [client.get("/").text, *(path.read_text() for path in static.iterdir() if path.suffix != ".jpg")]
    for text in texts:
        text = text.replace("http://www.w3.org/2000/svg", "")
        assert "http://" not in text and "https://" not in text and "<script>" not in text and "style=" not in text
