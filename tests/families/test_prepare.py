"""`kinblend prepare`: what is rejected and why, the same bytes after a kill, damaged inputs."""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from head_poses import Head
from PIL import Image
from plugin_site import Site, here

from kinblend.cli.demo import example
from kinblend.errors import InputError, KinblendError, UsageError
from kinblend.families.encode import encode_trios
from kinblend.families.pairing import pair
from kinblend.families.prepare import Prepared, PrepareOptions, prepare
from kinblend.families.readers import read_families
from kinblend.storage.checksummed import read_checksummed
from kinblend.storage.tables import read_table

pytestmark = pytest.mark.skipif(find_spec("openpeople") is None, reason="the example people are not installed")
WORDS = ("--upscale", "bicubic", "--out", "out", "--cache", "cache", "--format", "tskinface")


def people(folder: Path, families: int, side: int = 128) -> None:
    """A folder named as TSKinFace's, no two pictures the same."""
    folder.mkdir(parents=True)
    sources = [Image.open(example(f"P00{n}")).convert("RGB").resize((side, side)) for n in (1, 4, 5, 6)]
    draw = np.random.default_rng(0)
    for number in range(1, families + 1):
        for source, letter in zip(sources, "FMSD", strict=True):
            noise = draw.integers(-6, 7, (side, side, 3))
            pixels = np.clip(np.asarray(source).astype(int) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"FMSD-{number}-{letter}.jpg", quality=90)


def tree(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_damaged_and_unfit_pictures_are_told_apart_and_the_rest_is_done(tmp_path: Path) -> None:
    site, folder = Site(tmp_path), tmp_path / "Müllers Bilder"
    people(folder, 2)
    (folder / "FMSD-1-F.jpg").write_bytes((folder / "FMSD-1-F.jpg").read_bytes()[:900])
    (folder / "FMSD-1-M.jpg").write_bytes(b"")
    (folder / "FMSD-2-M.jpg").unlink()
    Image.new("RGB", (128, 128), "grey").save(folder / "FMSD-2-S.jpg")
    both = Image.new("RGB", (256, 128))
    for place, letter in enumerate("FD"):
        both.paste(Image.open(folder / f"FMSD-2-{letter}.jpg"), (128 * place, 0))
    both.save(folder / "FMSD-2-D.jpg")
    tiny = Image.open(folder / "FMSD-2-F.jpg").resize((24, 24))
    tiny.resize((128, 128)).save(folder / "FMSD-2-F.jpg", quality=98)
    done = site.here("prepare", folder, *WORDS, "--size", 256, "--size", 512, "--workers", 1, "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert {(one["stage"], one["kind"]): one["count"] for one in report["rejected"]} == {
        ("detect", "unreadable"): 1,
        ("detect", "no face"): 1,
        ("detect", "several people"): 1,
        ("detect", "too pixelated"): 1,
    }
    assert report["kept"] == 2
    assert "is an empty file" in done.stderr and "FMSD-2-M is missing" in done.stderr
    out = tmp_path / "out"
    rows = [row for _, row in read_table(out / "index.csv").rows]
    assert [row["landmarks"] for row in rows] == ["landmarker", "landmarker"]
    assert all(abs(float(row[name])) < 15 for row in rows for name in ("yaw", "pitch", "roll"))
    for size in (256, 512):
        with Image.open(out / "crops" / str(size) / "FMSD-1-S.jpg.png") as crop:
            assert crop.size == (size, size)
    tensors, header = read_checksummed(out / "latents-00000.safetensors", "latents")
    assert tuple(tensors["code"].shape) == (2, 4, 512) and tuple(tensors["embedding"].shape) == (2, 128)
    assert header["crops"] == ["FMSD-1-S.jpg.png", "FMSD-1-D.jpg.png"]
    rejected = {Path(row["picture"]).name: row["reason"] for _, row in read_table(out / "rejected.csv").rows}
    assert set(rejected) == {"FMSD-1-F.jpg", "FMSD-2-D.jpg", "FMSD-2-F.jpg", "FMSD-2-S.jpg"}
    with Image.open(out / "rejected-001.png") as sheet:
        assert sheet.size == (1200, 148)
    counts = json.loads(site.here("families", "stats", "out", "--json").stdout)
    assert (counts["format"], counts["images"], counts["individuals_without_images"]) == ("prepared", 2, 5)


def run(folder: Path, out: Path, **options: object) -> Prepared:
    chosen = PrepareOptions(**{"upscaler": "bicubic", "backbone": None} | options)  # type: ignore[arg-type]
    return prepare(read_families(folder)[1], out, chosen, out.parent / "cache")


def test_crops_go_on_to_trios_and_encode_and_options_change_the_folder(tmp_path: Path) -> None:
    people(tmp_path / "set", 1)
    out = tmp_path / "out"
    assert len(run(tmp_path / "set", out, backbone="morphable").kept) == 4
    name, found = read_families(out)
    triples = pair(found)
    assert (name, len(triples)) == ("prepared", 2)
    encoded, rejected = encode_trios(triples, "morphable", tmp_path / "encoded")
    assert (len(encoded), rejected) == (2, [])
    shard, header = read_checksummed(out / "latents-00000.safetensors", "latents")
    shard = {name: values.clone() for name, values in shard.items()}  # the file is damaged below
    father, son = (header["crops"].index(f"FMSD-1-{letter}.jpg.png") for letter in "FS")
    assert torch.equal(shard["code"][father], encoded.father[0])
    assert torch.equal(shard["embedding"][son], encoded.embedding[0])
    assert not list((tmp_path / "encoded").rglob("*.safetensors")), "nothing is encoded twice"
    options = {"size": 1024}  # other codes than the shards'
    encode_trios(triples, "morphable", tmp_path / "encoded", encoder_options=options)
    assert len(list((tmp_path / "encoded").rglob("*.safetensors"))) == 4
    (out / "latents-00000.safetensors").write_bytes(b"damaged")
    anew, _ = encode_trios(triples, "morphable", tmp_path / "encoded")
    for ours, theirs in ((shard["code"][father], anew.father[0]), (shard["embedding"][son], anew.embedding[0])):
        assert float(torch.nn.functional.cosine_similarity(ours.flatten(), theirs.flatten(), dim=0)) > 0.8
    again = run(tmp_path / "set", out, sizes=(512,))
    assert dict(again.pictures) == {"detect": 0, "upscale": 0, "align": 4}
    names = {"crops", "families.json", "index.csv", "rejected.csv", "prepared.json"}
    assert {path.name for path in out.iterdir()} == names
    assert [path.name for path in (out / "crops").iterdir()] == ["512"]


def test_prepared_families_in_the_wild_are_read_as_prepared(tmp_path: Path) -> None:
    """Their crops lie in folders named as in the set they came from."""
    people(tmp_path / "pictures", 1)
    folder = tmp_path / "set" / "F0001"
    for number, letter in enumerate("FMS", start=1):
        (folder / f"MID{number}").mkdir(parents=True)
        shutil.copy(tmp_path / "pictures" / f"FMSD-1-{letter}.jpg", folder / f"MID{number}")
    (folder / "mid.csv").write_text("MID,1,2,3,Name,Gender\n1,0,5,4,Jan,m\n2,5,0,4,Ann,f\n3,1,1,0,Tom,m\n")
    run(tmp_path / "set", tmp_path / "out")
    name, found = read_families(tmp_path / "out")
    [triple] = pair(found)
    assert (name, triple.child.name) == ("prepared", "FMSD-1-S.jpg.png")


@pytest.mark.parametrize(
    ("make", "error", "reason"),
    [
        ("nothing", InputError, "does not exist"),
        ("empty", InputError, "not laid out as"),
        ("useless", InputError, "could be used: 1 no face"),
        ("foreign", UsageError, "holds other files"),
    ],
)
def test_folders_that_will_not_do(make: str, error: type[KinblendError], reason: str, tmp_path: Path) -> None:
    if make != "nothing":
        (tmp_path / make).mkdir()
    if make in ("useless", "foreign"):
        Image.new("RGB", (99, 99), "grey").save(tmp_path / make / "FMS-1-F.jpg")
    if make == "foreign":
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "letter.txt").write_text("mine")
    with pytest.raises(error, match=reason):
        run(tmp_path / make, tmp_path / "out")
    assert make != "foreign" or (tmp_path / "out" / "letter.txt").read_text() == "mine"


@pytest.mark.parametrize("options", [{"sizes": ()}, {"sizes": (300,)}, {"upscaler": "waifu"}])
def test_options_that_will_not_do(options: dict) -> None:
    with pytest.raises(UsageError, match=r"256, 512|realesrgan"):
        PrepareOptions(**options)


def records(site: Site) -> dict[Path, int]:
    """What stages have made so far: file → when."""
    found = {}
    for path in (site.folder / "cache").rglob("*.json"):
        with suppress(FileNotFoundError):  # a part that was just renamed
            found[path] = path.stat().st_mtime_ns
    return {path: when for path, when in found.items() if not path.name.startswith(".")}


def killed_and_resumed(folder: Path, kills: int, most: int, *words: str) -> None:
    """Compare a run that is killed again and again with one that is not; both begin with nothing.

    most: records that a run may write before it is killed; the number is drawn.
    """
    whole, torn = Site(folder / "whole"), Site(folder / "torn")
    command = ("prepare", "set", *WORDS, *words, "--quiet")
    for site in (whole, torn):
        site.folder.mkdir()
        shutil.copytree(folder / "set", site.folder / "set")
    assert whole.start(*command).wait() == 0
    draw, cut_short = random.Random(1), 0
    for _ in range(kills):
        before, enough = records(torn), draw.randint(1, most)
        with torn.start(*command) as process:
            while process.poll() is None and len(records(torn)) < len(before) + enough:
                time.sleep(0.03)
            cut_short += process.poll() is None
            process.kill()
        time.sleep(0.5)  # a worker may still finish what it has in hand
        now = records(torn)
        redone = [path for path, when in before.items() if now[path] != when]
        assert len(redone) <= 16 * 2  # at most the chunk that each process had in hand
    assert cut_short >= kills / 2
    assert torn.start(*command).wait() == 0
    assert tree(torn.folder / "out") == tree(whole.folder / "out")


@pytest.mark.slow  # four runs in processes of their own
def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    people(tmp_path / "set", 10, side=96)
    killed_and_resumed(tmp_path, 2, 40, "--workers", "2", "--no-latents")


@pytest.mark.slow  # 500 pictures and 50 kills take a quarter of an hour
@pytest.mark.skipif("SLOW_TESTS" not in os.environ, reason="set SLOW_TESTS=1 for the tests that take minutes")
def test_fifty_kills_of_a_run_over_five_hundred_pictures(tmp_path: Path) -> None:
    people(tmp_path / "set", 125, side=96)
    killed_and_resumed(tmp_path, 50, 80, "--workers", "2")


def test_the_pose_is_by_68_points_where_dlib_finds_no_face(tmp_path: Path) -> None:
    """Of a head bent down by 40 degrees: MTCNN's five points would miss its tilt by ten."""
    folder = tmp_path / "families"
    folder.mkdir()
    Head(Image.open(example("P004"))).turned(0, -40, 0).save(folder / "FMS-1-F.jpg", quality=95)
    run(folder, tmp_path / "out")
    [row] = [row for _, row in read_table(tmp_path / "out" / "index.csv").rows]
    assert row["landmarks"] == "detector"
    assert float(row["pitch"]) == pytest.approx(-40, abs=6)


def test_only_trios_leaves_out_who_is_in_none(tmp_path: Path) -> None:
    """Family 2 has lost its mother's picture."""
    people(tmp_path / "set", 2)
    (tmp_path / "set" / "FMSD-2-M.jpg").unlink()
    words = ("prepare", tmp_path / "set", "--only-trios", "--no-latents", "--upscale", "off", "--workers", "1")
    code, _, said = here(*words, "--out", tmp_path / "out", KINBLEND_HOME=tmp_path / "home")
    assert code == 0, said
    names = [Path(row["picture"]).name for _, row in read_table(tmp_path / "out" / "index.csv").rows]
    assert sorted(names) == ["FMSD-1-D.jpg", "FMSD-1-F.jpg", "FMSD-1-M.jpg", "FMSD-1-S.jpg"]
