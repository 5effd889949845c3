"""Every rule of the pool, watched through a memory that counts and refuses."""

import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from fake import FakeMemory
from published_checkpoints import toy
from torch import Tensor, nn

from kinblend import DevicePool
from kinblend.cancellation import cancellable
from kinblend.errors import DeviceMemoryError, UsageError
from kinblend_plugins.stylegan2 import winograd
from kinblend_plugins.stylegan2.generator import build

KIB = 1024


def linear(kib: int) -> nn.Linear:
    return nn.Linear(kib, 256, bias=False)  # kib · 256 · 4 bytes


class Chain(nn.Module):
    """Four linear layers that are only called, and a scale that is looked at."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.full((16,), 2.0))
        self.offloadable_blocks = nn.ModuleList(nn.Linear(16, 16) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        for part in self.offloadable_blocks:
            x = part(x) * self.scale
        return x


def test_a_thousand_leases_half_of_them_raising_leave_nothing_behind() -> None:
    memory, chance = FakeMemory(), random.Random(0)
    modules = [linear(1 + index % 7) for index in range(12)]
    homes = [module.weight.data for module in modules]
    with DevicePool(budget=16 * KIB, memory=memory) as pool:
        for turn in range(1000):
            try:
                with pool.lease(chance.choice(modules)) as module:
                    assert memory.allocated() <= 16 * KIB
                    _ = module(torch.ones(1, module.in_features)) / (turn % 2 and 1)
                    if turn % 2:
                        raise ZeroDivisionError
            except ZeroDivisionError:
                pass
        assert memory.allocated() > 0
        assert len(pool.records) == 1000
        assert max(record.peak_bytes for record in pool.records) <= 16 * KIB
    assert memory.allocated() == 0
    assert memory.freed
    assert all(module.weight.data is not None for module in modules)
    assert [module.weight.data_ptr() for module in modules] == [home.data_ptr() for home in homes]


def test_a_module_comes_once_and_leaves_for_another() -> None:
    memory, first, second = FakeMemory(), linear(4), linear(4)
    with DevicePool(budget=6 * KIB, memory=memory) as pool:
        for module in (first, first, second, first):
            with pool.lease(module):
                pass
        assert [record.moved_bytes for record in pool.records] == [4096, 0, 4096, 4096]


def test_leases_of_one_module_nest() -> None:
    memory, module = FakeMemory(), linear(4)
    pool = DevicePool(budget=4 * KIB, memory=memory)
    with pool.lease(module):
        with pool.lease(module):
            pool.release()  # as an engine in another thread does when its run ends
        assert memory.allocated() == 4096
    pool.release()
    assert memory.allocated() == 0


def test_threads_share_one_budget() -> None:
    memory, modules, failures = FakeMemory(), [linear(2) for _ in range(4)], []
    pool = DevicePool(budget=8 * KIB, memory=memory, precision="bf16")

    def work(seed: int) -> None:
        chance = random.Random(seed)
        try:
            for _ in range(100):
                with pool.lease(chance.choice(modules)) as module:
                    assert module(torch.ones(1, 2).bfloat16()).dtype == torch.bfloat16
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    pool.release()
    assert failures == []
    assert memory.allocated() == 0
    assert len(pool.records) == 600
    assert all(module.weight.dtype == torch.float32 for module in modules)


@torch.no_grad()
def test_a_module_larger_than_the_budget_comes_in_pieces() -> None:
    torch.manual_seed(0)
    memory, chain, x = FakeMemory(), Chain(), torch.randn(3, 16)
    expected, piece = chain(x), 16 * 17 * 4
    with DevicePool(budget=piece + 64, memory=memory) as pool:
        for _ in range(2):
            with pool.lease(chain):
                assert torch.equal(chain(x), expected)
                with pytest.raises(RuntimeError):
                    chain(torch.ones(3, 5))
                assert memory.allocated() == 64
        assert pool.records[0].bytes == pool.records[0].peak_bytes == piece + 64
        # Four pieces and the scale, and the first piece of the call that failed.
        assert [record.moved_bytes for record in pool.records] == [5 * piece + 64, 5 * piece]
    assert not chain.offloadable_blocks[0]._forward_hooks
    with DevicePool(budget=piece, memory=memory) as pool, pytest.raises(DeviceMemoryError, match=str(piece + 64)):
        pool.lease(chain).__enter__()


def test_single_leases_may_have_a_precision_of_their_own() -> None:
    encoder, projector = linear(4), linear(4)
    with DevicePool("cpu", precision="bf16,projector=fp32") as pool:
        with pool.lease(encoder, "encoder"), pool.lease(projector, "projector"):
            assert (encoder.weight.dtype, projector.weight.dtype) == (torch.bfloat16, torch.float32)
            with pytest.raises(UsageError, match="already"), pool.lease(encoder, "projector"):
                pass
        with pool.lease(encoder, "projector"):
            assert encoder.weight.dtype == torch.float32
    assert pool.precision == "bf16,projector=fp32"
    assert DevicePool("cpu", precision={"encoder": "fp16"}).precision == "fp32,encoder=fp16"
    with pytest.raises(UsageError, match="use auto"):
        DevicePool("cpu", precision="encoder=int3")


def test_what_must_not_be_rounded_is_not() -> None:
    module = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    module[1].keep_float32 = ("bias",)
    with DevicePool("cpu", precision="fp16") as pool, pool.lease(module):
        found = [parameter.dtype for parameter in module.parameters()]
    assert found == [torch.float16, torch.float16, torch.float16, torch.float32]


def test_idle_modules_make_room_before_memory_is_said_to_be_out() -> None:
    memory, first, second = FakeMemory(total=6 * KIB), linear(4), linear(4)
    with DevicePool(memory=memory) as pool:
        for module in (first, second):
            with pool.lease(module):
                pass
        with pool.lease(second), pytest.raises(DeviceMemoryError, match=r"about 8\.0 KiB"), pool.lease(first):
            pass
        assert memory.allocated() == 4096
    assert memory.allocated() == 0


def test_out_of_memory_halves_the_batch() -> None:
    memory, seen = FakeMemory(), []

    def work(items: Sequence[int]) -> list[int]:
        seen.append(len(items))
        tensor = torch.empty(1)
        memory.take(len(items) * KIB, tensor)
        return [2 * item for item in items]

    with DevicePool(budget=3 * KIB, memory=memory) as pool, pool.lease(linear(1)):
        assert pool.batched(work, range(8)) == [2 * item for item in range(8)]
    assert seen == [8, 4, 2, 2, 2, 2]
    pool = DevicePool(budget=1200, memory=memory)
    with pool, pool.lease(linear(1)), pytest.raises(DeviceMemoryError, match=r"at least 2048 bytes"):
        pool.batched(work, range(2))
    with DevicePool(memory=FakeMemory()) as pool, pytest.raises(ZeroDivisionError):
        pool.batched(lambda items: [1 // item for item in items], [0])


@torch.no_grad()
def test_what_is_made_of_weights_counts_and_is_done_without_where_it_does_not_fit() -> None:
    generator = build(toy(32, winograd.NARROWEST).state_dict())
    codes, maps = torch.randn(1, generator.layers, generator.dim), [conv.noise for conv in generator.convs]
    plain = sum(t.numel() * t.element_size() for t in (*generator.parameters(), *generator.buffers()))
    wide = 4 * generator.convs[-1].weight.numel() * 4  # the only one whose output has 32 px and the same size
    found = []
    for budget, made in ((plain + wide, True), (plain + wide - 1, False)):
        memory, other = FakeMemory(), linear(4)
        with DevicePool(budget=budget, memory=memory) as pool:
            with pool.lease(other):
                pass
            with pool.lease(generator):
                found.append(generator(codes, maps))
                assert pool.resident_bytes == plain + (wide if made else 4 * KIB)  # an idle one leaves for it
                kept = generator.convs[-1]._wide
                assert (kept is not None) is made
                if kept is not None:
                    memory.take(kept.numel() * kept.element_size(), kept)  # refused where it were over the budget
                    del kept
        assert pool.records[-1].bytes == plain + made * wide
        assert memory.allocated() == 0
    torch.testing.assert_close(*found, atol=1e-4, rtol=0)
    with DevicePool("cpu") as pool:
        for _ in range(2):
            with pool.lease(generator):
                generator(codes, maps)
            pool.release()
            assert generator.convs[-1]._wide is not None  # there is no budget that it could burst
    with DevicePool(budget=plain + wide, memory=FakeMemory(), precision="bf16") as pool, pool.lease(generator):
        assert pool.resident_bytes < plain  # in half precision there is nothing of the kind


def test_finding_27_what_a_network_calls_its_parts_is_its_own_affair() -> None:
    network = linear(8)
    network.parts = ["nose", "mouth"]
    with DevicePool("cpu", budget=4 * KIB) as pool, pytest.raises(DeviceMemoryError, match="8192"):
        pool.lease(network).__enter__()


def test_finding_26_threads_that_share_a_budget_wait_for_each_other() -> None:
    pairs = [(linear(4), linear(4)) for _ in range(8)]
    given = torch.ones(1, 4)
    expected = [(a(given) + b(given)).tolist() for a, b in pairs]
    with DevicePool("cpu", budget=8 * KIB) as pool:

        def work(pair: tuple[nn.Module, nn.Module]) -> list:
            with pool.lease(pair[0]) as a, pool.lease(pair[1]) as b:
                assert a is not None
                assert b is not None
                assert pool.resident_bytes <= 8 * KIB
                return (a(given) + b(given)).tolist()

        for _ in range(20):
            with ThreadPoolExecutor(8) as threads:
                assert list(threads.map(work, pairs)) == expected


def test_finding_26_waiting_for_a_turn_can_be_given_up() -> None:
    def give_up() -> None:
        raise TimeoutError

    def ask() -> None:
        with cancellable(give_up), pool.lease(linear(1)):
            pass

    with DevicePool("cpu", budget="1MiB") as pool, ThreadPoolExecutor(1) as threads:
        with pool.lease(linear(1)), pytest.raises(TimeoutError):
            threads.submit(ask).result(10)
        with pool.lease(linear(1)):
            pass  # whoever gave up is no longer in line


def test_a_module_that_comes_in_another_precision_has_moved_no_less_than_nothing() -> None:
    module = linear(4)
    with DevicePool("cpu", precision={"": "fp32", "half": "bf16"}, memory=FakeMemory()) as pool:
        for name in ("", "half", "", "half"):
            with pool.lease(module, name):
                pass
        assert [record.moved_bytes for record in pool.records] == [4096, 2048, 4096, 2048]
