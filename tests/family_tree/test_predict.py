"""A tree is predicted generation by generation; what is finished is kept; the command says what it does."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest
import torch
from PIL import Image
from plugin_site import here

from kinblend import ChildRequest, Engine, Latent, load_backbone, load_latent, save_latent
from kinblend.errors import InputError, UsageError
from kinblend.family_tree import (
    PredictedTree,
    outline_of,
    parse_tree,
    predict_people,
    predict_tree,
    read_tree,
    tree_of,
)
from kinblend.family_tree.plan import file_stems, plan_tree

FAMILY = """title = "Three generations"
blender = "mask"

[[person]]
name = "Grandpa"
photo = "1.safetensors"
age = 70

[[person]]
name = "Grandma"
photo = "2.safetensors"

[[person]]
name = "Otto"
photo = "3.safetensors"

[[person]]
name = "Zoë B."
father = "Grandpa"
mother = "Grandma"
age = 12

[[person]]
name = "Tim"
father = "Otto"
mother = "Zoë B."
age = 4
sex = "male"
seed = 5

[[person]]
name = "Ida"
father = "Otto"
mother = "Zoë B."
edits = { smile = 1 }
"""


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine("morphable", "cpu")


@pytest.fixture(scope="module")
def family(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file, and latents in the place of photographs."""
    folder, space = tmp_path_factory.mktemp("family"), load_backbone("morphable").space
    generator = torch.Generator().manual_seed(4)
    for number in (1, 2, 3):
        code = torch.randn(space.layers, space.dim, generator=generator) / 2
        save_latent(folder / f"{number}.safetensors", Latent(code, space))
    (folder / "family.toml").write_text(FAMILY, "utf-8")
    return folder / "family.toml"


@pytest.fixture(scope="module")
def predicted(engine: Engine, family: Path) -> PredictedTree:
    return predict_tree(engine, read_tree(family), family.parent / "out", side=64)


@pytest.fixture
def folder(predicted: PredictedTree, tmp_path: Path) -> Path:
    """A copy of the predicted tree."""
    shutil.copytree(predicted.files[0].parent, tmp_path / "out")
    return tmp_path / "out"


@pytest.fixture
def runs(engine: Engine) -> Iterator[mock.Mock]:
    """Counts how often a child is made."""
    with mock.patch.object(engine, "run", wraps=engine.run) as counted:
        yield counted


def contents(folder: Path) -> dict[str, bytes]:
    """All files but manifests, which say how long something took."""
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in (".png", ".safetensors")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_everyone_without_a_photograph_is_made_parents_first(predicted: PredictedTree) -> None:
    out = predicted.files[0].parent
    assert (predicted.made, predicted.kept) == (("Zoë B.", "Tim", "Ida"), ())
    assert {path.relative_to(out) for path in predicted.files} == {
        p.relative_to(out) for p in out.rglob("*") if p.is_file()
    }
    record = json.loads((out / "tree.json").read_text("utf-8"))
    people = {one["name"]: one for one in record["people"]}
    assert [one["generation"] for one in record["people"]] == [0, 0, 1, 1, 2, 2]
    assert (people["Zoë B."]["sex"], people["Tim"]["sex"], people["Ida"]["age"]) == ("girl", "boy", 8)
    assert (people["Tim"]["seed"], people["Ida"]["seed"], people["Tim"]["blender"]) == (5, 1, "mask")
    assert people["Grandpa"]["source"].keys() == {"sha256"} and people["Zoë B."]["files"][0] == "Zoë B.png"
    with Image.open(out / "tree.png") as picture:
        assert picture.size == predicted.picture.size and picture.text["Description"].startswith("Synthetic image")


def test_a_predicted_parent_is_grown_up_and_shown_at_the_own_age(predicted: PredictedTree, engine: Engine) -> None:
    out = predicted.files[0].parent
    shown, parent = load_latent(out / "Zoë B.safetensors"), load_latent(out / "parents" / "Zoë B.safetensors")
    people = [predicted.tree.photos[name] for name in ("Grandpa", "Grandma")]
    as_old = engine.run(*people, ChildRequest(blender="mask", sex="girl", seed=0)).children[0].latent
    young = engine.run(*people, ChildRequest(blender="mask", sex="girl", age=12, seed=0)).children[0].latent
    assert torch.equal(parent.code, as_old.code) and torch.equal(shown.code, young.code)
    assert not torch.equal(parent.code, shown.code)


def test_a_grandchild_is_what_a_run_makes_of_the_same_files(predicted: PredictedTree, tmp_path: Path) -> None:
    out = predicted.files[0].parent
    parents = ["--father", predicted.tree.photos["Otto"], "--mother", out / "parents" / "Zoë B.safetensors"]
    code, _, error = here("run", "--from", out / "Tim.json", *parents, "--out", tmp_path / "tim.png", "--quiet")
    assert (code, error) == (0, "")
    for suffix in (".png", ".safetensors"):
        assert (tmp_path / f"tim{suffix}").read_bytes() == (out / f"Tim{suffix}").read_bytes()


def test_nothing_is_made_twice(engine: Engine, predicted: PredictedTree, folder: Path, runs: mock.Mock) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    again = predict_tree(engine, predicted.tree, folder, side=64)
    assert (again.made, again.kept, runs.call_count) == ((), predicted.made, 0)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
    assert again.record == predicted.record and again.picture.tobytes() == predicted.picture.tobytes()


def test_an_interrupted_tree_goes_on_and_ends_the_same(
    engine: Engine, predicted: PredictedTree, tmp_path: Path, runs: mock.Mock
) -> None:
    def interrupt(name: str, done: int, total: int) -> None:
        if name == "Ida":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        predict_tree(engine, predicted.tree, tmp_path, side=64, progress=interrupt)
    assert (tmp_path / "Tim.json").is_file() and not (tmp_path / "tree.png").exists()
    done = predict_tree(engine, predicted.tree, tmp_path, side=64)
    assert (done.made, done.kept, runs.call_count) == (("Ida",), ("Zoë B.", "Tim"), 3)
    assert contents(tmp_path) == contents(predicted.files[0].parent) and done.record == predicted.record


@pytest.mark.parametrize(
    ("damage", "made"), [("Tim.png", ("Tim",)), ("Tim.safetensors", ("Tim",)), ("tree.png", ()), ("tree.json", ())]
)
def test_what_is_damaged_or_gone_is_made_again(
    damage: str, made: tuple[str, ...], engine: Engine, predicted: PredictedTree, folder: Path
) -> None:
    if made:
        (folder / damage).write_bytes((folder / damage).read_bytes()[:100])
    else:
        (folder / damage).unlink()
    assert predict_tree(engine, predicted.tree, folder, side=64).made == made
    assert contents(folder) == contents(predicted.files[0].parent)


def test_a_title_and_an_age_of_a_photograph_change_the_picture_alone(
    engine: Engine, family: Path, folder: Path
) -> None:
    other = family.with_name("other.toml")
    other.write_text(FAMILY.replace("Three", "Two or three").replace("age = 70", "age = 71"), "utf-8")
    before = (folder / "tree.png").read_bytes()
    assert predict_tree(engine, read_tree(other), folder, side=64).made == ()
    assert (folder / "tree.png").read_bytes() != before


@pytest.mark.parametrize(
    ("change", "whom"),
    [
        (("seed = 5", "seed = 6"), ["Tim"]),
        (("2.safetensors", "3.safetensors"), ["Grandma", "Zoë B.", "Tim", "Ida"]),
        (("age = 12", "age = 13"), ["Zoë B.", "Tim", "Ida"]),
        (("Three", "Two"), []),
        (("edits = { smile = 1 }", ""), ["Ida"]),
    ],
    ids=["seed", "grandmother", "age", "title", "edit"],
)
def test_a_change_concerns_a_person_and_the_descendants(
    change: tuple[str, str], whom: list[str], engine: Engine, family: Path
) -> None:
    other = family.with_name("other.toml")
    other.write_text(FAMILY.replace(*change), "utf-8")
    before, after = (plan_tree(engine, read_tree(file)).keys for file in (family, other))
    assert [name for name in before if before[name] != after[name]] == whom


def test_what_goes_for_all_takes_the_place_of_the_files_strategy_not_of_a_persons_own(
    engine: Engine, family: Path
) -> None:
    other = family.with_name("own.toml")
    text = FAMILY.replace("seed = 5", 'seed = 5\nblender = "average"\nblender_options = { share = 0.7 }')
    other.write_text(text.replace('blender = "mask"', 'blender = "mask"\nblender_options = { share = 0.4 }'), "utf-8")
    tree = read_tree(other)
    cases = {
        None: [("mask", {"share": 0.4}, 0), ("average", {"share": 0.7}, 5), ("mask", {"share": 0.4}, 1)],
        "layer": [("layer", {}, 3), ("average", {"share": 0.7}, 5), ("layer", {}, 4)],
    }
    for blender, wanted in cases.items():
        asked = ChildRequest() if blender is None else ChildRequest(blender=blender, seed=3)
        found = [one.request for one in plan_tree(engine, tree, asked).predictions.values()]
        assert [(one.blender, one.blender_options, one.seed) for one in found] == wanted


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('blender = "nobody"', "Zoë B.: there is no blender 'nobody'"),
        ("blender = 'average'\nblender_options = {wings = 2}", "Zoë B.: 'average' has no option"),
    ],
    ids=["strategy", "option"],
)
def test_strategies_are_checked_before_any_work(
    text: str, said: str, engine: Engine, family: Path, tmp_path: Path, runs: mock.Mock
) -> None:
    other = family.with_name("wrong.toml")
    other.write_text(FAMILY.replace('blender = "mask"', text), "utf-8")
    with pytest.raises(UsageError, match=said):
        predict_tree(engine, read_tree(other), tmp_path / "out")
    assert not (tmp_path / "out").exists() and not runs.called


def test_edits_and_defaults_are_checked_too(engine: Engine, family: Path, tmp_path: Path) -> None:
    other = family.with_name("wrong.toml")
    other.write_text(FAMILY.replace("smile", "height"), "utf-8")
    with pytest.raises(UsageError, match=r"Ida: .* can't move 'height'"):
        predict_tree(engine, read_tree(other), tmp_path)
    with pytest.raises(UsageError, match="age is asked for in the tree"):
        predict_tree(engine, read_tree(family), tmp_path, ChildRequest(age=8))


def test_brothers_and_sisters_of_one_face_are_told_of(engine: Engine, family: Path, tmp_path: Path) -> None:
    people = [{"name": name, "photo": str(family.with_name(f"{name}.safetensors"))} for name in "12"]
    people += [{"name": name, "father": "1", "mother": "2", "age": 9, "sex": "girl"} for name in "AB"]
    predicted = predict_tree(engine, tree_of({"person": people}), tmp_path, ChildRequest(blender="average"), side=64)
    assert any("A and B have one face" in line for line in predicted.warnings)
    assert (tmp_path / "A.png").read_bytes() == (tmp_path / "B.png").read_bytes()


def test_brothers_and_sisters_of_a_tree_differ_when_asked(engine: Engine, family: Path, tmp_path: Path) -> None:
    """In the file for all, of one person, and by the request; a parent is as far from the blend as the picture is."""
    people = [{"name": name, "photo": str(family.with_name(f"{name}.safetensors"))} for name in "123"]
    people += [{"name": name, "father": "1", "mother": "2", "age": 9, "sex": "girl"} for name in "ABC"]
    people += [{"name": "D", "father": "3", "mother": "A", "age": 4, "sex": "girl"}]
    people[5] |= {"siblings": 0}

    def predict(request: ChildRequest, **fields: float) -> PredictedTree:
        return predict_tree(engine, tree_of({"person": people, **fields}), tmp_path, request, side=64)

    def code(name: str) -> torch.Tensor:
        return load_latent(tmp_path / f"{name}.safetensors").code

    average = ChildRequest(blender="average")
    alike = predict(average)
    plain, as_parent = code("A"), code("parents/A")
    assert torch.equal(plain, code("B")) and any("A and B and C have one face" in line for line in alike.warnings)
    varied = predict(average, siblings=1)
    assert varied.made == ("A", "B", "D") and varied.kept == ("C",)
    assert not torch.equal(code("A"), code("B")) and torch.equal(code("C"), plain)
    assert not any("one face" in line for line in varied.warnings)
    request = ChildRequest(blender="average", siblings=1, sex="girl")
    run = engine.run(family.with_name("1.safetensors"), family.with_name("2.safetensors"), request)
    assert torch.equal(code("parents/A"), run.children[0].latent.code)
    assert not torch.equal(code("parents/A"), as_parent)
    assert predict(ChildRequest(blender="average", siblings=0.5), siblings=1).made == ("A", "B", "D")
    with pytest.raises(UsageError, match=r"A: .*mutation"):
        predict(average, mutation=0.2)


def test_a_photograph_without_a_face_is_refused_before_anybody_is_encoded(engine: Engine, tmp_path: Path) -> None:
    Image.new("RGB", (300, 300), "grey").save(tmp_path / "grey.png")
    people = [{"name": name, "photo": "grey.png"} for name in ("F", "M")]
    tree = tree_of({"person": [*people, {"name": "C", "father": "F", "mother": "M"}]}, tmp_path)
    with pytest.raises(InputError, match=r"F: .*grey\.png"):
        predict_tree(engine, tree, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_files_have_peoples_names_as_far_as_file_systems_take_them() -> None:
    names = ["Anna", "anna", "A/B: C?", "../x", "tree", "parents", "李", ". .", "x" * 79]
    stems = file_stems(names)
    assert list(stems.values()) == [
        "Anna",
        "anna-2",
        "A-B- C-",
        "-x",
        "tree-2",
        "parents-2",
        "李",
        "person",
        "x" * 60,
    ]


def test_the_command_says_who_was_made_and_who_was_kept(family: Path, folder: Path) -> None:
    words = ["tree", family, "--backbone", "morphable", "--device", "cpu", "--side", "64", "--out", folder]
    (folder / "Tim.json").unlink()
    code, text, error = here(*words)
    assert (code, "made with backbone morphable: Tim" in error, "kept of before: Zoë B., Ida" in error) == (
        0,
        True,
        True,
    )
    assert Path(text.splitlines()[0]) == folder / "tree.png" and "will be replaced" in error
    code, text, error = here(*words, "--json", "--quiet")
    assert (code, error) == (0, "")
    assert (json.loads(text)["made"], json.loads(text)["kept"]) == ([], ["Zoë B.", "Tim", "Ida"])


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (("Otto", "Ottp"), 3, "line 23, 'Tim': father = 'Otto': there is nobody of this name; did you mean 'Ottp'"),
        (("1.safetensors", "no.jpg"), 3, "no.jpg does not exist"),
        (("Grandma", "\U00012000"), 2, "no font here has the letters"),
    ],
    ids=["name", "photo", "letters"],
)
def test_what_is_wrong_is_one_line(
    change: tuple[str, str], code: int, said: str, family: Path, tmp_path: Path
) -> None:
    other = family.with_name("wrong.toml")
    other.write_text(FAMILY.replace(*change, 1 if "Otto" in change else -1), "utf-8")
    found, _, error = here("tree", other, "--out", tmp_path / "out", "--quiet")
    assert (found, error.count("\n"), said in error) == (code, 1, True), error
    assert not (tmp_path / "out").exists()


def test_a_photograph_of_the_tree_is_not_written_over(family: Path, tmp_path: Path) -> None:
    for number in (1, 2, 3):
        shutil.copy(family.with_name(f"{number}.safetensors"), tmp_path)
    shutil.move(tmp_path / "3.safetensors", tmp_path / "Tim.safetensors")
    (tmp_path / "family.toml").write_text(FAMILY.replace("3.safetensors", "Tim.safetensors"), "utf-8")
    code, _, error = here("tree", tmp_path / "family.toml", "--out", tmp_path, "--quiet")
    assert (code, "Tim.safetensors is an input of this command" in error) == (2, True), error


def test_in_memory_it_is_the_same_tree(engine: Engine, family: Path, predicted: PredictedTree) -> None:
    tree = read_tree(family)
    known = {name: engine.parent(path) for name, path in tree.photos.items()}
    parsed = parse_tree(family.read_bytes(), family.name)
    told: list[tuple[str, int, int]] = []
    made = predict_people(
        engine,
        outline_of(parsed.fields),
        known,
        side=64,
        progress=lambda name, done, total: told.append((name, done, total)),
    )
    assert [name for name, _, _ in told] == list(made.results) and told[-1][1:] == (2, 3)
    for name, file in (("Zoë B.", "Zoë B..png"), ("Tim", "Tim.png"), ("Ida", "Ida.png")):
        kept = next(path for path in predicted.files if path.name in (file, file.replace("..", ".")))
        assert made.results[name].children[0].image.tobytes() == Image.open(kept).convert("RGB").tobytes()
    assert made.picture.tobytes() == predicted.picture.convert("RGB").tobytes()
    assert list(made.warnings) == list(predicted.warnings)


def test_in_memory_everybody_with_a_photograph_has_to_be_known(engine: Engine, family: Path) -> None:
    with pytest.raises(UsageError, match="Grandpa has a photo"):
        predict_people(engine, outline_of(parse_tree(family.read_bytes(), "family.toml").fields), {})
