"""StyleGANs of 2019 and StyleGAN3s with a few things wrong: each makes a pack that draws, or is refused in a line."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import published_stylegan1 as stylegan1
import pytest
import torch
from published_checkpoints import write_nvidia
from published_stylegan3 import Recipe, settings_of, state_of
from torch import Tensor

from kinblend import load_backbone
from kinblend.errors import CheckpointError
from kinblend_plugins.stylegan1.importer import import_stylegan1
from kinblend_plugins.stylegan3.importer import import_stylegan3

RECIPE = Recipe(16, layers=3, channels=3)
NUMBERS = (0, -1, 3, 7.5, 1e300, float("inf"), float("nan"), 10**40, True, None, "x")
KEPT = ("first_cutoff", "first_stopband", "last_stopband_rel", "margin_size", "filter_size", "output_scale")
KINDS: dict[str, tuple[Callable[[], dict[str, Tensor]], Callable[..., Path | None]]] = {
    "rosinality": (lambda: stylegan1.rosinality((3, 2, 2)), import_stylegan1),
    "lernapparat": (lambda: stylegan1.lernapparat((3, 2, 2)), import_stylegan1),
    "genforce": (lambda: stylegan1.genforce((3, 2, 2)), import_stylegan1),
    "interfacegan": (lambda: stylegan1.interfacegan((3, 2, 2)), import_stylegan1),
    "StyleGAN3": (lambda: state_of(RECIPE), import_stylegan3),
    "StyleGAN3 without filters": (lambda: state_of(RECIPE, filters=False), import_stylegan3),
}
CHANGES: tuple[Callable[[random.Random, Tensor], Tensor], ...] = (
    lambda draw, t: torch.randn([draw.choice((0, 1, 2, 3, 4)) for _ in range(draw.randrange(5))]),
    lambda draw, t: t * draw.choice((0, 1e30, -1e38)),
    lambda draw, t: t.to(draw.choice((torch.int64, torch.bool, torch.float16, torch.float64))),
    lambda draw, t: t.transpose(0, -1) if t.ndim else t,
    lambda draw, t: t[..., :1].expand(t.shape) if t.ndim else t,
)


def mutated(draw: random.Random, state: dict[str, Tensor]) -> dict[str, Tensor]:
    for _ in range(draw.choice((1, 1, 2, 5))):
        name = draw.choice(sorted(state))
        kind = draw.randrange(7)
        if kind == 0:
            del state[name]
        elif kind == 1:
            state[name.replace(draw.choice("0123456789"), draw.choice(("0", "7", "9" * 20)), 1)] = state.pop(name)
        else:
            state[name] = CHANGES[kind - 2](draw, state[name])
    return state


@pytest.mark.parametrize("kind", KINDS)
def test_a_mutated_generator_is_refused_or_draws(kind: str, tmp_path: Path) -> None:
    make, convert = KINDS[kind]
    draw, outcomes = random.Random(kind), {"refused": 0, "drawn": 0}
    for number in range(24):
        folder = tmp_path / str(number)
        folder.mkdir()
        state: dict[str, Any] = mutated(draw, make())
        if kind == "StyleGAN3" and draw.random() < 0.5:
            said = settings_of(RECIPE) | {draw.choice(sorted(settings_of(RECIPE))): draw.choice(NUMBERS)}
            write_nvidia(folder / "file.pt", state, settings=said)
        else:
            kept = {draw.choice(KEPT): draw.choice(NUMBERS)} if draw.random() < 0.3 else {}
            torch.save({"g_ema": state, **kept}, folder / "file.pt")
        try:
            made = convert(folder / "file.pt", folder / "pack", "mine")
        except CheckpointError as error:
            assert "\n" not in str(error) and "file.pt" in str(error)
            outcomes["refused"] += 1
            continue
        if made is not None:
            projector = load_backbone(made).projector
            with torch.inference_mode():
                projector.synthesize(torch.zeros(1, projector.space.layers, projector.space.dim))
            outcomes["drawn"] += 1
    assert min(outcomes.values()) > 0, outcomes
