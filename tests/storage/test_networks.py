"""A network and the tensors that fill it: what is left without values is named."""

import pytest
import torch
from torch import nn

from kinblend import Blender, Context, LatentSpace
from kinblend.checkpoints import build_network
from kinblend.device import DevicePool
from kinblend.errors import CheckpointError, PluginError
from kinblend.interfaces import network_of

TENSORS = {"part.weight": torch.ones(2, 2), "part.bias": torch.zeros(2)}


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.part = nn.Linear(2, 2)


class Hidden(Network):
    def __init__(self) -> None:
        super().__init__()
        self.part.register_buffer("scale", torch.arange(2.0), persistent=False)


class Constant(Network):
    def __init__(self) -> None:
        super().__init__()
        self.mean = torch.tensor([0.5])


class Reading(Network):
    def __init__(self) -> None:
        super().__init__()
        self.most = float(torch.arange(3.0).max())


def test_a_network_holds_the_tensors() -> None:
    network = build_network(Network, TENSORS, "the toy", "make it again")
    assert network.part(torch.tensor([1.0, 2.0])).tolist() == [3, 3]
    assert not network.part.weight.requires_grad


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        (
            {**TENSORS, "part.bias": torch.zeros(3)},
            r"the toy: tensor part\.bias has shape \[3\] in the file, and the network needs \[2\]; make it again",
        ),
        ({"part.bias": torch.zeros(2)}, r"the toy: tensor part\.weight is missing in the file; make it again"),
        ({**TENSORS, "more": torch.zeros(2)}, "the toy: tensor more is unknown to the network; make it again"),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(tensors: dict, said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        build_network(Network, tensors, "the toy", "make it again")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (Hidden, "the toy: its network's part.scale has no values; .* persistent buffer"),
        (Constant, "the toy: its network's mean has no values; .* compute it in forward"),
        (Reading, "the toy: its network reads values of a tensor while it is made .*; .* persistent buffer"),
    ],
)
def test_what_the_constructor_computes_is_named(make: type[nn.Module], said: str) -> None:
    with pytest.raises(PluginError, match=said):
        build_network(make, TENSORS, "the toy", "make it again")


def test_a_plugin_and_a_lease_name_a_tensor_without_values() -> None:
    with torch.device("meta"):
        network = Network()
    plugin = Blender(None, Context(LatentSpace("toy", 2, 2, "0" * 64)))  # type: ignore[arg-type]
    plugin.module = network
    with pytest.raises(PluginError, match=r"blender Blender: its network's part\.weight has no values"):
        network_of(plugin)
    with pytest.raises(PluginError, match=r"Network: its network's part\.weight has no values"):
        DevicePool("cpu").lease(network).__enter__()
