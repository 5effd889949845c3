"""Busy processes beside what `kinblend bench` times."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from plugin_site import here
from processes import children, lives, needs_proc

from kinblend.bench.beside import busy_processes, fair_share, over_fair_share
from kinblend.cli.bench import HEAD, SHARES


@needs_proc
def test_they_are_there_while_it_measures_and_gone_afterwards() -> None:
    before = set(children(os.getpid()))
    with pytest.raises(ValueError, match="measured"), busy_processes(3):
        busy = set(children(os.getpid())) - before
        assert len(busy) == 3
        raise ValueError("measured")
    assert not any(map(lives, busy))
    with busy_processes(0):
        assert set(children(os.getpid())) <= before


@needs_proc
def test_they_end_with_the_one_that_started_them_however_that_ends() -> None:
    code = (
        "import os, signal\nfrom processes import children\nfrom kinblend.bench.beside import busy_processes\n"
        "with busy_processes(2):\n"
        "    print(*children(os.getpid()), flush=True)\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = os.pathsep.join(filter(None, (str(Path(__file__).parent), os.environ.get("PYTHONPATH"))))
    environ = os.environ | {"PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    busy = [int(word) for word in done.stdout.split()]
    assert len(busy) == 2
    deadline = time.monotonic() + 60
    while any(map(lives, busy)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(lives, busy))


@pytest.mark.parametrize(
    ("beside", "cores", "share"), [(0, 2, 1), (1, 2, 1), (3, 2, 0.5), (4, 2, 0.4), (8, 1, 1 / 9)]
)
def test_fair_shares(beside: int, cores: int, share: float) -> None:
    assert fair_share(beside, cores) == pytest.approx(share)


def test_the_report_says_what_was_beside(tmp_path: Path) -> None:
    words = ["--backbone", "morphable", "--step", "blend", "--rounds", 1, "--precision", "fp32", "--quiet"]
    files = {count: tmp_path / f"{count}.json" for count in (2, 0)}
    said = [here("bench", *words, "--beside", count, "--out", file)[1] for count, file in files.items()]
    report, idle = (json.loads(file.read_text()) for file in files.values())
    [case] = report["cases"]
    assert report["beside"] == 2
    assert case["over_fair_share"] == pytest.approx(over_fair_share(case, 2))
    assert case["fair_share"] == fair_share(2)
    assert said[0].rstrip("\n").count("\t") == len(HEAD) + len(SHARES) - 1
    assert idle["beside"] == 0 and "over_fair_share" not in idle["cases"][0]
