"""The other parent's likely face."""

import json
from pathlib import Path

import pytest
import torch
from plugin_site import here
from portraits import portrait

from kinblend import Engine, load_latent, save_latent
from kinblend.errors import UsageError
from kinblend.pipeline.partner import expected_code, likely_sex, plan_partner, predict_partner

FATHER, MOTHER = "P007", "P001"


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine("morphable", "cpu")


@pytest.fixture(scope="module")
def people(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Latents of a father, a mother and their child of eight."""
    folder = tmp_path_factory.mktemp("people")
    father, mother = (engine.encode(portrait(who)) for who in (FATHER, MOTHER))
    child = engine.run(father, mother, age=8, sex="girl").children[0].latent
    found = {"father": father, "mother": mother, "child": child}
    for name, latent in found.items():
        save_latent(folder / f"{name}.safetensors", latent)
    return {name: folder / f"{name}.safetensors" for name in found}


def test_an_exact_inverse_of_an_average_is_the_other_parent() -> None:
    father, mother, typical = torch.randn(3, 4, 512)
    child = (father + mother) / 2
    assert torch.allclose(expected_code(child, father, typical, inverse=1.0, kept=1.0), mother, atol=1e-5)
    assert torch.allclose(expected_code(child, father, typical, kept=1.0), child, atol=1e-5)
    assert torch.equal(expected_code(child, father, typical, inverse=1.0, kept=0.0), typical)


def test_the_inverse_of_our_own_child_leads_to_its_other_parent(engine: Engine, people: dict[str, Path]) -> None:
    child, known = (engine.parent(people[who]) for who in ("child", "father"))
    mother = engine.neutral(load_latent(people["mother"]), engine.editor()).code
    away = [
        float((predict_partner(engine, child, known, inverse=inverse).latent.code - mother).norm())
        for inverse in (0.0, 1.0)
    ]
    assert away[1] < 0.8 * away[0]


def test_the_sex_that_somebody_seems_to_have(engine: Engine, people: dict[str, Path]) -> None:
    seen = {who: likely_sex(engine.editor(), load_latent(people[who]).code) for who in ("father", "mother")}
    assert seen == {"father": "male", "mother": "female"}


def test_the_other_parent_is_of_the_other_sex_and_grown(engine: Engine, people: dict[str, Path]) -> None:
    child, father, mother = (engine.parent(people[who]) for who in ("child", "father", "mother"))
    editor = engine.editor()
    for known, sex in ((father, "female"), (mother, "male")):
        made = predict_partner(engine, child, known, editor)
        assert (made.sex, made.age, made.record["sex_from"]) == (sex, 35.0, "the known parent's")
        assert likely_sex(editor, made.latent.code) == sex
        assert torch.equal(made.latent.code, predict_partner(engine, child, known, editor).latent.code)
    asked = predict_partner(engine, child, father, editor, age=60, sex="male")
    assert (asked.sex, asked.age, asked.record["sex_from"]) == ("male", 60.0, "option")


def test_by_the_command_line(people: dict[str, Path], tmp_path: Path) -> None:
    words = ["--age", "50", "--out", tmp_path / "out", "--json", "--quiet"]
    code, text, error = here("partner", people["child"], people["mother"], *words)
    assert (code, error) == (0, "")
    told = json.loads(text)
    assert (told["sex"], told["age"]) == ("male", 50.0)
    names = {"partner.png", "partner.safetensors", "partner.json"}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names == {Path(one).name for one in told["files"]}
    record = json.loads((tmp_path / "out" / "partner.json").read_text())
    assert len(record["inputs"]["child"]["sha256"]) == 64
    _, text, _ = here("partner", people["child"], people["mother"], "--age", "50", "--out", tmp_path / "b")
    assert (tmp_path / "b" / "partner.png").read_bytes() == (tmp_path / "out" / "partner.png").read_bytes()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["no.jpg", "no.jpg"], 3, "no.jpg"),
        (["no.jpg", "no.jpg", "--age", "90"], 2, "--age"),
        (["no.jpg", "no.jpg", "--sex", "girl"], 2, "--sex"),
        (["no.jpg"], 2, "PARENT"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_invalid_usage(words: list[str], code: int, said: str, tmp_path: Path) -> None:
    found, _, error = here("partner", *words, "--out", tmp_path / "out")
    assert found == code
    assert said in error
    assert not (tmp_path / "out").exists()


def test_what_the_backbone_cannot_set(engine: Engine) -> None:
    for age, sex in ((90, None), (-1, None), (35, "boy")):
        with pytest.raises(UsageError):
            plan_partner(engine.editor(), age, sex)
    for inverse in (-0.1, 1.1, float("nan")):
        with pytest.raises(UsageError, match="inverse"):
            plan_partner(engine.editor(), None, None, inverse)
