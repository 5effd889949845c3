"""What a checkpoint promises.

With its moments, a training taken up again gives, on the same CPU with the same number of threads, bit for bit what
an uninterrupted one gives. Without them everything but the optimisers is as it was, and the rate rises anew. Whoever
is killed at any moment loses what came after the last checkpoint.
"""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import fork_server
import pytest
import torch
from safetensors.torch import load_file
from toy_faces import session, tiny, write_faces

from kinblend.errors import InputError, PackError, UsageError
from kinblend.training.checkpoint import Checkpoints
from kinblend_plugins.stylegan2.training.run import train
from kinblend_plugins.stylegan2.training.session import Session

ROOT = Path(__file__).resolve().parents[2]
# `python -m kinblend_plugins.stylegan2.training`
TRAINING = "import runpy\nrunpy.run_module('kinblend_plugins.stylegan2.training', run_name='__main__')"
FLAGS = {
    "resolution": 16, "width": 12, "taper": 192, "depth": 1, "dim": 16, "batch": 4, "identity": "off",
    "device": "cpu", "checkpoint-minutes": 0, "sheet-minutes": 100,
}  # fmt: skip


def checkpoints(training: Session, folder: Path) -> Checkpoints:
    return Checkpoints(folder, training.recipe.architecture())


def save(training: Session, folder: Path) -> Path:
    return training.save(checkpoints(training, folder))


def load(training: Session, folder: Path) -> bool:
    return training.load(checkpoints(training, folder))


def stepped(training: Session, steps: int) -> Session:
    for _ in range(steps):
        training.step()
    return training


def assert_same(one: Session, other: Session) -> None:
    theirs = other.networks.state_dict()
    for name, tensor in one.networks.state_dict().items():
        assert torch.equal(tensor, theirs[name]), name
    assert one.probability == other.probability
    assert one.progress == other.progress


def test_taken_up_with_its_moments_it_goes_on_bit_for_bit(tmp_path: Path) -> None:
    options = {"r1_every": 3, "path_length": 1.0, "path_every": 2, "ada_images": 100}
    uninterrupted = stepped(session(**options), 12)
    save(stepped(session(**options), 7), tmp_path)
    resumed = session(**options)
    assert load(resumed, tmp_path)
    assert resumed.progress.step == 7
    assert_same(stepped(resumed, 5), uninterrupted)
    assert uninterrupted.probability.value > 0


def test_taken_up_without_moments_all_else_is_as_it_was_and_the_rate_rises_anew(tmp_path: Path) -> None:
    before = stepped(session(moments=False, warmup=5), 7)
    folder = save(before, tmp_path)
    assert not list(folder.glob("moments*"))
    resumed = session(moments=False, warmup=5)
    assert load(resumed, tmp_path)
    assert (before.progress.age, resumed.progress.age) == (7, 0)
    before.progress.age = 0
    assert_same(resumed, before)
    rates = []
    for _ in range(6):
        resumed.step()
        rates.append(resumed.optimizers["encoder"].param_groups[0]["lr"] / resumed.recipe.rate)
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1])


def test_moments_may_be_left_behind_when_a_checkpoint_travels(tmp_path: Path) -> None:
    folder = save(stepped(session(), 3), tmp_path)
    moments = list(folder.glob("moments*"))
    assert moments
    for path in moments:
        path.unlink()
    resumed = session()
    assert load(resumed, tmp_path)
    assert (resumed.progress.step, resumed.progress.age) == (3, 0)
    stepped(resumed, 1)


def test_the_last_two_are_kept_and_a_damaged_one_is_passed_over(tmp_path: Path) -> None:
    training = session()
    for _ in range(4):
        save(stepped(training, 1), tmp_path)
    latest, before = checkpoints(training, tmp_path).found()
    assert (latest.name, before.name) == ("step-000000004", "step-000000003")
    with (latest / "weights-00.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x55")
    (tmp_path / "step-000000005.part").mkdir()  # of one who was killed while writing
    resumed = session()
    assert load(resumed, tmp_path)
    assert resumed.progress.step == 3
    (before / "state.json").write_text("{")
    with pytest.raises(PackError, match="delete them to start afresh"):
        load(session(), tmp_path)


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    save(stepped(session(), 1), tmp_path)
    with pytest.raises(UsageError, match="width=12, not 16"):
        load(session(width=16), tmp_path)


def start(faces: Path, out: Path, **flags: object) -> subprocess.Popen | fork_server.Forked:
    words = ["train", f"--faces={faces}", f"--out={out}"]
    words += [f"--{name}={value}" for name, value in (FLAGS | flags).items()]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'plugins'}"}
    return fork_server.start(words, environment, faces.parent, TRAINING)


def log(out: Path, event: str) -> list[dict]:
    path = out / "training" / "log.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.is_file() else []
    entries = [json.loads(line) for line in lines if line.endswith("\n")]
    return [entry for entry in entries if entry["event"] == event]


def until_saved(process: subprocess.Popen | fork_server.Forked, out: Path, times: int) -> None:
    while len(log(out, "saved")) < times:
        assert process.poll() is None
        time.sleep(0.02)


def test_whoever_is_killed_loses_no_more_than_the_last_interval(tmp_path: Path) -> None:
    faces, out = write_faces(tmp_path / "faces.zip", 12, 4, 16), tmp_path / "out"
    process = start(faces, out)
    until_saved(process, out, 4)
    process.kill()
    process.wait()
    told = log(out, "saved")[-1]["step"]
    resumed = session(faces=12)
    assert load(resumed, out / "training")
    # Here the interval is one step; one more may have been written before its line of the log was.
    assert told <= resumed.progress.step <= told + 1
    recipe = tiny(faces=faces, checkpoint_minutes=100.0, images=4 * (resumed.progress.step + 3))
    train(recipe, out)
    assert log(out, "resumed")[-1]["step"] == resumed.progress.step
    assert log(out, "saved")[-1]["step"] == resumed.progress.step + 3
    assert load_file(out / "encoder.safetensors")["latent_avg"].shape == (6, 16)


@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_a_checkpoint_of_the_last_step_and_no_pack(kind: signal.Signals, tmp_path: Path) -> None:
    faces, out = write_faces(tmp_path / "faces.zip", 12, 4, 16), tmp_path / "out"
    process = start(faces, out, **{"checkpoint-minutes": 0.001})
    until_saved(process, out, 2)
    process.send_signal(kind)
    assert process.wait() == 130
    assert not (out / "pack.json").exists()
    resumed = session(faces=12)
    assert load(resumed, out / "training")
    assert resumed.progress.step == log(out, "saved")[-1]["step"]


def test_zero_minutes_write_the_pack_of_the_last_checkpoint(tmp_path: Path) -> None:
    faces = write_faces(tmp_path / "faces.zip", 8, 4, 16)
    with pytest.raises(UsageError, match="nothing was trained"):
        train(tiny(faces=faces, minutes=0), tmp_path / "one")
    train(tiny(faces=faces, images=8), tmp_path / "one")
    shutil.copytree(tmp_path / "one" / "training", tmp_path / "two" / "training")
    train(tiny(faces=faces, minutes=0), tmp_path / "two")
    one, two = ((tmp_path / name / "generator.safetensors").read_bytes() for name in ("one", "two"))
    assert one == two


@pytest.mark.parametrize(
    ("content", "message"),
    [(None, "does not exist"), (b"no zip", "can't be read as a zip")],
)
def test_faces_that_will_not_do(content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "faces.zip"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        train(tiny(faces=path), tmp_path / "out")
    write_faces(path, 4, 0, 16)
    with pytest.raises(InputError, match="no faces whose split is 'val'"):
        train(tiny(faces=path), tmp_path / "out")
