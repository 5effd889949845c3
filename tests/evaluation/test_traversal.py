"""What single elements of a code do, on the embedded backbone: its first elements do much, its last ones nothing."""

import json
from pathlib import Path

import pytest
import torch
from plugin_site import here

from kinblend import Backbone, Latent, load_backbone, save_latent
from kinblend.errors import UnsupportedError, UsageError
from kinblend.evaluation.traversal import Element, People, drawn_people, people_of, traverse
from kinblend.faces.face_regions import REGIONS

SHAPE, COMPLEXION, NOTHING = Element(0, 0), Element(1, 0), Element(0, 500)


@pytest.fixture(scope="module")
def backbone() -> Backbone:
    return load_backbone("morphable")


@pytest.fixture(scope="module")
def codes(backbone: Backbone) -> torch.Tensor:
    """Of three people; in layer 2 nobody differs from dimension 300 on."""
    drawn = 0.5 * torch.randn(
        3, backbone.space.layers, backbone.space.dim, generator=torch.Generator().manual_seed(0)
    )
    drawn[:, 2, 300:] = 0
    return drawn


@pytest.fixture(scope="module")
def people(backbone: Backbone, codes: torch.Tensor) -> People:
    return people_of(backbone, codes, 3)


def test_an_element_of_the_complexion_changes_the_skin_and_one_without_effect_changes_nothing(
    backbone: Backbone, people: People
) -> None:
    told: list[str] = []
    found = traverse(backbone, people, [COMPLEXION, NOTHING], reach=2, controls=2, progress=told.append)
    complexion, nothing = found
    effect = complexion.effect
    assert effect.regions["skin"] > 2 * effect.regions["hair and background"]
    name, change = effect.nearest or ("", None)
    assert name.startswith("skin")
    assert change is not None
    assert abs(change.mean) > complexion.chance
    assert complexion.moved_more == 2
    assert nothing.effect.change == 0
    assert nothing.effect.nearest is None
    assert set(effect.regions) == set(REGIONS)
    assert told == ["2 random elements of layer 1", "element 1:0", "2 random elements of layer 0", "element 0:500"]


def test_both_ends_lie_where_the_reach_says(backbone: Backbone, people: People) -> None:
    [found] = traverse(backbone, people, [SHAPE], reach=2, controls=0)
    moved = people.codes.clone()
    moved[:, 0, 0] += 2 * people.spread[0, 0]
    expected = backbone.projector.synthesize(moved, size=256).clamp(-1, 1)
    assert torch.allclose(found.ends[:, 1], expected, atol=1e-5)
    assert found.chance == 0
    assert found.effect.change == pytest.approx(float(found.where.mean()))


def test_an_element_that_is_the_same_in_everyone_is_refused(backbone: Backbone, people: People) -> None:
    with pytest.raises(UsageError, match="2:400 is the same in everyone"):
        traverse(backbone, people, [Element(2, 400)])


def test_controls_are_elements_in_use_and_the_same_for_a_seed(backbone: Backbone, people: People) -> None:
    one, other = (traverse(backbone, people, [Element(2, 7)], controls=3, seed=5)[0] for _ in range(2))
    assert [e.element for e in one.controls] == [e.element for e in other.controls]
    assert all(e.element.layer == 2 and e.element.dimension < 300 for e in one.controls)
    assert one.effect == other.effect


@pytest.mark.parametrize("text", ["6", "6:", ":1", "-1:2", "a:b", "1:2:3", "4:0", "0:512", "9999999999:1", ""])
def test_what_is_no_element(text: str, backbone: Backbone) -> None:
    with pytest.raises(UsageError, match="element"):
        Element.of(text, backbone.space)


def test_too_few_people_and_a_generator_that_draws_none(backbone: Backbone, codes: torch.Tensor) -> None:
    with pytest.raises(UsageError, match="at least 3"):
        people_of(backbone, codes[:2], 3)
    with pytest.raises(UnsupportedError, match="give latents"):
        drawn_people(backbone, 3, 0)


def test_the_command_reads_what_analyze_wrote(tmp_path: Path, backbone: Backbone, codes: torch.Tensor) -> None:
    table = tmp_path / "consistent.csv"
    table.write_text("network,layer,dimension,variance,mean\ntrained,1,0,0.1,0.5\nuntrained,0,7,0.1,0.5\n")
    words: list[object] = ["traverse", "--consistent", table, "--controls", 1, "--backbone", "morphable"]
    for number, code in enumerate(codes):
        save_latent(tmp_path / f"{number}.safetensors", Latent(code, backbone.space))
        words += ["--latents", tmp_path / f"{number}.safetensors"]
    code, out, error = here(*words, "--out", tmp_path / "out", "--json")
    assert code == 0, error
    [one] = json.loads(out)
    assert one["element"] == "1:0"
    assert one["nearest"] in one["attributes"]
    assert "| 1:0 |" in (tmp_path / "out" / "report.md").read_text()
    assert (tmp_path / "out" / "element-1-0.png").stat().st_size > 10_000
    rows = (tmp_path / "out" / "elements.csv").read_text().splitlines()
    assert {row.split(",")[2] for row in rows[1:]} == {"0", "1"}


def test_a_table_without_elements_and_no_element_at_all(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    code, _, error = here("traverse", "--consistent", tmp_path / "other.csv", "--out", tmp_path)
    assert (code, "columns layer and dimension" in error) == (3, True)
    code, _, error = here("traverse", "--out", tmp_path)
    assert (code, "6:141" in error) == (2, True)
