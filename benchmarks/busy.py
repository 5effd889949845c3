"""How `kinblend run` fares beside busy programs, by how its threads wait for each other: cold runs, in turn.

For each number of busy processes, every setting is run once a round. Printed are medians of seconds, of CPU seconds,
of each round's ratio to GNU OpenMP's own setting, and of the seconds over what the CPU time takes at a fair share of
the machine. "others" is the share of the machine that all other programs took, the busy processes among them: only
where it is near 0 was the machine idle.

    python benchmarks/busy.py --beside 0 --beside 4 --rounds 5
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from kinblend.bench.beside import busy_processes, fair_share
from kinblend.bench.timing import cold
from kinblend.cli.demo import FATHER, MOTHER, example
from kinblend.process import THREADS, WAITING

SETTINGS: Mapping[str, Mapping[str, str]] = {
    "spins 300,000 (GNU's own)": {"GOMP_SPINCOUNT": "300000"},
    "as kinblend sets it": {},
    "spins 0": {"GOMP_SPINCOUNT": "0"},
    "passive": {"OMP_WAIT_POLICY": "PASSIVE"},
    "one thread": {"OMP_NUM_THREADS": "1"},
}


@dataclass(frozen=True)
class Run:
    """seconds: wall time. cpu_seconds: of the run. others: the share of the machine that others took meanwhile."""

    seconds: float
    cpu_seconds: float
    others: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--beside", type=int, action="append", help="busy processes; repeatable; default: 0 and 4")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--backbone", default="morphable")
    words = parser.parse_args()
    for beside in words.beside or (0, 4):
        with busy_processes(beside):
            rounds = [{name: once(name, words.backbone) for name in SETTINGS} for _ in range(words.rounds)]
        report(beside, rounds)


def once(setting: str, backbone: str) -> Run:
    """A cold run under a setting."""
    for name in (*THREADS, *WAITING):
        os.environ.pop(name, None)
    os.environ |= SETTINGS[setting]
    with tempfile.TemporaryDirectory() as out:
        command = [sys.executable, "-m", "kinblend.cli", "run", "--quiet", "--no-judge", "--backbone", backbone]
        command += ["--father", str(example(FATHER)), "--mother", str(example(MOTHER)), "--out", out]
        before = busy_seconds()
        taken = cold(command)
        others = busy_seconds() - before - taken.cpu_seconds
    share = others / taken.seconds / (os.cpu_count() or 1)
    return Run(taken.seconds, taken.cpu_seconds, max(0.0, share))


def busy_seconds() -> float:
    """The time that all cores together have worked since the system started (Linux)."""
    user, nice, system, *_ = map(int, Path("/proc/stat").read_text().split()[1:8])
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def report(beside: int, rounds: list[dict[str, Run]]) -> None:
    own = next(iter(SETTINGS))
    print(f"\nbeside {beside} busy processes, {len(rounds)} rounds, {os.cpu_count()} cores")
    print(
        "| threads wait | seconds | CPU seconds | ratio | times its fair share | others |\n|---|---|---|---|---|---|"
    )
    for name in SETTINGS:
        runs = [round[name] for round in rounds]
        seconds, cpu, others = (
            statistics.median(getattr(run, what) for run in runs) for what in ("seconds", "cpu_seconds", "others")
        )
        ratio = statistics.median(round[name].seconds / round[own].seconds for round in rounds)
        over = statistics.median(run.seconds * fair_share(beside) / run.cpu_seconds for run in runs)
        print(f"| {name} | {seconds:.2f} | {cpu:.2f} | {ratio:.2f} | {over:.2f} | {others:.2f} |", flush=True)


if __name__ == "__main__":
    main()
