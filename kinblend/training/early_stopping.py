"""When a training has stopped getting better."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class EarlyStopping:
    """Counts the epochs since the best one.

    patience: so many epochs without a better score end the training. best: the lowest score so far. waited: epochs
    since then.
    """

    patience: int
    best: float = float("inf")
    waited: int = 0

    def better(self, score: float) -> bool:
        """Whether an epoch's score is the lowest so far."""
        found = score < self.best
        self.best, self.waited = (score, 0) if found else (self.best, self.waited + 1)
        return found

    @property
    def over(self) -> bool:
        """Whether the training has waited long enough."""
        return self.waited >= self.patience
