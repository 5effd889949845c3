"""One epoch of the weight network, batched, against the loop over samples that the student report trained with.

    python benchmarks/blender_training.py [--layers 4] [--trios 128] [--batch 16] [--large 64] [--threads 2]

Both train the same network through the same projection, on the same random latents. The loop is written out as the
report had it: each sample of a batch gets its embedding by itself, and the fixed matrix is drawn from its seed again
each time. The second ratio is against the same loop with the matrix kept. Batched is measured with batches of the
loop's size and with large ones, where the optimiser has less to do, in float32 and in bfloat16, as the trainer offers
them. 18 layers are the report's own size.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from kinblend import LatentSpace
from kinblend.blend import weighted_sum
from kinblend.datasets import Trios
from kinblend.process import HUGE_PAGES
from kinblend_plugins.blenders.bridge import Projection
from kinblend_plugins.blenders.network import AdaptiveDimensionWeightModel
from kinblend_plugins.blenders.training.loss import distance
from kinblend_plugins.blenders.training.options import TrainOptions
from kinblend_plugins.blenders.training.session import Session

DIM = 512


def main() -> None:
    os.environ.setdefault(HUGE_PAGES, "1")  # as the command line does
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name, value in (
        ("layers", 4),
        ("trios", 128),
        ("batch", 16),
        ("large", 64),
        ("threads", torch.get_num_threads()),
    ):
        parser.add_argument(f"--{name}", type=int, default=value)
    words = parser.parse_args()
    torch.set_num_threads(words.threads)
    made = trios(words.layers, words.trios)
    ways = [(words.batch, "fp32"), (words.large, "fp32"), (words.large, "bf16")]
    batched = {way: seconds(epoch(made, *way)) for way in ways}
    rows = made.parts(0)["train"]
    kept = Projection(words.layers * DIM)
    drawn = seconds(lambda: loop(made, rows, words.batch, lambda code: Projection(words.layers * DIM)(code)))
    once = seconds(lambda: loop(made, rows, words.batch, kept))
    print(f"[{words.layers}, {DIM}], {len(rows)} trios, {words.threads} threads")
    print(f"loop {drawn:.2f} s, with the matrix kept {once:.2f} s")
    for (size, precision), took in batched.items():
        print(f"batches of {size}, {precision}: {took:.2f} s, {drawn / took:.1f} and {once / took:.1f} times as fast")


def epoch(made: Trios, batch: int, precision: Literal["fp32", "bf16"]) -> Callable[[], object]:
    """One epoch as the trainer does it."""
    options = TrainOptions(trios=Path("none"), bridge="projection", batch=batch, precision=precision)
    session = Session(options, made, Projection(made.father[0].numel()))
    return lambda: [session.step(some) for some in session.families.epoch(torch.Generator(), 0.05)]


def loop(made: Trios, rows: list[int], batch: int, embed: Callable[[Tensor], Tensor]) -> None:
    """One epoch as the student report wrote it."""
    network = AdaptiveDimensionWeightModel(*made.father.shape[1:])
    optimizer = torch.optim.AdamW(network.parameters(), lr=5e-5, weight_decay=1e-5, fused=False, foreach=False)
    for some in torch.tensor(rows).split(batch):
        weights = network(made.father[some], made.mother[some])
        loss = torch.zeros(())
        for place, row in enumerate(some.tolist()):
            child = weighted_sum(made.father[row], made.mother[row], weights[place])
            loss = loss + distance(embed(child[None]), embed(made.child[row][None]))[0] / len(some)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()


def trios(layers: int, count: int) -> Trios:
    father, mother, child = torch.randn(3, count * 10 // 7, layers, DIM, generator=torch.Generator().manual_seed(0))
    names = [f"F{row}" for row in range(len(father))]
    return Trios(father, mother, child, F.normalize(child.flatten(1)), names, LatentSpace("-", layers, DIM, "0" * 64))


def seconds(work: Callable[[], object]) -> float:
    """The median of three, after one to get warm."""
    took = []
    for _ in range(4):
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    return statistics.median(took[1:])


if __name__ == "__main__":
    main()
