"""The parents' tiles: every way to bring a photograph, and what is said about one that will not do."""

import base64
import json
import random

import pytest
from web_client import couple, nobody, photograph
from web_page import PHOTOS, give, give_both

BAD = {
    "no face": (nobody(), "No face was found"),
    "wrong type": (b"%PDF-1.4 no picture", "not a picture"),
    "corrupt": (photograph()[:4000], "truncated or damaged"),
    "oversized": (bytes(10 * 2**20 + 1), "larger than 10 MB"),
    "empty": (b"", "The file is empty"),
}
ROLES = ("father", "mother")


def brings(page, kind: str, target: str, data: bytes, name: str = "photo.jpg", mime: str = "image/jpeg") -> None:
    """Drop or paste a file at an element: the event that a browser makes, with a file in it."""
    page.evaluate(
        """([kind, target, data, name, type]) => {
          const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
          const transfer = new DataTransfer();
          transfer.items.add(new File([bytes], name, { type }));
          const told = { bubbles: true, cancelable: true };
          const event = kind === 'paste'
            ? new ClipboardEvent(kind, { ...told, clipboardData: transfer })
            : new DragEvent(kind, { ...told, dataTransfer: transfer });
          document.querySelector(target).dispatchEvent(event);
        }""",
        [kind, target, base64.b64encode(data).decode(), name, mime],
    )


@pytest.fixture
def choosers(page) -> list:
    """The file choosers that were opened. Listening for them has to begin well before."""
    opened: list = []
    page.on("filechooser", lambda chooser: opened.append(chooser))
    page.wait_for_timeout(200)
    return opened


def opens_chooser(page, choosers: list, act) -> bool:
    choosers.clear()
    act()
    for _ in range(100):
        if choosers:
            return True
        page.wait_for_timeout(50)
    return False


def test_a_click_anywhere_on_a_tile_opens_the_chooser(page, choosers: list) -> None:
    places = [(0.03, 0.5), (0.5, 0.5), (0.97, 0.97), (0.5, 0.03)]
    places += [(chance.random(), chance.random()) for chance in map(random.Random, range(6))]
    for role in ROLES:
        box = page.locator(f"#{role} .frame").bounding_box()
        for x, y in places:
            at = box["x"] + x * (box["width"] - 2) + 1, box["y"] + y * (box["height"] - 2) + 1
            if not is_round_corner(x, y):
                assert opens_chooser(page, choosers, lambda at=at: page.mouse.click(*at)), (role, x, y)


def is_round_corner(x: float, y: float) -> bool:
    return min(x, 1 - x) < 0.02 and min(y, 1 - y) < 0.02


def test_a_tile_has_a_keyboard_equivalent(page, choosers: list) -> None:
    for role in ROLES:
        for key in ("Enter", "Space"):
            page.focus(f"#{role}-file")
            assert opens_chooser(page, choosers, lambda key=key: page.keyboard.press(key)), (role, key)
        ring = page.locator(f"#{role} .frame").evaluate("e => getComputedStyle(e).outlineWidth")
        assert ring == "3px", "the tile shows that it has the keyboard"


def test_a_click_on_a_tile_that_is_filled_chooses_another(page, choosers: list) -> None:
    give(page, "father", photograph())
    page.wait_for_selector("#father img:visible")
    assert opens_chooser(page, choosers, lambda: page.click("#father-file", position={"x": 20, "y": 90}))
    assert not opens_chooser(page, choosers, lambda: page.click("#father .enlarge"))
    assert page.locator("#large img").is_visible()


def test_a_photograph_can_be_dropped_anywhere_on_a_tile(page) -> None:
    people = ["P001", "P002", "P004", "P007"]
    for target, who in zip((".frame", "h2", ".actions", ".pick"), people, strict=True):
        brings(page, "dragover", f"#mother {target}", photograph(who))
        assert "over" in page.get_attribute("#mother", "class").split()
        with page.expect_response(PHOTOS) as answer:
            brings(page, "drop", f"#mother {target}", photograph(who))
        assert answer.value.ok
        page.wait_for_selector(f"#mother img[src^='{answer.value.json()['crop']}']")
        assert "over" not in page.get_attribute("#mother", "class").split()
    assert page.locator("#father img").is_hidden()


def test_a_photograph_can_be_pasted(page) -> None:
    brings(page, "paste", "body", photograph())
    page.wait_for_selector("#father img:visible")  # the first that is empty
    brings(page, "paste", "body", photograph())
    page.wait_for_selector("#mother img:visible")
    first = page.get_attribute("#mother img >> nth=0", "src")
    page.focus("#mother-file")
    brings(page, "paste", "body", photograph("P001"))
    page.wait_for_selector(f"#mother img:not([src='{first}'])")
    page.focus("#forget")
    page.hover("#father .frame")
    brings(page, "paste", "body", nobody())
    page.wait_for_selector("#father .message:not(:empty)")


def places(page) -> dict[str, dict]:
    """Where everything but the message is."""
    return page.evaluate(
        """Object.fromEntries([...document.querySelectorAll('main h1, main h2, .frame, .actions, #make, #panel > *')]
          .filter((e) => e.offsetParent)
          .map((e, number) => [number + e.tagName + e.id, e.getBoundingClientRect().toJSON()]))"""
    )


@pytest.mark.parametrize("role", ROLES)
def test_what_will_not_do_is_told_in_its_tile_and_nothing_jumps(page, role: str) -> None:
    before, other = places(page), next(one for one in ROLES if one != role)
    for data, words in BAD.values():
        give(page, role, data)
        page.wait_for_selector(f"#{role} .message:text('{words}')")
        assert page.inner_text(f"#{other} .message") == "" and page.locator("#make").is_disabled()
        assert places(page) == before
        tile, said = (page.locator(f"#{role} {part}").bounding_box() for part in (".frame", ".message"))
        assert said["y"] >= tile["y"] and said["y"] + said["height"] <= tile["y"] + tile["height"] + 0.5


def test_a_photograph_that_will_not_do_takes_nobodys_place(page) -> None:
    give_both(page)
    before, places_before = page.get_attribute("#father img >> nth=0", "src"), places(page)
    for data, words in BAD.values():
        give(page, "father", data)
        page.wait_for_selector(f"#father .message:text('{words}')")
        assert page.get_attribute("#father img >> nth=0", "src") == before and page.locator("#make").is_enabled()
        assert places(page) == places_before


def test_of_two_faces_one_is_chosen(page) -> None:
    give(page, "father", couple())
    page.wait_for_selector("#father .faces button >> nth=1")
    assert page.locator("#make").is_disabled()
    page.click("#father .faces button >> nth=1")
    page.wait_for_selector("#father .faces button[aria-pressed=true]")
    give(page, "mother", photograph())
    page.wait_for_selector("#make:enabled")


def test_warnings_about_a_photograph_stand_beside_it(page) -> None:
    said = ["the head is turned by 40 degrees; a photograph from the front gives more", "Sunglasses hide the eyes."]

    def warned(route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=json.dumps(answer.json() | {"warnings": said}))

    page.route(PHOTOS, warned)
    give(page, "mother", photograph())
    page.wait_for_selector("#mother .warnings li >> nth=1")
    assert page.locator("#mother .warnings li").all_inner_texts() == [said[0].capitalize(), said[1]]
    assert page.locator("#father .warnings").is_hidden()
    page.unroute(PHOTOS)
    give(page, "mother", photograph("P001"))
    page.wait_for_selector("#mother .warnings", state="hidden")


def test_an_example_couple_is_there_to_try(page) -> None:
    page.click(".couple >> nth=0")
    page.wait_for_selector("#make:enabled")
    assert page.locator(".parent img:visible").count() == 2
    assert page.evaluate("document.activeElement.id") == "make"


def test_a_photograph_is_taken(page) -> None:
    page.click("#father .camera")
    page.wait_for_selector("#shoot:enabled")
    page.click("#shoot")
    page.wait_for_selector("#father .message:not(:empty)")
    assert "No face was found" in page.inner_text("#father .message"), "the false camera shows a test picture"


def test_a_small_face_can_be_enlarged(page) -> None:
    upscale = page.locator("#father .upscale")
    give(page, "father", photograph(side=130))
    upscale.wait_for()
    with page.expect_response(lambda answer: "/api/v1/photos?upscaler=" in answer.url) as told:
        upscale.click()
    assert told.value.ok and not told.value.json()["small"]
    upscale.wait_for(state="hidden")
    give(page, "mother", photograph())
    page.wait_for_timeout(200)
    assert page.locator("#mother .upscale").is_hidden()
