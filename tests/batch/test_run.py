"""Batches: the bytes of single runs whoever works, everybody encoded once, kills, failures that stay alone."""

from __future__ import annotations

import json
import random
import shutil
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from PIL import Image
from plugin_site import Site, here

from kinblend import ChildRequest, load_latent, save_latent
from kinblend.backbone import Backbone
from kinblend.batch import Batch, BatchOptions, EngineOptions, load_child, read_couples, request_of, run_batch
from kinblend.batch.index import COLUMNS
from kinblend.cli.demo import example
from kinblend.errors import CorruptFileError, InputError, UsageError
from kinblend.latents import load_weight_map
from kinblend.storage.tables import read_table
from kinblend.workers import LocalWorkers, ThisProcess, Workers

pytestmark = pytest.mark.skipif(find_spec("openpeople") is None, reason="the example people are not installed")

ENGINE = EngineOptions("morphable", "cpu", projector_options={"background": "mother"})


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four people, a second copy of the first, and a picture of nobody."""
    folder = tmp_path_factory.mktemp("people")
    for name, person in {"p1": "P001", "p4": "P004", "p5": "P005", "p6": "P006"}.items():
        Image.open(example(person)).convert("RGB").resize((160, 160)).save(folder / f"{name}.png")
    shutil.copy(folder / "p1.png", folder / "copy.png")
    Image.new("RGB", (99, 99), "grey").save(folder / "nobody.png")
    return folder


def table(folder: Path, rows: Sequence[str], columns: str = "father,mother,age,blender,seed") -> Path:
    path = folder / "couples.csv"
    path.write_text("\n".join([columns, *rows]) + "\n")
    return path


ROWS = ["p1.png,p4.png,,,", "copy.png,p6.png,30,mask,3", "p5.png,p4.png,parents,layer,", "p1.png,p4.png,12,,5"]


def made(path: Path, out: Path, workers: Workers | None = None, **options: object) -> Batch:
    chosen = BatchOptions(**options)  # type: ignore[arg-type]
    return run_batch(read_couples(path), out, ENGINE, chosen, workers=workers or ThisProcess())


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def index(out: Path) -> list[dict]:
    return [dict(row) for _, row in read_table(out / "index.parquet").rows]


@pytest.fixture
def folder(people: Path, tmp_path: Path) -> Path:
    """The people in a folder of the test's own."""
    return shutil.copytree(people, tmp_path / "people")


@pytest.fixture(scope="module")
def whole(people: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a batch of `ROWS` gives that nothing disturbs."""
    folder = shutil.copytree(people, tmp_path_factory.mktemp("whole") / "people")
    assert made(table(folder, ROWS), folder.parent / "out").done == 4
    return folder.parent / "out"


def test_a_row_gives_the_bytes_that_run_gives(whole: Path, people: Path, tmp_path: Path) -> None:
    words = [
        "--mother",
        people / "p6.png",
        "--age",
        30,
        "--blender",
        "mask",
        "--seed",
        3,
        "--set",
        "projector.background=mother",
    ]
    site = Site(tmp_path)
    done = site.here("run", "--father", people / "copy.png", *words, "--backbone", "morphable", OMP_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    assert (whole / "pictures/00000/000002.png").read_bytes() == (tmp_path / "out/child.png").read_bytes()
    latent, weights = load_child(whole, "2")
    alone = load_latent(tmp_path / "out/child.safetensors")
    assert weights is not None and torch.equal(
        weights.values, load_weight_map(tmp_path / "out/child.safetensors").values
    )
    assert latent.space == alone.space and torch.equal(latent.code, alone.code)
    assert latent.detail.keys() == alone.detail.keys()
    assert all(torch.equal(latent.detail[name], alone.detail[name]) for name in alone.detail)
    request = json.loads(next(row["request"] for row in index(whole) if row["id"] == "2"))
    wanted = json.loads((tmp_path / "out/child.json").read_text())["request"]
    assert {name: wanted[name] for name in request} == request
    with pytest.raises(InputError, match="has no child 2 of '2'"):
        load_child(whole, "2", 2)


def test_whoever_works_the_files_are_the_same(whole: Path, folder: Path) -> None:
    with LocalWorkers(2) as workers:
        made(table(folder, ROWS), folder.parent / "out", workers)
    assert tree(folder.parent / "out") == tree(whole)


def test_everybody_is_encoded_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = []
    encode = Backbone.encode
    monkeypatch.setattr(Backbone, "encode", lambda self, faces: encoded.extend(faces) or encode(self, faces))
    rows = [f"{father}.png,{mother}.png,,," for father in ("p1", "copy", "p5") for mother in ("p4", "p6", "p4")]
    batch = made(table(folder, rows), folder.parent / "out")
    assert (batch.done, batch.encoded, len(encoded)) == (9, 4, 4), "copies of a photograph are one photograph"
    more = made(table(folder, [*rows, "p5.png,p1.png,,,"]), folder.parent / "out")
    assert (more.anew, more.encoded, len(encoded)) == (1, 0, 4)


def test_a_parent_may_be_a_latent_and_warnings_are_in_the_index(whole: Path, folder: Path) -> None:
    out = folder.parent / "out"
    save_latent(folder / "father.safetensors", load_child(whole, "1")[0])
    batch = made(table(folder, ["father.safetensors,p4.png,,,", "p1.png,copy.png,,,"]), out)
    assert (batch.done, batch.encoded) == (2, 3)
    alone = ENGINE.open().run(
        folder / "father.safetensors", folder / "p4.png", request_of(read_couples(folder / "couples.csv")[0].fields)
    )
    second = index(out)[1]
    assert torch.equal(load_child(out, "1")[0].code, alone.children[0].latent.code)
    assert "father and mother are the same photograph" in second["warnings"]


def test_what_is_asked_of_photographs_is_asked_of_each_rows_own(folder: Path) -> None:
    """People are kept by all that their latents depend on."""
    out, rows = folder.parent / "out", ["p1.png,p4.png,,", "p1.png,p4.png,bicubic,", "p1.png,p4.png,,1"]
    assert made(table(folder, rows, "father,mother,upscaler,mother_face"), out).encoded == 5
    engine, found = ENGINE.open(), index(out)
    assert len({row["picture_sha256"] for row in found[:2]}) == 2
    for couple, row in zip(read_couples(folder / "couples.csv"), found, strict=True):
        alone = engine.run(folder / "p1.png", folder / "p4.png", request_of(couple.fields))
        latent = load_child(out, couple.id)[0]
        assert torch.equal(latent.code, alone.children[0].latent.code)
        assert row["warnings"] == ("; ".join(alone.warnings) or None)


BAD = {
    "p1.png,nobody.png,,,": ("NoFaceError", "no face was found"),
    "p1.png,missing.png,,,": ("ImageError", "missing.png can't be read"),
    "p1.png,couples.csv,,,": ("ImageError", "couples.csv"),
    ",p4.png,,,": ("InputError", "names no photograph of the father"),
    "p1.png,p4.png,eight,,": ("UsageError", "age"),
    "p1.png,p4.png,900,,": ("UsageError", "0 to 80"),
    "p1.png,p4.png,,nobody,": ("UnknownPluginError", "there is no blender 'nobody'"),
    "p1.png,p4.png,,,-1": ("UsageError", "seed -1"),
    "p1.png,p4.png,,,,9": ("InputError", "more cells than the table has columns"),
}


def test_a_row_that_fails_is_listed_with_its_reason_and_the_rest_is_done(folder: Path) -> None:
    out, path = folder.parent / "out", table(folder, [*BAD, ROWS[0]])
    batch = made(path, out)
    assert (batch.rows, batch.done, batch.failed, batch.encoded) == (len(BAD) + 1, 1, len(BAD), 2)
    for row, (error, reason) in zip(index(out), BAD.values(), strict=False):
        assert (row["status"], row["error"], row["child"], row["picture"]) == ("failed", error, None, None)
        assert reason in row["reason"] and "\n" not in row["reason"]
    assert index(out)[-1]["status"] == "done"
    assert made(path, out).anew == 0, "nothing is tried twice unasked"
    shutil.copy(folder / "p6.png", folder / "missing.png")
    shutil.copy(folder / "p6.png", folder / "nobody.png")
    assert made(path, out).done == 3, "another photograph is another row"
    before = tree(out)
    again = made(path, out, retry_failed=True)
    assert (again.anew, again.failed) == (len(BAD) - 2, len(BAD) - 2)
    assert tree(out) == before


def test_some_rows_first_and_then_all_is_all_at_once(whole: Path, folder: Path) -> None:
    out, path = folder.parent / "out", table(folder, ROWS)
    assert (made(path, out, limit=1).rows, len(index(out))) == (1, 1)
    assert (made(path, out, where={"blender": "layer"}).rows, len(index(out))) == (1, 2)
    assert made(path, out).anew == 2
    assert tree(out) == tree(whole)


def test_a_photograph_that_was_used_need_not_be_kept(whole: Path, folder: Path) -> None:
    out, path = shutil.copytree(whole, folder.parent / "out"), table(folder, ROWS)
    for name in ("p4.png", "copy.png"):
        (folder / name).unlink()
    assert made(path, out).anew == 0
    (out / "pictures/00000/000001.png").unlink()
    assert made(path, out).encoded == 0
    assert tree(out) == tree(whole)
    assert made(table(folder, [*ROWS, "p1.png,p4.png,,,9"]), out).failures == {"ImageError": 1}


def test_what_is_lost_or_changed_is_made_again_and_what_is_no_row_any_more_goes(whole: Path, folder: Path) -> None:
    out, path = shutil.copytree(whole, folder.parent / "out"), table(folder, ROWS)
    (out / "pictures/00000/000001.png").unlink()
    (out / "index.parquet").write_bytes(b"damaged")
    assert made(path, out).anew == 1
    assert tree(out) == tree(whole)
    (out / "latents-00000.safetensors").write_bytes(b"damaged")
    assert made(path, out).anew == 4
    assert tree(out) == tree(whole)
    shutil.copy(folder / "p6.png", folder / "p5.png")
    shorter = table(folder, [ROWS[0], ROWS[2]])
    before = tree(out)
    with pytest.raises(UsageError, match=r"children of 3 couples that are not in this list.* row 2\)"):
        made(shorter, out)
    assert tree(out) == before
    assert made(shorter, out, replace=True).anew == 1, "the second row is another one now"
    assert [row["row"] for row in index(out)] == [1, 2]
    assert sorted(path.name for path in (out / "pictures/00000").iterdir()) == ["000001.png", "000002.png"]
    with pytest.raises(InputError):
        load_child(out, "4")


def test_a_shard_with_a_changed_tensor_is_told(whole: Path, folder: Path) -> None:
    out = shutil.copytree(whole, folder.parent / "out")
    data = bytearray((out / "latents-00000.safetensors").read_bytes())
    data[-1] ^= 1
    (out / "latents-00000.safetensors").write_bytes(data)
    with pytest.raises(CorruptFileError, match="its SHA-256 differs"):
        load_child(out, "1")


@pytest.mark.parametrize("format", ["jpeg", "webp"])
def test_pictures_of_other_formats_say_what_they_are(format: str, folder: Path) -> None:
    out, path = folder.parent / "out", table(folder, ROWS[:1])
    made(path, out, format=format)
    [row] = index(out)
    with Image.open(out / row["picture"]) as picture:
        assert picture.format == format.upper()
        assert b"Synthetic image made by kinblend" in (out / row["picture"]).read_bytes()
    with pytest.raises(UsageError, match="begun with another format"):
        made(path, out)


def test_a_folder_of_somebody_else_is_left_alone(folder: Path) -> None:
    out = folder.parent / "out"
    out.mkdir()
    (out / "letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds other files"):
        made(table(folder, ROWS), out)
    assert tree(out) == {"letter.txt": b"mine"}


def test_another_encoder_has_a_folder_of_its_own(whole: Path, folder: Path) -> None:
    out = shutil.copytree(whole, folder.parent / "out")
    other = EngineOptions(
        "morphable", "cpu", encoder_options={"size": 1024}, projector_options=ENGINE.projector_options
    )
    with pytest.raises(UsageError, match="begun with another encoder"):
        run_batch(read_couples(table(folder, ROWS)), out, other, workers=ThisProcess())
    assert tree(out) == tree(whole)


def command(folder: Path, *words: object, workers: int = 2) -> list[object]:
    more = ["--out", "out", "--backbone", "morphable", "--device", "cpu", "--set", "projector.background=mother"]
    return ["batch", folder / "couples.csv", *more, "--workers", workers, "--quiet", *words]


def test_a_killed_batch_goes_on_and_ends_with_the_same_bytes(whole: Path, folder: Path) -> None:
    """Killed when parents are there, and when rows are, by one process and by several."""
    site, out = Site(folder.parent), folder.parent / "out"
    table(folder, ROWS)
    marks = (("parents/*/*.safetensors", 2, 1), ("rows/*.safetensors", 2, 2))
    for pattern, count, workers in marks:
        process = site.start(*command(folder, workers=workers))
        while len(list(out.glob(pattern))) < count and process.poll() is None:
            time.sleep(0.005)
        time.sleep(random.Random(str(pattern)).uniform(0, 0.1))
        process.kill()
        process.wait()
    done = site.here(*command(folder, "--json", workers=1))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["done"] == 4
    assert tree(out) == tree(whole)


KILLER = """
import os, signal
import kinblend

class Killer(kinblend.Blender):
    stochastic = True

    def weights(self, father, mother, seed):
        if seed == 13:
            os.kill(os.getpid(), signal.SIGKILL)
        return father.new_full(father.shape, 0.5)

@kinblend.hookimpl
def kinblend_register_blenders(register):
    register(kinblend.PluginSpec("killer", "ends its process where the seed is 13", "killer_plugin:Killer"))
"""


def test_a_row_that_kills_its_process_is_listed_and_the_rest_is_done(folder: Path) -> None:
    site, out = Site(folder.parent), folder.parent / "out"
    site.add("killer", KILLER)
    table(folder, [f"p1.png,p4.png,,killer,{seed}" for seed in (11, 12, 13, 14, 15)])
    done = site.kinblend(*command(folder, "--json"))
    assert done.returncode == 1, done.stderr
    assert json.loads(done.stdout)["failures"] == {"WorkerLostError": 1}
    assert [(row["seed"], row["error"]) for row in index(out)] == [
        (11, None), (12, None), (None, "WorkerLostError"), (14, None), (15, None)
    ]  # fmt: skip


def test_the_command_says_what_it_can_not_do(folder: Path, tmp_path: Path) -> None:
    path = table(folder, ROWS)
    for words, reason in (
        (["--where", "blender"], "write --where COLUMN=TEXT"),
        (["--request", "wings=2"], "there is no such field"),
        (["--request", "age"], "write --request FIELD=VALUE"),
        (["--set", "blender.share=1"], "only options of encoder and projector"),
        (["--where", "kohort=x"], "no row has the column 'kohort'"),
    ):
        code, _, error = here("batch", path, "--out", tmp_path / "new", "--backbone", "morphable", *words)
        assert (code, error.count("\n")) == (2, 1), error
        assert reason in error
    assert not (tmp_path / "new").exists()


def test_an_index_of_a_command_and_of_python_are_the_same(whole: Path, folder: Path) -> None:
    """What the command asks by default are the table's own words."""
    path = table(folder, [row.replace("30", "") for row in ROWS])
    words = ["--backbone", "morphable", "--device", "cpu", "--set", "projector.background=mother", "--workers", 1]
    code, out, _ = here(
        "batch", path, "--out", folder.parent / "out", "--where", "father=copy.png", "--request", "age=30", *words
    )
    assert code == 0
    assert out.splitlines()[0] == "couples done\t1"
    [ours], theirs = index(folder.parent / "out"), index(whole)[1]
    assert ours["picture_sha256"] == theirs["picture_sha256"]


def test_the_docs_name_every_column() -> None:
    text = (Path(__file__).parents[2] / "docs" / "batch.md").read_text("utf-8")
    fields = set(ChildRequest.model_fields) - {"by_default"}
    assert [name for name in [*COLUMNS, *fields] if f"`{name}`" not in text] == []
