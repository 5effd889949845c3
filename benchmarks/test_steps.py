"""The steps one by one, small, by pytest-benchmark: for comparing two states of the code.

    pytest benchmarks/test_steps.py --benchmark-autosave        # and later: --benchmark-compare

`kinblend bench` measures the published sizes, memory and whole runs; here stand the things it can't reach, the step
of a training among them.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from packs import made_up
from PIL import Image
from pytest_benchmark.fixture import BenchmarkFixture

from kinblend import Backbone, load_backbone
from kinblend.training.ranks import Ranks
from kinblend_plugins.stylegan2 import tiled
from kinblend_plugins.stylegan2.generator import Generator, build
from kinblend_plugins.stylegan2.optimize import project
from kinblend_plugins.stylegan2.training.recipe import Recipe
from kinblend_plugins.stylegan2.training.session import Session

SIZE = 64


@pytest.fixture(scope="module")
def generator() -> Generator:
    return build(made_up(SIZE).state_dict())


@pytest.mark.parametrize("count", [1, 4])
@torch.inference_mode()
def test_picture(benchmark: BenchmarkFixture, generator: Generator, count: int) -> None:
    codes, noises = torch.randn(count, generator.layers, 512), [conv.noise for conv in generator.convs]
    assert benchmark(tiled.draw, generator, codes, noises).shape == (count, 3, SIZE, SIZE)


def test_step_of_a_projection(benchmark: BenchmarkFixture, generator: Generator) -> None:
    code, noises = torch.randn(1, generator.layers, 512), [conv.noise for conv in generator.convs]
    found, _ = benchmark(project, generator, torch.zeros(1, 3, SIZE, SIZE), code, noises, 1, None)
    assert found.shape == code.shape


def test_step_of_a_training(benchmark: BenchmarkFixture) -> None:
    recipe = Recipe(Path("none"), resolution=SIZE, batch=8, identity="off", device="cpu", precision="fp32")
    session = Session(
        recipe, torch.randint(0, 256, (16, 3, SIZE, SIZE), dtype=torch.uint8), Ranks(torch.device("cpu"))
    )
    benchmark.pedantic(session.step, rounds=3)
    assert session.progress.seen > 0


@pytest.fixture(scope="module")
def morphable() -> Backbone:
    return load_backbone("morphable")


def test_encode_and_render_of_the_embedded_backbone(benchmark: BenchmarkFixture, morphable: Backbone) -> None:
    crop = Image.effect_noise((256, 256), 40).convert("RGB")
    assert benchmark(lambda: morphable.render(morphable.encode([crop])))[0].size == (512, 512)
