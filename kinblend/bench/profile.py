"""Where a cold run goes: what `kinblend run` does, with a clock in between, in a process of its own.

The parts that a run loads when it first needs them are loaded one by one, so that each has a figure of its own.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any


def profile(words: Mapping[str, Any], rounds: int) -> dict[str, float]:
    """Seconds of every part of a cold run, each the median of `rounds` processes, in the order of their beginnings.

    pack: plugins, the pack's description and hashes. weights: of encoder and projector. detector, landmarks,
    identity network: their weights. Then the stages of a run, save, and how long the process takes to end.

    words: `engine`, the arguments of `Engine`; `people`, two photographs; `out`, a folder for what is written.
    Raises `CalledProcessError`.
    """
    found = [_once(words) for _ in range(rounds)]
    return {part: statistics.median(one[part] for one in found) for part in found[0]}


def _once(words: Mapping[str, Any]) -> dict[str, float]:
    # The monotonic clock is one for all processes.
    command = [sys.executable, "-m", __name__, json.dumps({"started": time.monotonic(), **words})]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    parts: dict[str, float] = json.loads(out)
    return parts | {"leave": time.monotonic() - parts["leave"]}


def main(argument: str) -> None:
    """The process: prints seconds by part, as JSON; under "leave" the time at which it was done."""
    seconds: dict[str, float] = {}
    words = json.loads(argument)
    last = words["started"]

    def mark(part: str) -> None:
        nonlocal last
        now = time.monotonic()
        seconds[part], last = now - last, now

    mark("interpreter")
    _import_command_line()
    mark("command line")
    import torch  # noqa: F401

    mark("PyTorch")
    from kinblend.pipeline import Engine

    engine = Engine(**words["engine"])
    mark("pack")
    _ = engine.backbone.encoder, engine.backbone.projector
    mark("weights")
    for part, load in _networks():
        load()
        mark(part)
    result = engine.run(*words["people"])
    stages = result.manifest["cost"]["seconds"]
    seconds |= stages
    last = time.monotonic()
    result.save(words["out"])
    mark("save")
    print(json.dumps(seconds | {"leave": last}))


def _import_command_line() -> None:
    import kinblend.cli.app  # noqa: F401
    from kinblend.cli import configure_process

    configure_process()


def _networks() -> Sequence[tuple[str, Any]]:
    from kinblend.faces.detect import detector
    from kinblend.faces.landmarks import landmarker
    from kinblend.identity import load_identity

    return (("detector", detector), ("landmarks", landmarker), ("identity network", load_identity))


if __name__ == "__main__":
    main(sys.argv[1])
