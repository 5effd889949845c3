"""Families on one side of a split only: siblings on both would let a model learn them by heart."""

from __future__ import annotations

import random
from collections.abc import Iterable

from kinblend.errors import UsageError

PARTS = ("train", "val", "test")
USUAL = (0.7, 0.1, 0.2)


def split_families(families: Iterable[str], seed: int, shares: tuple[float, float, float] = USUAL) -> dict[str, str]:
    """Each extended family's part: "train", "val" or "test".

    shares: of the families, for the three parts. The same names and seed give the same parts.
    """
    names = sorted(set(families))
    random.Random(seed).shuffle(names)
    val, test = round(len(names) * shares[1]), round(len(names) * shares[2])
    parts = dict.fromkeys(names, "train") | dict.fromkeys(names[:val], "val")
    return parts | dict.fromkeys(names[val : val + test], "test")


def parse_shares(text: str) -> tuple[float, float, float]:
    """`70/10/20` → the shares of train, val and test, which add up to 1. Raises `UsageError`."""
    try:
        values = [float(part) for part in text.split("/")]
    except ValueError:
        values = []
    total = sum(values)
    if len(values) != 3 or min(values) < 0 or not 0 < total < float("inf"):
        raise UsageError(f"split {text!r}: write the shares of train, val and test, for example 70/10/20")
    return values[0] / total, values[1] / total, values[2] / total
