"""The log of a training: JSON lines in a file, and lines of progress."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from kinblend.errors import KinblendError
from kinblend.files import append_text


class TrainingLog:
    """Entries as JSON lines in `path`, and text for whoever watches.

    progress: called with each line of text, or None. writes: False in the processes beside the first
    (`ranks.Ranks`), which write nothing.
    """

    def __init__(self, path: Path, progress: Callable[[str], None] | None = None, *, writes: bool = True) -> None:
        self.path, self.tell, self.writes = path, progress or (lambda _: None), writes

    def write(self, entry: Mapping[str, Any]) -> None:
        """Append an entry to the file."""
        if not self.writes:
            return
        append_text(self.path, json.dumps(entry) + "\n")

    def read(self) -> list[dict[str, Any]]:
        """All entries of all runs."""
        return [json.loads(line) for line in self.path.read_text("utf-8").splitlines()]


class Means:
    """Means of losses, by name, since they were last cleared. They stay on the device until they are asked for."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor | float] = {}
        self._counts: dict[str, int] = {}

    def add(self, losses: Mapping[str, Tensor | float]) -> None:
        """Count the losses of a step: scalars without gradient."""
        for name, value in losses.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
            self._counts[name] = self._counts.get(name, 0) + 1

    def means(self) -> dict[str, float]:
        """The mean of each."""
        return {name: float(value) / self._counts[name] for name, value in self._sums.items()}

    def clear(self) -> None:
        """Begin anew."""
        self._sums, self._counts = {}, {}


def check_finite(losses: Mapping[str, float], step: int) -> None:
    """Raise `KinblendError` where a loss is not a number any more."""
    bad = [name for name, value in losses.items() if not math.isfinite(value)]
    if bad:
        raise KinblendError(
            f"the training diverged before step {step} ({', '.join(bad)}); go on from the last checkpoint with a "
            "lower rate, stronger regularisation or in fp32"
        )


def line_of(values: Mapping[str, float]) -> str:
    """Figures as a line of progress has them."""
    return ", ".join(f"{name} {value:.4g}" for name, value in values.items())
