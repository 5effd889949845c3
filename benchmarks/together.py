"""Pictures made together by a MobileStyleGAN on a CPU, in three ways that are called in turn: one after the other,
in strips with a picture on each thread (as kinblend does it), and as one batch, layer by layer (as on a GPU).

    python benchmarks/together.py --backbone ffhq-mobile --threads 2 --size 256 --size 1024 --count 4 --count 32

Prints a line for each: milliseconds and CPU milliseconds a picture, how many times as long as one after the other,
the most memory, and the largest difference in 255 levels from pictures made one after the other.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from kinblend import DevicePool, load_backbone
from kinblend.bench.timing import peak_bytes_now, reset_peak
from kinblend.process import prepare_torch

if TYPE_CHECKING:
    from torch import Tensor

PSI = 0.7
MOST = 4 * 2**30  # bytes that the maps of one batch may take


def main(
    backbone: str = "ffhq-mobile",
    threads: Annotated[int | None, typer.Option(min=1)] = None,
    size: Annotated[list[int], typer.Option()] = [256, 512, 1024],  # noqa: B006
    count: Annotated[list[int], typer.Option()] = [1, 4, 8, 32],  # noqa: B006
    precision: str = "fp32",
    rounds: int = 3,
) -> None:
    """Time all."""
    import torch

    from kinblend_plugins.mobilestylegan.projector import MobileStyleGANProjector

    if threads is not None:
        torch.set_num_threads(threads)
    pool = DevicePool("cpu", precision=precision)
    projector = load_backbone(backbone, pool).projector
    assert isinstance(projector, MobileStyleGANProjector)
    with torch.inference_mode(), pool.lease(projector.module, "projector"):
        generator = projector.generator
        draw = torch.Generator().manual_seed(0)
        codes = projector.map(torch.randn(max(count), projector.space.dim, generator=draw), PSI)
        codes = codes.to(generator.constant.dtype)
        for side in size:
            for number in count:
                some = codes[:number]
                ways: dict[str, Callable[[], Tensor]] = {
                    "one by one": lambda s=some, r=side: torch.cat([generator(code[None], size=r) for code in s]),
                    "together": lambda s=some, r=side: generator(s, size=r),
                }
                if _map_bytes(generator.picture_size(side), number) <= MOST:
                    ways["whole"] = lambda s=some, r=side: generator.layered(s, True, r)
                _report(f"{precision} {side} px {number}", ways, number, rounds, pool)


def _map_bytes(side: int, count: int) -> int:
    """About what the maps take that a batch holds at once, layer by layer."""
    return count * 4 * 64 * 4 * (side // 2) ** 2


def _report(label: str, ways: dict[str, Callable[[], Tensor]], count: int, rounds: int, pool: DevicePool) -> None:
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    peaks, apart = dict.fromkeys(ways, 0), dict.fromkeys(ways, 0)
    for turn in range(rounds + 1):
        plain = _levels(ways["one by one"]()) if turn == 0 else None
        for name, work in ways.items():
            reset_peak(pool.memory)
            wall, cpu = time.perf_counter(), time.process_time()
            made = work()
            spent = (time.perf_counter() - wall, time.process_time() - cpu)
            peaks[name] = max(peaks[name], peak_bytes_now())
            if plain is None:
                taken[name].append(spent)
            else:
                apart[name] = int((_levels(made) - plain).abs().max())
    first = taken["one by one"]
    for name, spent in taken.items():
        wall, cpu = (statistics.median(one[at] for one in spent) / count for at in (0, 1))
        ratios = [
            statistics.median(mine[at] / other[at] for mine, other in zip(spent, first, strict=True)) for at in (0, 1)
        ]
        print(
            f"{label} {name}: {1000 * wall:.0f} ms, CPU {1000 * cpu:.0f} ms, ratio {ratios[0]:.2f}, CPU ratio "
            f"{ratios[1]:.2f}, {peaks[name] / 2**20:.0f} MiB, {apart[name]} levels apart",
            flush=True,
        )


def _levels(pictures: Tensor) -> Tensor:
    import torch

    return (pictures.float() * 127.5 + 128).clamp(0, 255).to(torch.uint8).int()


if __name__ == "__main__":
    prepare_torch()
    typer.run(main)
