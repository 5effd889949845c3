"""Targets in a small made-up space: they are reached together, and nothing else moves."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from kinblend import Context, LatentSpace, Target
from kinblend.backbone import make_plugin
from kinblend.testing import EditorContract
from kinblend_plugins import mobilestylegan
from kinblend_plugins.importers.ffhq import SHIPPED
from kinblend_plugins.interfacegan.curve import Curve, interpolate
from kinblend_plugins.interfacegan.direction_file import TURN
from kinblend_plugins.interfacegan.directions import to_code_shape

SPACE = LatentSpace("toy", 5, 16, "0" * 64)
MOVED, READ = slice(0, 3), slice(0, 3)  # layers
CURVE = {"at": [-4.0, -2.0, 0.0, 3.0], "low": [1.0, 8.0, 25.0, 70.0], "high": [1.0, 4.0, 30.0, 80.0]}
# Age is read in dimension 0 and a little of 1, sex in dimension 1 and a little of 0: each edit moves both.
FACTS = {
    "age": {"unit": "years", "sd": 10.0, "mean": 30.0, "curve": CURVE | {"beside": "gender", "ends": [0.0, 1.0]}},
    "gender": {"unit": "", "sd": 0.5, "mean": 0.5, "words": {"female": -1.0, "male": 1.0}},
    "beard": {"unit": "", "sd": 1.0, "mean": 0.0, "none": -1.0, "unless": {"age": 16, "gender": 0.35}},
    "smile": {"unit": "", "sd": 2.0, "mean": 1.0, "neutral": 0.0, "neutral_from": "above"},
}
READERS = {"age": {0: 1.0, 1: 0.3}, "gender": {1: 1.0, 0: -0.2}, "beard": {2: 1.0}, "smile": {3: 1.0}}


def write_directions(path: Path) -> Path:
    """A file whose steps move one dimension of the undone codes each, in the first three layers."""
    tensors = {}
    for number, (name, weights) in enumerate(READERS.items()):
        step, reader = torch.zeros(5, 16), torch.zeros(5, 16)
        step[MOVED, number] = 1.0
        for place, weight in weights.items():
            reader[READ, place] = weight / 3
        tensors |= {name: step, f"{name}.reader": reader}
    about = {
        name: {"plus": "more", "r2": 1.0, "bias": 0.0, "calibrated": name in ("age", "gender")} | facts
        for name, facts in FACTS.items()
    }
    save_file(tensors, path, {"attributes": json.dumps(about), "slope": "0.2"})
    return path


@pytest.fixture(scope="module")
def editor(tmp_path_factory: pytest.TempPathFactory):
    path = write_directions(tmp_path_factory.mktemp("pack") / "directions.safetensors")
    return make_plugin("editor", "interfacegan", Context(SPACE, {"directions.safetensors": path}))


def read(editor, name: str, codes: torch.Tensor) -> torch.Tensor:
    return editor._known(name).reading(editor._packed.undo(codes))


def codes(count: int = 12, seed: int = 3) -> torch.Tensor:
    v = 0.5 * torch.randn(count, 5, 16, generator=torch.Generator().manual_seed(seed))
    return torch.where(v < 0, 0.2 * v, v)


@pytest.mark.parametrize("years", [2.0, 8.0, 16.0, 30.0, 60.0, 85.0])
@pytest.mark.parametrize("word", ["female", "male"])
def test_an_age_and_a_sex_are_reached_together(editor, years: float, word: str) -> None:
    for code in codes():
        strengths = editor.strengths_for_targets(code, {"age": Target(years, "years"), "gender": Target(word)})
        after = editor.edit(code[None], strengths)
        assert float(read(editor, "age", after)) == pytest.approx(years, abs=0.2)
        sex = float(read(editor, "gender", after))
        assert sex <= 0.01 if word == "female" else sex >= 0.99


def test_a_face_beyond_a_word_stays(editor) -> None:
    code = torch.zeros(5, 16)
    code[:, 1] = 3.0
    assert editor.strengths_for_targets(code, {"gender": Target("male")}) == {"gender": 0.0}
    assert editor.strengths_for_targets(code, {"gender": Target("female")})["gender"] < -3


def test_an_age_alone_leaves_the_dimensions_of_others(editor) -> None:
    before = codes()
    strengths = editor.strengths_for_targets(before[0], {"age": Target(60.0, "years")})
    after = editor.edit(before[:1], strengths)
    assert torch.equal(after[:, :, 1:], before[:1, :, 1:])
    assert torch.equal(after[:, 3:], before[:1, 3:])
    assert not torch.equal(after[:, :3, 0], before[:1, :3, 0])


def test_negative_coordinates_move_as_before_the_leaky_relu(editor) -> None:
    code = torch.full((1, 5, 16), -0.2)
    moved = editor.edit(code, {"age": 0.5})
    torch.testing.assert_close(moved[0, 0, 0], torch.tensor(-0.1))
    torch.testing.assert_close(editor.edit(code, {"age": 3.0})[0, 0, 0], torch.tensor(2.0))


def test_a_boy_of_eight_has_no_beard_and_a_man_of_sixty_may(editor) -> None:
    code = torch.zeros(1, 5, 16)
    code[:, :, 2] = 2.0
    for years, most in ((8.0, -0.9), (60.0, 99.0)):
        strengths = editor.strengths_for_targets(code[0], {"age": Target(years, "years"), "gender": Target("male")})
        assert float(read(editor, "beard", editor.edit(code, strengths))) <= most
    assert float(read(editor, "beard", editor.edit(code, {"age": 1.0}))) == pytest.approx(2.0)


def stubble_editor(folder: Path, rule: dict, reader: bool = False):
    """An editor with a direction of stubble in dimension 9 of layer 1, read in dimension 9 of layer 2."""
    path = write_directions(folder / "directions.safetensors")
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    about, tensors = json.loads(metadata["attributes"]), load_file(path)
    about["stubble"] = {
        "plus": "more", "unit": "", "sd": 0.5, "mean": 0.0, "bias": 0.0, "source": "a test", "plain": True,
        "removed": {"unless": {"age": 14.0}, "of": {"gender": 0.5}, "amount": 2.0} | rule,
    }  # fmt: skip
    tensors["stubble"] = torch.zeros(5, 16)
    tensors["stubble"][1, 9] = 1.0
    if reader:
        tensors["stubble.reader"] = torch.zeros(5, 16)
        tensors["stubble.reader"][2, 9] = 2.0
    metadata["attributes"] = json.dumps(about)
    save_file(tensors, folder / "more.safetensors", metadata)
    return make_plugin(
        "editor", "interfacegan", Context(SPACE, {"directions.safetensors": folder / "more.safetensors"})
    )


def stubble_gone(editor, given: torch.Tensor, age: float, sex: str) -> torch.Tensor:
    """How much stubble each loses, [n]."""
    goals = {"age": Target(age, "years"), "gender": Target(sex)}
    edited = [editor.edit(code[None], editor.strengths_for_targets(code, goals))[0] for code in given]
    return (given - torch.stack(edited))[:, 1, 9]


def test_stubble_goes_from_boys_whom_an_edit_makes_young_and_from_nobody_else(tmp_path: Path) -> None:
    editor, given = stubble_editor(tmp_path, {}), codes()
    torch.testing.assert_close(stubble_gone(editor, given, 8, "male"), torch.full((12,), 2.0))
    for age, sex in ((8, "female"), (30, "male")):
        assert float(stubble_gone(editor, given, age, sex).abs().max()) < 1e-6, (age, sex)
    grown = torch.stack([editor.edit(c[None], {"gender": 1.0})[0] for c in given])
    assert torch.equal(grown[:, 1, 9], given[:, 1, 9]), "no age was asked for"
    asked = editor.edit(given, {"age": -3.0, "stubble": 1.0})
    torch.testing.assert_close((asked - given)[:, 1, 9], torch.ones(12), msg="who asks for some gets it")


def test_more_stubble_goes_where_more_is_read(tmp_path: Path) -> None:
    editor = stubble_editor(tmp_path, {"none": 0.25, "most": 3.0}, reader=True)
    given = codes(5)
    given[:, 2, 9] = torch.tensor(
        [-1.0, 0.2, 0.75, 1.25, 9.0]
    )  # read as they are; half of one is a standard deviation
    gone = stubble_gone(editor, given, 8, "male")
    torch.testing.assert_close(gone, torch.tensor([2.0, 2.0, 3.0, 4.0, 5.0]))
    assert float(stubble_gone(editor, given, 8, "female").abs().max()) < 1e-6
    assert float(stubble_gone(editor, given, 40, "male").abs().max()) < 1e-6


def test_whether_somebody_is_a_child_is_read_after_all_edits(tmp_path: Path) -> None:
    """The place along the direction of age that means four years in a boy means eight in a girl."""
    editor = stubble_editor(tmp_path, {"unless": {"age": 7.0}})
    torch.testing.assert_close(stubble_gone(editor, codes(), 4, "male"), torch.full((12,), 2.0), atol=0.2, rtol=0)


def test_a_smile_is_calmed_in_undone_codes(editor) -> None:
    code = torch.full((5, 16), 0.5)
    strengths = editor.neutral_strengths(code)
    assert float(read(editor, "smile", editor.edit(code[None], strengths))) == pytest.approx(0.0, abs=1e-4)


def test_published_directions_are_given_in_w_beside_packed_ones(tmp_path: Path) -> None:
    direction = torch.randn(1, 16, generator=torch.Generator().manual_seed(1))
    torch.save(direction, tmp_path / "kind.pt")
    context = Context(SPACE, {"directions.safetensors": write_directions(tmp_path / "directions.safetensors")})
    ours = make_plugin("editor", "interfacegan", context, {"directions": {"kind": str(tmp_path / "kind.pt")}})
    before = codes(1)
    torch.testing.assert_close(ours.edit(before, {"kind": -2.0}), before - 2 * direction)


def test_directions_of_18_layers_are_laid_on_23() -> None:
    rows = torch.arange(18.0)[:, None].expand(18, 16)
    laid = to_code_shape(rows[None], LatentSpace("toy", 23, 16, "0" * 64), "x")[:, 0].tolist()
    assert laid == [0, 1, 1, 2, 3, 3, 4, 5, 5, 6, 7, 7, 8, 9, 9, 10, 11, 11, 12, 13, 13, 14, 16]


def test_curves_go_straight_on_and_turn_round() -> None:
    knots, table = torch.tensor([0.0, 1.0, 3.0]), torch.tensor([[0.0], [2.0], [4.0]])
    found = interpolate(torch.tensor([-1.0, 0.5, 2.0, 5.0]), knots, table)[:, 0]
    torch.testing.assert_close(found, torch.tensor([-2.0, 1.0, 3.0, 6.0]))
    curve = Curve.of(CURVE)
    assert curve is not None
    for years in (3.0, 20.0, 75.0):
        for other in (0.0, 0.4, 1.0):
            others = torch.tensor([other])
            back = curve.value(curve.deviations(years, others), others)
            assert float(back) == pytest.approx(years, abs=1e-3)


@pytest.fixture(scope="module", autouse=True)
def prepare(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = write_directions(tmp_path_factory.mktemp("contract") / "directions.safetensors")
    TestPackedContract.context = Context(SPACE, {"directions.safetensors": path})


class TestPackedContract(EditorContract):
    name = "interfacegan"


def test_a_plain_direction_is_added_to_codes_as_they_are_and_reaches_targets_all_the_same(tmp_path: Path) -> None:
    path = write_directions(tmp_path / "first.safetensors")
    with safe_open(path, framework="pt") as file:
        about = json.loads(file.metadata()["attributes"])
    about["age"]["plain"] = True
    save_file(load_file(path), tmp_path / "plain.safetensors", {"attributes": json.dumps(about), "slope": "0.2"})
    plain = make_plugin(
        "editor", "interfacegan", Context(SPACE, {"directions.safetensors": tmp_path / "plain.safetensors"})
    )
    given = codes()
    moved = plain.edit(given, {"age": 1.5}) - given
    torch.testing.assert_close(moved, 1.5 * plain._known("age").step.expand_as(given), atol=1e-5, rtol=0)
    for code in given:
        strengths = plain.strengths_for_targets(code, {"age": Target(8.0, "years")})
        assert float(read(plain, "age", plain.edit(code[None], strengths))[0]) == pytest.approx(8.0, abs=0.5)


def test_more_may_be_another_change_than_less(tmp_path: Path) -> None:
    path = write_directions(tmp_path / "first.safetensors")
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    about = json.loads(metadata["attributes"])
    about["age"]["plain"] = True
    tensors = load_file(path)
    tensors["age.up"] = 2 * tensors["age"]
    save_file(tensors, tmp_path / "up.safetensors", metadata | {"attributes": json.dumps(about)})
    context = Context(SPACE, {"directions.safetensors": tmp_path / "up.safetensors"})
    editor, given = make_plugin("editor", "interfacegan", context), codes()
    up, down = (editor._known("age").change(given, strength) for strength in (1.5, -1.5))
    torch.testing.assert_close(up, -2 * down, atol=1e-4, rtol=0)
    assert "age.up" not in editor.attributes()


@pytest.mark.parametrize("which", ["both", "more"])
def test_what_an_edit_takes_along_is_brought_back(which: str, tmp_path: Path) -> None:
    path = write_directions(tmp_path / "first.safetensors")
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    about, tensors = json.loads(metadata["attributes"]), load_file(path)
    tensors["age"][MOVED, 3] = -0.5  # the younger, the broader the smile
    held = about | {"age": about["age"] | {"holds": {"smile": which}}}
    editors = []
    for name, facts in (("free", about), ("held", held)):
        file = tmp_path / f"{name}.safetensors"
        save_file(tensors, file, metadata | {"attributes": json.dumps(facts)})
        editors.append(make_plugin("editor", "interfacegan", Context(SPACE, {"directions.safetensors": file})))
    free, kept = editors
    for strength in (-1.5, 1.5):
        before, given = read(free, "smile", codes()), codes()
        moved, stayed = (read(editor, "smile", editor.edit(given, {"age": strength})) for editor in editors)
        if which == "both" or strength < 0:
            torch.testing.assert_close(stayed, before, atol=1e-4, rtol=0)
            assert (moved - before).abs().min() > 0.5
        else:
            torch.testing.assert_close(stayed, moved, atol=1e-4, rtol=0)
        smiling = {"age": strength, "smile": 1.0}
        torch.testing.assert_close(kept.edit(given, smiling), free.edit(given, smiling))


def two_reader_editor(folder: Path, plain: bool, apart: float, seed: int):
    """An editor that reads ages above "turn" by another reader, both of more than what an edit moves, as readers
    that are fitted to faces are. apart: about how far the readers differ, in standard deviations."""
    path = write_directions(folder / "first.safetensors")
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    about, tensors = json.loads(metadata["attributes"]), load_file(path)
    about["age"] |= {"plain": plain, "up_bias": apart, "turn": -1.0}
    source = torch.Generator().manual_seed(seed)
    tensors["age.up.reader"] = tensors["age.reader"].clone()
    for name in ("age.reader", "age.up.reader"):
        tensors[name][:, 4:] = 0.1 * apart * torch.randn(5, 12, generator=source)
    save_file(tensors, folder / "two.safetensors", metadata | {"attributes": json.dumps(about)})
    return make_plugin(
        "editor", "interfacegan", Context(SPACE, {"directions.safetensors": folder / "two.safetensors"})
    )


def rises_and_reaches(editor, given: torch.Tensor, tolerance: float) -> None:
    """Years that are read rise with the strength of age, and are those asked for with either sex."""
    assert_rising(editor, given)
    for code in given:
        for years in (4.0, 8.0, 16.0, 30.0, 60.0):
            for word in ("female", "male"):
                goals = {"age": Target(years, "years"), "gender": Target(word)}
                after = editor.edit(code[None], editor.strengths_for_targets(code, goals))
                assert float(read(editor, "age", after)) == pytest.approx(years, abs=tolerance)


def assert_rising(editor, given: torch.Tensor) -> None:
    along = [read(editor, "age", editor.edit(given, {"age": step / 2})) for step in range(-12, 13)]
    assert (torch.stack(along).diff(dim=0) > 0).all()


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("apart", [-9.0, -4.0, 4.0, 9.0])
def test_years_rise_however_far_two_readers_differ(plain: bool, apart: float, tmp_path: Path) -> None:
    assert_rising(two_reader_editor(tmp_path, plain, apart, 4), codes())


@pytest.mark.parametrize("plain", [True, False])
@pytest.mark.parametrize("apart", [-2.0, -1.0, 0.0, 1.0, 2.0])
@pytest.mark.parametrize("seed", [1, 2])
def test_years_rise_and_are_reached_where_one_reader_takes_over_from_another(
    plain: bool, apart: float, seed: int, tmp_path: Path
) -> None:
    rises_and_reaches(two_reader_editor(tmp_path, plain, apart, seed), codes(4, seed), tolerance=0.5)


@pytest.mark.parametrize("apart", [-5.0, 0.7, 5.0])
def test_far_below_the_turn_one_reader_counts_and_far_above_the_other(apart: float, tmp_path: Path) -> None:
    age, given = two_reader_editor(tmp_path, False, apart, 3)._known("age"), codes()
    for away, reader, bias in ((-40.0, age.reader, age.facts["bias"]), (40.0, age.up_reader, apart)):
        moved = given + away * age.step
        wanted = (moved * reader).sum((1, 2)) + bias
        first = (moved * age.reader).sum((1, 2)) + age.facts["bias"]
        wanted = first + (wanted - first).clamp(-TURN, TURN)
        torch.testing.assert_close(age.deviations(moved), wanted, atol=1e-3, rtol=0)


@pytest.mark.parametrize("seed", range(3))
def test_the_directions_of_ffhq_mobile_reach_ages_of_faces_as_different_as_people_are(seed: int) -> None:
    path = Path(mobilestylegan.__file__).parent / "pack" / "directions.safetensors"
    space = LatentSpace("ffhq-mobile", 23, 512, "0" * 64)
    editor = make_plugin("editor", "interfacegan", Context(space, {"directions.safetensors": path}))
    own = 0.3 * torch.randn(2, 1, 512, generator=torch.Generator().manual_seed(seed))
    rises_and_reaches(editor, load_file(SHIPPED)["mean.w"].float() + own.expand(2, 23, 512), tolerance=1.0)
