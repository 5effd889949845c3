"""Reference checkpoints rebuilt from recipes, so that gigabytes of made-up weights need not be shipped.

A recipe folder under `tests/data` holds `recipe.json`: a seed, and for each tensor its shape, the standard deviation
and (default 0) the mean of the normal numbers it is filled with; `small.safetensors`, tensors that follow no rule;
and `cases.safetensors`, inputs with the outputs that the reference implementation gave for them.
`tests/data/README.md` says which implementations.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

DATA = Path(__file__).parent / "data"


def cases(name: str) -> dict[str, Tensor]:
    """The recorded inputs and outputs of a recipe."""
    return load_file(DATA / name / "cases.safetensors")


def state_dict(name: str) -> dict[str, Tensor]:
    """The state dict of a recipe, named and shaped as published."""
    recipe = json.loads((DATA / name / "recipe.json").read_text())
    small = DATA / name / "small.safetensors"
    tensors = load_file(small) if small.is_file() else {}
    for key, rule in recipe["filled"].items():
        tensors[key] = filled(key, recipe["seed"], **rule)
    return {key: tensors[key] for key in recipe["order"]}


def filled(key: str, seed: int, shape: list[int], std: float, mean: float = 0.0) -> Tensor:
    """float32 normal numbers that depend on seed and key alone: PCG64 seeded with the start of their SHA-256."""
    start = hashlib.sha256(f"{seed}:{key}".encode()).digest()[:8]
    numbers = np.random.Generator(np.random.PCG64(int.from_bytes(start, "little")))
    values = np.asarray(numbers.standard_normal(shape, dtype=np.float32))
    values *= np.float32(std)
    if mean:
        values += np.float32(mean)
    return torch.from_numpy(values)
