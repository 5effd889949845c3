"""Many at once: leases of the device, processes, threads; and nothing opens a socket."""

from __future__ import annotations

import gc
import hashlib
import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fork_server
import torch
from fuzz.outcome import Outcome
from portraits import portrait
from torch import nn

from kinblend import DevicePool, Engine
from kinblend.cli.demo import FATHER, MOTHER
from kinblend.errors import DeviceMemoryError

KIB = 1024
WATCHED = """
import sys
from kinblend.cli import main
def watch(event, given):
    if event.startswith("socket."):
        print("a socket:", event, file=sys.stderr)
        sys.stderr.flush()
sys.addaudithook(watch)
sys.argv = ["kinblend", *sys.argv[1:]]
main()
"""


def leases(share: float, folder: Path) -> Outcome:
    """1,000 leases within a budget, half of them raising: no byte stays, and every module has its own weights."""
    found, draw, given = Outcome(), random.Random(0), torch.ones(1, 256)
    modules = [nn.Linear(256, 4 * (1 + number % 7)) for number in range(12)]
    before = [module.weight.detach().clone() for module in modules]
    with DevicePool("cpu", budget=40 * KIB) as pool:
        for turn in range(round(1000 * share)):
            number = draw.randrange(len(modules))
            try:
                with pool.lease(modules[number]) as module:
                    assert module is not None
                    module(given)
                    if turn % 2:
                        raise ZeroDivisionError
            except ZeroDivisionError:
                pass
            found.count(pool.resident_bytes <= 40 * KIB, f"{pool.resident_bytes} bytes are lent")
        try:
            with pool.lease(nn.Linear(256, 256)):
                found.count(False, "a module larger than the budget was lent")
        except DeviceMemoryError:
            found.count(True, "")
    same = all(torch.equal(module.weight, known) for module, known in zip(modules, before, strict=True))
    gc.collect()
    found.count(same and pool.resident_bytes == 0, f"weights kept: {same}; {pool.resident_bytes} bytes stay")
    found.note = f"{pool.resident_bytes} bytes stay"
    return found


def processes_and_threads(share: float, folder: Path) -> Outcome:
    """Five processes, and eight threads that share an engine with and without a budget: the same bytes as one."""
    found = Outcome()
    parents = ["--father", str(portrait(FATHER)), "--mother", str(portrait(MOTHER))]
    words = ["run", "--backbone", "morphable", "--quiet", *parents, "--out"]

    def watched(number: int) -> str:
        return fork_server.run_code(WATCHED, [*words, str(folder / str(number))], os.environ, folder).stderr

    with ThreadPoolExecutor(5) as threads:
        said = [line for error in threads.map(watched, range(5)) for line in error.splitlines()]
    made = {hashlib.sha256((folder / str(n) / "child.png").read_bytes()).hexdigest() for n in range(5)}
    found.count(len(made) == 1, "five processes made different children")
    found.count(not said, f"a process said {said}")
    for budget in (None, "20MiB"):
        engine = Engine("morphable", memory_budget=budget)
        expected = child(engine, 0)
        with ThreadPoolExecutor(8) as threads:
            children = list(threads.map(lambda _, engine=engine: child(engine, 0), range(max(8, round(32 * share)))))
        for other in children:
            found.count(other == expected, f"a thread made another child, budget {budget}")
    found.note = "5 processes, 8 threads, no socket opened"
    return found


def child(engine: Engine, seed: int) -> str:
    """The hash of a child's picture."""
    [made] = engine.run(portrait(FATHER), portrait(MOTHER), seed=seed).children
    return hashlib.sha256(made.image.tobytes()).hexdigest()
