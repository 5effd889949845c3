"""Processes that share a training do together what one does alone; real processes, over gloo."""

import signal
from pathlib import Path

import pytest
import shared_work
import torch
from safetensors.torch import load_file

from kinblend.errors import Interrupted, UsageError, WorkerLostError
from kinblend.training.checkpoint import Checkpoints
from kinblend.training.devices import devices_of, on_devices
from kinblend.training.ranks import Ranks, Share

CPU = torch.device("cpu")
COUNTS = [5, 3, 2]  # rows: unevenly shared by three, evenly, and none for the first process


def test_devices_by_number_and_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert devices_of("1", "cpu") == devices_of("cpu") == [CPU]
    assert devices_of("3", "cpu") == devices_of("cpu, cpu,cpu") == [CPU] * 3
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert devices_of("2") == devices_of("cuda:0,cuda:1") == [torch.device("cuda", 0), torch.device("cuda", 1)]
    for devices, device, reason in (
        ("3", "auto", "this machine has 2 CUDA devices"),
        ("cuda:0,cuda:2", "auto", "this machine has 2 CUDA devices"),
        ("cuda,cuda:0", "auto", "names a device twice"),
        ("cpu,cuda", "auto", "are of one kind"),
        ("2", "cuda:1", "is one device; name all of them"),
        ("0", "cpu", "give 1 or more"),
        ("-1", "cpu", "use auto, cpu, cuda or cuda:N"),
        ("", "cpu", "use auto, cpu, cuda or cuda:N"),
    ):
        with pytest.raises(UsageError, match=reason):
            devices_of(devices, device)


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("counts", [(4,), (5, 2, 1), (7, 0)])
def test_every_row_is_in_one_share_and_the_weights_add_up(size: int, counts: tuple[int, ...]) -> None:
    shares = [Ranks(CPU, rank, size).share(*counts) for rank in range(size)]
    counted = torch.cat([share.rows for share in shares if share.weight])
    assert counted.sort().values.tolist() == list(range(sum(counts)))
    assert sum(share.weight for share in shares) == pytest.approx(1)
    assert all(len(share.rows) > 0 for share in shares)


def test_one_device_works_in_this_process(tmp_path: Path) -> None:
    said: list[str] = []
    assert on_devices(shared_work.save_all, [2], tmp_path, said.append, devices="1", device="cpu", rows=2) == tmp_path
    assert len(said) == 1
    assert (tmp_path / "2-0.safetensors").is_file()


def test_more_devices_than_rows_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="3 devices can't share a batch of 2"):
        on_devices(shared_work.save_all, [2], tmp_path, devices="3", device="cpu", rows=2)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    said: list[str] = []
    folder = tmp_path_factory.mktemp("shared")
    found = on_devices(shared_work.save_all, COUNTS, folder, said.append, devices="3", device="cpu", rows=3)
    assert (found, said) == (folder, ["3 processes of 1 threads"])
    return folder


@pytest.mark.parametrize("count", COUNTS)
def test_three_processes_have_the_gradients_statistics_and_losses_of_one(count: int, shared: Path) -> None:
    alone = shared_work.learn(Ranks(CPU), count)
    for rank in range(3):
        found = load_file(shared / f"{count}-{rank}.safetensors")
        assert set(found) == set(alone)
        assert not any(name.startswith("unused") and name.endswith("grad") for name in found)
        for name, value in alone.items():
            torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6, msg=f"{name} of {{}}".format)


def test_all_have_the_first_ones_clock(shared: Path) -> None:
    assert [(shared / f"clock-{rank}").read_text() for rank in range(3)] == ["[0.25]"] * 3


def test_an_error_of_any_process_is_raised_here(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such option"):
        on_devices(shared_work.fail, "no such option", tmp_path, devices="2", device="cpu", rows=2)


def test_a_killed_process_ends_the_others_and_the_last_checkpoint_stays(tmp_path: Path) -> None:
    with pytest.raises(WorkerLostError, match=r"process 2 of 2, on cpu, was ended \(SIGKILL\).*run the same again"):
        on_devices(shared_work.train, 3, tmp_path, devices="2", device="cpu", rows=2)
    assert Checkpoints(tmp_path, {}).load().state == {"steps": 3, "one": 1.0}


def test_ctrl_c_saves_and_another_number_of_processes_goes_on(tmp_path: Path) -> None:
    """One process, then two, then one: each begins where the last one stopped, and saves the step it was in."""
    before = 0
    for devices in ("1", "2", "1"):
        said: list[str] = []

        def interrupt(text: str, said: list[str] = said) -> None:
            said.append(text)
            if len(said) == 2:
                signal.raise_signal(signal.SIGINT)

        with pytest.raises(Interrupted):
            on_devices(shared_work.train, -1, tmp_path, interrupt, devices=devices, device="cpu", rows=2)
        steps = Checkpoints(tmp_path, {}).load().state["steps"]
        assert said[:2] == [f"from {before}", f"saved {before + 1}"]
        assert said[-1] == f"saved {steps}"
        assert steps > before
        before = steps


def test_a_share_alone_is_the_batch_itself() -> None:
    share = Ranks(CPU).share(3, 2)
    rows = torch.randn(5, 2)
    assert share.take(rows) is share.gather(rows) is share.part(rows) is rows
    assert isinstance(share, Share)
