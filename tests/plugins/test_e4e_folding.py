"""The encoder made faster is still the encoder that was published."""

import copy
import os

import pytest
import torch
from torch import nn

from kinblend import DevicePool
from kinblend_plugins.e4e.network import Block, Encoder4Editing, Subsample


def shaken(module: nn.Module) -> nn.Module:
    """With statistics that are not those of a new network."""
    torch.manual_seed(0)
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.running_mean.normal_(std=0.3)
            part.running_var.uniform_(0.5, 1.5)
            part.weight.data.uniform_(0.5, 1.5)
            part.bias.data.normal_(std=0.3)
    return module.eval().requires_grad_(False)


@pytest.mark.parametrize(("inputs", "outputs", "stride"), [(32, 32, 1), (32, 32, 2), (32, 64, 2)])
def test_a_folded_block_gives_the_same(inputs: int, outputs: int, stride: int) -> None:
    block = shaken(Block(inputs, outputs, stride))
    x, folded = torch.randn(2, inputs, 15, 16), copy.deepcopy(block)
    folded.fold()
    torch.testing.assert_close(folded(x), block(x), atol=1e-5, rtol=1e-5)
    assert sum(isinstance(part, nn.BatchNorm2d) for part in folded.modules()) == 1


def test_every_second_pixel_is_a_max_pool_of_one() -> None:
    x = torch.randn(1, 2, 7, 8)
    assert torch.equal(Subsample(2)(x), nn.MaxPool2d(1, 2)(x))
    assert torch.equal(Subsample(1)(x), x)


@pytest.mark.skipif("SLOW_TESTS" not in os.environ, reason="set SLOW_TESTS=1 for the tests that take minutes")
@pytest.mark.slow  # 150 million weights are made, and the network runs four times
@torch.no_grad()
def test_the_folded_encoder_in_pieces_and_in_half_precision() -> None:
    network = shaken(Encoder4Editing(10))
    faces = torch.rand(2, 3, 256, 256) * 2 - 1
    expected = network(faces)
    network.fold()
    found = network(faces)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    weights = sum(tensor.numel() * 4 for tensor in network.state_dict().values())
    with DevicePool("cpu", budget=weights // 4) as pool, pool.lease(network):
        assert torch.equal(network(faces), found)
    with DevicePool("cpu", precision="bf16") as pool, pool.lease(network):
        half = network(faces.bfloat16())
    assert half.dtype == torch.float32
    assert float((half - found).square().mean().sqrt() / found.std()) < 0.02


def test_all_of_the_encoder_can_come_piece_by_piece() -> None:
    """A budget smaller than its 267 million weights holds one block at a time."""
    from kinblend.device.placement import Placement

    with torch.device("meta"):
        network = Encoder4Editing(18)
    blocks = network.offloadable_blocks
    weights = sum(parameter.numel() for block in blocks for parameter in block.parameters())
    assert weights == sum(parameter.numel() for parameter in network.parameters())
    whole = weights * 4
    pieces = Placement(network, torch.float32, DevicePool().memory, whole // 4)
    assert len(pieces.pieces) == len(blocks)
    assert pieces.size < whole / 4
