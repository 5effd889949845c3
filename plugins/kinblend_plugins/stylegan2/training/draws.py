"""Random numbers that depend on seed, step and purpose alone, so that a training taken up again draws the same."""

from __future__ import annotations

import torch

PURPOSES = ("init", "mirror", "noise", "blends", "samples", "real", "fake", "path", "order")


def generator(seed: int, step: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A source of random numbers on the device, for one purpose in one step."""
    number = (seed * 2**40 + step * len(PURPOSES) + PURPOSES.index(purpose)) % 2**63
    return torch.Generator(device).manual_seed(number)
