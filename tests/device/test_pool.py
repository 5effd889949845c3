"""The first device pool: leases, budget, release."""

import pytest
import torch
from torch import nn

from kinblend import DevicePool
from kinblend.device.sizes import format_size, parse_size
from kinblend.errors import DeviceMemoryError, UsageError


def linear(kib: int) -> nn.Linear:
    return nn.Linear(kib, 256, bias=False)  # kib · 256 · 4 bytes


def test_least_recently_used_leaves_first() -> None:
    a, b, c = linear(4), linear(4), linear(4)
    with DevicePool("cpu", budget="8KiB") as pool:
        for module in (a, b, a, c):
            with pool.lease(module):
                pass
        assert pool.resident_bytes == 8192
        assert set(pool._resident) == {id(a), id(c)}
    assert pool.resident_bytes == 0


def test_what_is_leased_stays_and_the_error_names_the_budget_that_would_do() -> None:
    with DevicePool("cpu", budget=4096) as pool, pool.lease(linear(4)):
        with pytest.raises(DeviceMemoryError, match="8192"), pool.lease(linear(4)):
            pass
        assert pool.resident_bytes == 4096


def test_precision_holds_for_the_lease_and_the_module_comes_back_as_it_was() -> None:
    module = linear(4)
    with DevicePool("cpu", precision="bf16") as pool:
        with pytest.raises(ZeroDivisionError), pool.lease(module) as leased:
            assert leased is not None
            assert leased.weight.dtype == torch.bfloat16
            _ = 1 / 0
        assert pool.records[0].bytes == 2048
    assert module.weight.dtype == torch.float32


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_rounded_lease_leaves_the_numbers_alone(precision: str) -> None:
    module = nn.Sequential(nn.Linear(64, 64), nn.BatchNorm1d(64))
    module[1].running_mean.normal_()
    module.register_buffer("halves", torch.randn(8).half())
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    with DevicePool("cpu", precision=precision) as pool, pool.lease(module):
        assert not torch.equal(module[0].weight.float(), before["0.weight"])
    for name, tensor in module.state_dict().items():
        assert (tensor.dtype, tensor.tolist()) == (before[name].dtype, before[name].tolist()), name
    assert all(isinstance(p, nn.Parameter) and p.requires_grad for p in module.parameters())


SIZES = [
    ("2GiB", 2**31),
    ("1.5 KiB", 1536),
    ("500MB", 500_000_000),
    ("7", 7),
    (1e9, 10**9),
    (2_000_000_000, 2 * 10**9),
]


@pytest.mark.parametrize(("text", "size"), SIZES)
def test_sizes(text: str | float, size: int) -> None:
    assert parse_size(text) == size


def test_invalid_usage() -> None:
    assert format_size(1536) == "1.5 KiB"
    for make in (
        lambda: parse_size("many"),
        lambda: parse_size(True),
        lambda: parse_size(-5),
        lambda: parse_size(float("nan")),
        lambda: parse_size("0"),
        lambda: DevicePool("toaster"),
        lambda: DevicePool("meta"),
        lambda: DevicePool("cpu", precision="int3"),
    ):
        with pytest.raises(UsageError):
            make()
