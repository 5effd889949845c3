"""Changes of a generator's weights: they act on a copy, fit or are refused, and mix by shares."""

import pytest
import torch
from torch import Tensor, nn

from kinblend import DevicePool, Latent, LatentSpace
from kinblend.errors import InputError
from kinblend.inversion import (
    as_detail,
    blend_changes,
    change_shape,
    changed,
    check_changes,
    shared_copy,
    weight_changes,
)

SPACE = LatentSpace("toy", 2, 4, "ab" * 32)


class Convolution(nn.Module):
    """Keeps something of its weight, as StyleGAN2's do."""

    energy: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 4, 3, 3), requires_grad=False)
        self.register_buffer("energy", torch.zeros(4, 4))
        self.freeze()

    def freeze(self) -> None:
        self.energy = self.weight.square().sum((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        norm = self.energy.sum(1).rsqrt()[:, None, None]
        found: Tensor = torch.conv2d(x, self.weight, padding=1) * norm
        return found


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = Convolution(), Convolution()
        self.scale = nn.Parameter(torch.ones(()), requires_grad=False)

    @property
    def offloadable_blocks(self) -> list[nn.Module]:
        return [self.first, self.second]

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.second(self.first(x).relu()) * self.scale
        return found


def latent(**changes: Tensor) -> Latent:
    return Latent(torch.zeros(2, 4), SPACE, as_detail({name.replace("_", "."): one for name, one in changes.items()}))


def test_only_the_copy_draws_with_the_changes() -> None:
    network, x = Network(), torch.randn(1, 4, 8, 8)
    before, change = network(x), torch.randn(4, 4, 1, 1) * 0.2
    reference = Network()
    reference.load_state_dict(network.state_dict())
    reference.first.weight.data *= 1 + change
    reference.first.freeze()
    with changed(network, {"first.weight": change}) as copy:
        torch.testing.assert_close(copy(x), reference(x))
        assert copy.second.weight is network.second.weight
        assert torch.equal(network(x), before)
    assert torch.equal(network(x), before)
    assert shared_copy(network).first.weight is network.first.weight


def test_a_network_that_comes_in_pieces_draws_the_same_with_them() -> None:
    torch.manual_seed(3)
    network, x, change = Network(), torch.randn(1, 4, 8, 8), torch.full((4, 4, 1, 1), 0.5)
    before = network(x)
    with changed(network, {"first.weight": change}) as copy:
        expected = copy(x)
    with DevicePool(budget=1000) as pool, pool.lease(network):
        assert torch.equal(network(x), before)
        with changed(network, {"first.weight": change}) as here:
            torch.testing.assert_close(here(x), expected)
        assert torch.equal(network(x), before)
    assert torch.equal(network(x), before)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("third.weight", torch.zeros(4, 4, 1, 1)),
        ("scale", torch.zeros(1)),
        ("first.weight", torch.zeros(4, 4, 3, 1)),
        ("first.weight", torch.zeros(4, 1, 1, 1)),
        ("first.weight", torch.zeros(4, 4, 1, 1, dtype=torch.int64)),
        ("first.weight", torch.full((4, 4, 1, 1), torch.nan)),
        ("first.weight", torch.full((4, 4, 1, 1), torch.inf)),
        ("first.weight", torch.full((4, 4, 1, 1), -50.0)),
    ],
)
def test_changes_that_do_not_fit_are_refused_by_name(name: str, change: Tensor) -> None:
    weights = {f"{part}.weight": getattr(Network(), part).weight for part in ("first", "second")}
    for shape in (change_shape(weights["first.weight"]), (4, 4, 3, 3)):
        check_changes({"first.weight": torch.zeros(shape)}, weights)
    with pytest.raises(InputError, match=name):
        check_changes({name: change}, weights)


def test_a_child_has_a_share_of_both() -> None:
    ours, theirs = torch.full((4, 4, 1, 1), 0.4), torch.full((4, 4, 1, 1), -0.2)
    father, mother = latent(first_weight=ours), latent(first_weight=theirs, second_weight=theirs)
    shares = {"first.weight": 0.75, "second.weight": 0.5}
    detail = blend_changes(father, mother, lambda name: shares[name])
    assert all(change.dtype == torch.float16 for change in detail.values())
    child = weight_changes(Latent(torch.zeros(2, 4), SPACE, detail))
    torch.testing.assert_close(child["first.weight"].float(), torch.full((4, 4, 1, 1), 0.25), atol=1e-3, rtol=0)
    torch.testing.assert_close(child["second.weight"].float(), torch.full((4, 4, 1, 1), -0.1), atol=1e-3, rtol=0)
    assert not blend_changes(latent(), latent(), lambda name: shares[name])
