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


@pytest.mark.parametrize(("text", "size"), [("2GiB", 2**31), ("1.5 KiB", 1536), ("500MB", 500_000_000), ("7", 7)])
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


def test_words_that_are_off() -> None:
    assert format_size(1536) == "1.5 KiB"
    for make in (
        lambda: parse_size("many"),
        lambda: DevicePool("toaster"),
        lambda: DevicePool("cpu", precision="int3"),
    ):
        with pytest.raises(UsageError):
            make()
