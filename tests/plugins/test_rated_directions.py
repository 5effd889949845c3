"""Directions from rated faces: planted attributes are found, read, moved, and kept apart."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from kinblend import Context, LatentSpace
from kinblend.backbone import make_plugin
from kinblend.errors import InputError, UnsupportedError
from kinblend_plugins.interfacegan.training.face_measurements import COLOURS, complexion, measure
from kinblend_plugins.interfacegan.training.rated_attributes import Attribute, AttributeSpec, read_rated
from kinblend_plugins.interfacegan.training.rated_directions import fit_directions
from kinblend_plugins.interfacegan.training.rated_faces import _keep, _resume
from kinblend_plugins.interfacegan.training.regression import conditional_means, linear_basis

SPACE = LatentSpace("toy", 3, 16, "0" * 64)


@pytest.fixture(scope="module")
def planted():
    """600 codes in which age moves dimension 0 (and 1 in childhood), gender dimension 2; older faces are more
    male.
    """
    generator = torch.Generator().manual_seed(0)
    codes = 0.3 * torch.randn(600, 3, 16, generator=generator)
    age = 2 + 66 * torch.rand(600, generator=generator)
    gender = 50 + 0.3 * (age - 35) + 20 * torch.randn(600, generator=generator)
    smile = 50 + 20 * torch.randn(600, generator=generator)
    codes[:, 0, 0] += (age - 35) / 15
    codes[:, 0, 1] += (12 - age).clamp(min=0) / 3
    codes[:, 1, 2] += (gender - 50) / 20
    codes[:, 2, 3] += (smile - 50) / 20
    attributes = [
        Attribute("age", age.tolist(), AttributeSpec("older", "years")),
        Attribute("gender", gender.tolist(), AttributeSpec("more male")),
        Attribute("smile", smile.tolist(), AttributeSpec("broader", neutral=40, neutral_from="above")),
    ]
    return codes, attributes


@pytest.mark.parametrize("method", ["mean", "ridge", "svm"])
def test_planted_families_are_found(planted, method):
    codes, attributes = planted
    found = fit_directions(codes, attributes, method)
    assert found.about["gender"]["r2"] > 0.8
    for name, place in (("gender", (1, 2)), ("smile", (2, 3))):
        direction = found.tensors[name]
        assert direction[place] / direction.norm() > 0.95, name


def test_mean_changes_leave_the_other_attributes_alone(planted):
    codes, attributes = planted
    found = fit_directions(codes, attributes)
    # Older faces are more male in these data, yet ageing one must not make it so.
    assert abs(float((found.tensors["age"] * found.tensors["gender.reader"]).sum())) < 0.1


def test_age_leaves_the_complexion_alone_and_skin_changes_it():
    """Among these faces the young are pale, which dimension (0, 4) of the code shows."""
    generator = torch.Generator().manual_seed(5)
    codes = 0.3 * torch.randn(600, 3, 16, generator=generator)
    age = 2 + 66 * torch.rand(600, generator=generator)
    skin = torch.randn(600, generator=generator)
    dark = skin + (age - 35) / 15 + 0.3 * torch.randn(600, generator=generator)
    codes[:, 0, 0] += (age - 35) / 15
    codes[:, 0, 4] += dark
    attributes = [
        Attribute("age", age.tolist(), AttributeSpec("older", "years")),
        Attribute("skin", skin.tolist(), AttributeSpec("darker skin", of_skin=True)),
    ]
    free = fit_directions(codes, attributes)
    held = fit_directions(codes, attributes, complexions=dark[:, None].double())
    assert float(free.tensors["age"][0, 4]) > 0.8
    assert abs(float(held.tensors["age"][0, 4])) < 0.1
    assert float(held.tensors["age.path"][-1, 0, 4] - held.tensors["age.path"][0, 0, 4]) == pytest.approx(0, abs=0.3)
    assert float(held.tensors["age"][0, 0]) > 0.8
    torch.testing.assert_close(held.tensors["skin"], free.tensors["skin"])


def test_an_attribute_of_chance_is_not_found_in_held_out_faces(planted):
    codes, _ = planted
    values = torch.randn(600, generator=torch.Generator().manual_seed(9)).tolist()
    assert fit_directions(codes, [Attribute("luck", values, AttributeSpec("lucky"))]).about["luck"]["r2"] < 0.1


@pytest.fixture(scope="module")
def editor(planted, tmp_path_factory):
    codes, attributes = planted
    found = fit_directions(codes, attributes)
    path = tmp_path_factory.mktemp("pack") / "directions.safetensors"
    save_file(found.tensors, path, found.metadata)
    assert json.loads(found.metadata["attributes"])["age"]["unit"] == "years"
    return make_plugin("editor", "interfacegan", Context(SPACE, {"directions.safetensors": path}))


def test_a_target_in_years_is_reached(editor, planted):
    codes, attributes = planted
    grown = [i for i, age in enumerate(attributes[0].values) if 30 < age < 40][:20]
    for target in (8.0, 50.0):
        reached = []
        for i in grown:
            strength = editor.strength_for_target(codes[i], "age", target, "years")
            after = editor.edit(codes[i : i + 1], {"age": strength})[0]
            reached.append(float(after[0, 0]) * 15 + 35)  # how the data were made
        assert np.mean(reached) == pytest.approx(target, abs=6)


def test_childhood_differs_from_other_years(editor, planted):
    codes, attributes = planted
    i = min(range(600), key=lambda i: abs(attributes[0].values[i] - 30))
    child = editor.edit(codes[i : i + 1], {"age": editor.strength_for_target(codes[i], "age", 4.0, "years")})[0]
    young = editor.edit(codes[i : i + 1], {"age": editor.strength_for_target(codes[i], "age", 20.0, "years")})[0]
    assert float(child[0, 1] - codes[i, 0, 1]) > 1
    assert abs(float(young[0, 1] - codes[i, 0, 1])) < 0.5


def test_what_has_no_unit_has_no_targets(editor, planted):
    with pytest.raises(UnsupportedError, match="no target"):
        editor.strength_for_target(planted[0][0], "gender", 8.0, "years")


def test_a_smile_is_calmed_and_a_calm_face_left(editor, planted):
    codes, attributes = planted
    values = attributes[2].values
    smiling, calm = (values.index(pick(values)) for pick in (max, min))
    assert editor.neutral_strengths(codes[smiling])["smile"] < -1
    assert "smile" not in editor.neutral_strengths(codes[calm])


def test_hats_sum_to_one_and_interpolate():
    weights = linear_basis(torch.tensor([-5.0, 0.0, 2.5, 10.0, 99.0]), [0.0, 5.0, 10.0])
    torch.testing.assert_close(weights.sum(1), torch.ones(5))
    torch.testing.assert_close(weights[2], torch.tensor([0.5, 0.5, 0.0]))
    torch.testing.assert_close(weights[4], torch.tensor([0.0, 0.0, 1.0]))


def test_dimensions_without_part_in_an_attribute_are_shrunk_to_nothing_mostly():
    generator = torch.Generator().manual_seed(1)
    design = torch.randn(200, 1, generator=generator, dtype=torch.float64)
    codes = torch.randn(200, 500, generator=generator, dtype=torch.float64)
    codes[:, 0] += 2 * design[:, 0]
    found = conditional_means(codes, design, [slice(0, 1)], torch.zeros(1, 1, dtype=torch.float64))[0]
    plain = torch.linalg.lstsq(design, codes).solution[0]
    assert float(found[0]) == pytest.approx(2, abs=0.2)
    assert float(found[1:].norm()) < 0.6 * float(plain[1:].norm())


def test_a_beard_goes_with_childhood_and_comes_with_nothing():
    generator = torch.Generator().manual_seed(4)
    codes = 0.3 * torch.randn(400, 3, 16, generator=generator)
    age = 2 + 66 * torch.rand(400, generator=generator)
    beard = torch.where(age > 18, torch.rand(400, generator=generator), torch.zeros(400))
    codes[:, 0, 0] += (age - 35) / 15
    codes[:, 1, 5] += 3 * beard
    meaning = AttributeSpec("more beard", none=0.0, unless={"age": 16})
    attributes = [
        Attribute("age", age.tolist(), AttributeSpec("older", "years")),
        Attribute("beard", beard.tolist(), meaning),
    ]
    found = fit_directions(codes, attributes)
    folder = Path(tempfile.mkdtemp())
    save_file(found.tensors, folder / "directions.safetensors", found.metadata)
    mover = make_plugin(
        "editor", "interfacegan", Context(SPACE, {"directions.safetensors": folder / "directions.safetensors"})
    )
    i = int(((age - 40).abs() + 40 * (beard - 0.9).abs()).argmin())
    before = float(codes[i, 1, 5])
    child = mover.edit(codes[i : i + 1], {"age": mover.strength_for_target(codes[i], "age", 8.0, "years")})[0]
    older = mover.edit(codes[i : i + 1], {"age": 1.0})[0]
    assert before > 2 and abs(float(child[1, 5])) < 0.8
    assert float(older[1, 5]) > before - 0.5


def test_measures_of_landmarks():
    points = np.zeros((68, 2))
    points[36:42], points[42:48], points[30] = (40, 50), (60, 50), (50, 62)
    points[2], points[14], points[8], points[[21, 22]] = (30, 60), (70, 60), (50, 90), (50, 40)
    points[[31, 48, 3]], points[[35, 54, 13]] = (42, 65), (58, 65)
    points[57], points[6], points[10], points[33], points[51] = (50, 80), (44, 84), (56, 84), (50, 68), (50, 72)
    points[41], points[46] = (42, 52), (58, 52)
    picture = Image.new("RGB", (100, 100), (200, 200, 200))
    found = measure(picture, points)
    assert found == {"width": pytest.approx(0.8), "yaw": pytest.approx(0), "beard": pytest.approx(0), "mouth": 0}
    points[65:68] = (50, 83)
    points[61:64] = (50, 80)
    assert measure(picture, points)["mouth"] == pytest.approx(0.15, abs=0.01)
    picture.paste((40, 40, 40), (0, 66, 100, 100))
    assert measure(picture, points)["beard"] > 0.5
    points[30] = (55, 62)
    assert measure(picture, points)["yaw"] == pytest.approx(0.25, abs=0.02)


def test_a_complexion_is_of_the_skin():
    points = np.zeros((68, 2))
    points[36:42], points[42:48] = (40, 50), (60, 50)
    points[[36, 45]] = (30, 50), (70, 50)
    points[[19, 24]], points[[37, 44]] = [(40, 40), (60, 40)], [(40, 50), (60, 50)]
    for patch, place in (((41, 31, 48, 3), (42, 64)), ((46, 35, 54, 13), (58, 64)), ((57, 8), (50, 80))):
        points[list(patch)] = place
    points[[6, 10, 33, 51]] = (50, 80)
    points[[48, 54]] = [(42, 64), (58, 64)]
    picture = Image.new("RGB", (100, 100), (0, 0, 0))
    picture.paste((200, 150, 100), (0, 0, 100, 45))
    picture.paste((160, 120, 80), (0, 45, 100, 70))
    picture.paste((80, 80, 80), (0, 74, 100, 100))
    found = complexion(picture, points)
    assert found.shape == (COLOURS,)
    np.testing.assert_allclose(np.exp(found[:6]) - 8, [200, 150, 100, 160, 120, 80])
    assert np.all(np.isfinite(found[6:]))
    # A landmark beyond the picture's edge gives the colour at the edge.
    points[[19, 24]] = [(40, -30), (60, -30)]
    np.testing.assert_allclose(np.exp(complexion(picture, points)[:3]) - 8, [200, 150, 100])


def test_archives_and_ratings_that_do_not_fit(tmp_path: Path):
    import zipfile

    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        archive.writestr("index.csv", "file,omi_stimulus\na.png,1\n")
    (tmp_path / "r.csv").write_text("stimulus,age\n2,30\n")
    with pytest.raises(InputError, match="no face"):
        read_rated(tmp_path / "faces.zip", tmp_path / "r.csv")
    (tmp_path / "r.csv").write_text("stimulus,age\n1,old\n")
    with pytest.raises(InputError, match="no number"):
        read_rated(tmp_path / "faces.zip", tmp_path / "r.csv")
    with pytest.raises(InputError, match="as a zip"):
        read_rated(tmp_path / "r.csv", tmp_path / "r.csv")
    (tmp_path / "r.csv").write_text("stimulus,age\n1,30\n")
    assert read_rated(tmp_path / "faces.zip", tmp_path / "r.csv").ratings == {"age": [30.0]}


def test_codes_of_other_faces_are_not_gone_on_from(tmp_path: Path) -> None:
    part = tmp_path / "d.part.safetensors"
    _keep(part, {"codes": torch.ones(2, 4, 8), "measured": torch.ones(2, 3)}, {"faces": "a"})
    assert len(_resume(part, {"faces": "a"})[0]) == 2
    assert _resume(part, {"faces": "b"}) == ([], [])
    part.write_bytes(part.read_bytes()[:50])
    assert _resume(part, {"faces": "a"}) == ([], [])
