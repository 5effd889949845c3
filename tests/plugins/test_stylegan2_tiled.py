"""Pictures made in strips are those of the plain network, whatever the batch, the noise and the precision."""

import math

import pytest
import torch
from published_checkpoints import toy
from torch import Tensor, nn

from kinblend import DevicePool
from kinblend_plugins.stylegan2 import tiled, winograd
from kinblend_plugins.stylegan2.generator import Generator, build
from kinblend_plugins.stylegan2.layers import ModulatedConv

SIZE, WIDTH = 64, 8
ROW = WIDTH * SIZE * 4  # bytes


@pytest.fixture
def generator() -> Generator:
    return build(toy(SIZE, WIDTH).state_dict())


def noises(generator: Generator, kind: str, count: int) -> list[Tensor | None]:
    if kind == "none":
        return [None] * len(generator.convs)
    if kind == "shared":
        return [conv.noise for conv in generator.convs]
    return [torch.randn(count, 1, conv.size, conv.size) for conv in generator.convs]


def psnr(image: Tensor, reference: Tensor) -> float:
    """Against the range of four standard deviations, which a photograph's picture has too."""
    return 20 * math.log10(4 * float(reference.std() / (image - reference).square().mean().sqrt()))


@pytest.mark.parametrize("chunk", [tiled.CHUNK, 24 * ROW, 5 * ROW, ROW], ids=["whole", "24 rows", "5 rows", "least"])
@pytest.mark.parametrize("kind", ["none", "shared", "own"])
@pytest.mark.parametrize("clamp", [None, 1.5])
def test_strips_and_batches_change_nothing(
    chunk: int, kind: str, clamp: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiled, "CHUNK", chunk)
    generator = build(toy(SIZE, WIDTH).state_dict(), clamp)
    codes = torch.randn(3, generator.layers, 512, requires_grad=True)
    maps = noises(generator, kind, 3)
    for size in (None, 4, 17):
        plain = generator(codes, maps, size)
        assert plain.requires_grad
        with torch.no_grad():
            torch.testing.assert_close(generator(codes, maps, size), plain.detach(), atol=2e-5, rtol=0)


def test_wide_layers_take_the_short_way() -> None:
    generator = build(toy(32, winograd.NARROWEST).state_dict())
    codes, maps = torch.randn(2, generator.layers, 512, requires_grad=True), noises(generator, "shared", 1)
    plain = generator(codes, maps).detach()
    with torch.inference_mode():
        found = generator(codes, maps)
    assert generator.convs[-1]._wide is not None
    torch.testing.assert_close(found, plain, atol=2e-4, rtol=0)


def test_only_the_levels_that_are_asked_for_are_made(generator: Generator) -> None:
    assert [generator.levels(size) for size in (None, 1, 4, 5, 8, 9, 64, 1000)] == [5, 1, 1, 2, 2, 3, 5, 5]
    codes = torch.randn(1, generator.layers, 512)
    assert generator(codes, noises(generator, "none", 1), 9).shape == (1, 3, 16, 16)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_is_near_and_does_not_overflow(precision: str, generator: Generator) -> None:
    codes = 30 * torch.randn(2, generator.layers, 512)  # styles of hundreds
    maps = noises(generator, "shared", 2)
    with torch.no_grad():
        full = generator(codes, maps)
        with DevicePool("cpu", precision=precision) as pool, pool.lease(generator):
            half = generator(codes, maps)
        assert half.dtype == torch.float32
        assert psnr(half, full) > 40
        torch.testing.assert_close(generator(codes, maps), full, atol=0, rtol=0)


def test_gradients_pass_in_half_precision(generator: Generator) -> None:
    codes = torch.randn(1, generator.layers, 512, requires_grad=True)
    with DevicePool("cpu", precision="bf16") as pool, pool.lease(generator):
        generator(codes, noises(generator, "shared", 1)).square().mean().backward()
    assert codes.grad is not None
    assert bool((codes.grad.abs().sum(dim=2) > 0).all())


def test_a_settled_network_keeps_its_numbers(generator: Generator) -> None:
    published = toy(SIZE, WIDTH).state_dict()
    assert generator.state_dict().keys() == published.keys()
    for name, tensor in generator.state_dict().items():
        assert torch.equal(tensor, published[name]), name
    convs = [module for module in generator.modules() if isinstance(module, ModulatedConv)]
    assert all(conv.energy is not None and not isinstance(conv.energy, nn.Parameter) for conv in convs)
