"""What many couples would cost, from what one worker takes here, with all that is assumed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kinblend.bench.scale import BUSY, Scaling, Worker

HOUR = 3600.0  # seconds


@dataclass(frozen=True)
class Order:
    """Couples of so many people, and children of each couple."""

    couples: int
    people: int
    children: int = 1


@dataclass(frozen=True)
class Cost:
    """What an order costs. core_hours: of CPUs like this one. gpu_hours: where a GPU was measured, else None.
    hours: by the clock, with as many workers as were measured at most; None where the machine was busy.
    assumptions: a sentence each."""

    core_hours: float
    gpu_hours: float | None
    hours: float | None
    workers: int
    assumptions: Sequence[str]


def estimate(order: Order, one: Worker, scaling: Sequence[Scaling], device: str, size: int) -> Cost:
    """The cost of an order. device: that was measured, as "cpu" or "cuda:0". size: of photographs, in pixels."""
    made = order.couples * order.children
    most = scaling[-1]
    on_gpu = not device.startswith("cpu")
    cpu = most.workers * one.cold_cpu + order.people * one.photograph_cpu + made * one.child_cpu
    wall = one.cold + order.people * one.photograph + made * one.child
    busy = busiest(scaling)
    fair = busy is not None and busy <= BUSY
    hours = (one.cold + (wall - one.cold) / most.ratio) / HOUR if fair else None
    return Cost(
        cpu / HOUR,
        wall / HOUR if on_gpu else None,
        hours,
        most.workers,
        assumptions(order, most.workers, device, size, busy),
    )


def busiest(scaling: Sequence[Scaling]) -> float | None:
    """The largest share of the machine that other programs took in any case; None: not known."""
    shares = [case.others for case in scaling if case.others is not None]
    return max(shares, default=None)


def assumptions(order: Order, workers: int, device: str, size: int, busy: float | None) -> list[str]:
    """All that an estimate rests on."""
    return [
        f"{order.couples} couples of {order.people} people, encoded once; children of each couple: {order.children}",
        f"photographs of {size} px, one face in each; larger ones take longer to read and to search",
        "children of the default strategy, age and sex; what options add, such as tuning, is not in it",
        f"{workers} workers that start once each; no row is done twice",
        "a core is one like this machine's; CPU seconds of one thread, which other programs change by some percent",
        "what hands out the work, and the way of photographs and files through a network, are not in it",
        _about_gpus(device),
        _about_clock(busy),
    ]


def _about_gpus(device: str) -> str:
    if device.startswith("cpu"):
        return "no GPU was measured, so there are no GPU-hours"
    return f"GPU-hours: one process on {device}, by the clock, whether the GPU was busy all the time or not"


def _about_clock(busy: float | None) -> str:
    if busy is None:
        return "whether the machine was busy is not known, so there are no hours by the clock"
    if busy > BUSY:
        return f"the machine was busy: others took {busy:.0%} of it, so there are no hours by the clock; run it idle"
    return f"the machine was idle: others took {busy:.0%} of it"
