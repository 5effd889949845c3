"""What the controls of the page say, and that nothing is offered that can't work. No child is made here."""

import random
import re

import pytest
from web_client import photograph
from web_page import open_experts

from kinblend.cli.demo import FATHER, MOTHER

BUTTONS = ["4", "8", "16", "30", "50", "70", "parents"]
JARGON = (
    "latent|embedding|slerp|spherical|json|encoder|projector|backbone|blender|strategy|dimension|vector|tensor|dlib"
    "|facenet|weights|seed|cosine|w\\+|stylegan|earnest|gene|take it along|as it came|as they came"
)


def act(page, chance: random.Random) -> str:
    """Something that is done to the age; returns what was wished for, years or "parents"."""
    kind = chance.choice(["button", "fill", "keys"])
    if kind == "button":
        years = chance.choice(BUTTONS)
        page.click(f"[data-years='{years}']")
        return years
    if kind == "fill":
        years = str(chance.randint(0, 80))
        page.fill("#age", years)
        return years
    page.focus("#age")
    for _ in range(chance.randint(1, 4)):
        page.keyboard.press(chance.choice(["ArrowRight", "ArrowUp", "ArrowLeft", "PageUp", "Home", "End"]))
    return page.input_value("#age")


@pytest.mark.parametrize("seed", range(3))
def test_the_age_and_its_label_agree_whatever_is_done(page, seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(20):
        years = act(page, chance)
        said = page.get_attribute("#age", "aria-valuetext")
        assert page.inner_text("output[for=age]") == said
        pressed = page.locator("[data-years][aria-pressed=true]").evaluate_all("all => all.map(e => e.dataset.years)")
        thumb = page.evaluate(
            "getComputedStyle(document.getElementById('age').closest('.slider')).getPropertyValue('--thumb')"
        )
        if years == "parents":
            assert said == "as their parents" and pressed == ["parents"] and thumb.strip() == "0"
        else:
            assert said == f"{years} year{'' if years == '1' else 's'}" and page.input_value("#age") == years
            assert pressed == ([years] if years in BUTTONS else []) and thumb.strip() == "1"


def test_there_is_one_control_of_age(page) -> None:
    sliders = page.locator("input[type=range]").evaluate_all("all => all.map(e => e.labels[0]?.textContent ?? '')")
    assert [label for label in sliders if "age" in label.lower().split()] == ["Age"]
    assert page.locator("#edit-age").count() == 0


def test_everything_that_is_simple_is_there_and_the_rest_is_folded(page) -> None:
    assert page.locator("#father-file, #mother-file, #age, #make").count() == 4
    assert page.locator("[name=sex]").count() == 3
    inside = page.evaluate(
        "[...document.querySelectorAll('#play input, #play button')]"
        ".map(e => [e.id || e.name, !!e.closest('#expert')])"
    )
    simple = {name for name, expert in inside if not expert}
    assert simple == {"age", "", "sex", "count", "sibling", "different", "get-card"}, (
        "the buttons of the age have no names"
    )
    assert not page.evaluate("document.getElementById('expert').open")


@pytest.mark.parametrize("place", ["", "partner", "tree"])
def test_every_word_is_one_that_lay_people_know(page, server, place: str) -> None:
    page.goto(f"{server.address}{place}")
    words = page.evaluate(
        "[document.body.textContent, ...[...document.querySelectorAll('[aria-label], [title], [placeholder]')]"
        ".map(e => `${e.ariaLabel} ${e.title} ${e.placeholder}`)].join(' ')"
    )
    assert not re.findall(rf"\b({JARGON})s?\b", words.lower().replace("(.json or .toml)", ""))


def test_nothing_is_offered_that_cannot_work(page, server) -> None:
    """Every strategy, with each value of its choices and switches, and with both ends of its sliders."""
    cookie = page.context.cookies()[0]
    client = page.request
    parents = {
        role: client.post(
            f"{server.address}api/v1/photos",
            multipart={"photo": {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": photograph(who)}},
        ).json()["id"]
        for role, who in (("father", FATHER), ("mother", MOTHER))
    }
    assert cookie["name"] == "kinblend-owner"
    tried = 0
    for blender, options in offered(page):
        order = {**parents, "blender": blender, "blender_options": options}
        answer = client.post(f"{server.address}api/v1/previews", data=order)
        assert answer.ok, (blender, options, answer.text())
        tried += 1
    assert tried > 20
    assert page.locator("input:disabled:not([type=range])").count() == 0


def offered(page) -> list[tuple[str, dict]]:
    return page.evaluate(
        """[...document.querySelectorAll('.options')].flatMap((place) => {
          const found = [[place.dataset.blender, {}]];
          for (const field of place.querySelectorAll('.field')) {
            const { name, kind } = field.dataset;
            const put = (value) => found.push([place.dataset.blender, { [name]: value }]);
            if (kind === 'switch') [true, false].forEach(put);
            if (kind === 'choice') field.querySelectorAll('input').forEach((input) => put(input.value));
            if (kind === 'slider') ['min', 'max'].forEach((end) => put(Number(field.querySelector('input')[end])));
          }
          return found;
        })"""
    )


def test_no_choice_stands_alone(page) -> None:
    counts = page.locator(".field[data-kind=choice]").evaluate_all(
        "all => all.map(e => e.querySelectorAll('input').length)"
    )
    assert counts and min(counts) > 1


def test_a_number_out_of_range_is_told_beside_it(page) -> None:
    page.evaluate("document.getElementById('expert').hidden = false")
    open_experts(page)
    page.check("[name=blender][value=mask]")
    for value in ("0", "-3", "0.5"):
        page.fill("#b-mask-run", value)
        assert page.locator("#b-mask-run").evaluate(
            "e => e.closest('.section').querySelector('.message').textContent"
        )
    page.fill("#b-mask-run", "8")
    assert not page.locator("#b-mask-run").evaluate(
        "e => e.closest('.section').querySelector('.message').textContent"
    )
