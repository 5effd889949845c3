"""What processes do that share a training, for `test_devices.py`: functions of a module that each process imports."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from kinblend.errors import UsageError
from kinblend.training.checkpoint import Checkpoints
from kinblend.training.loop import Intervals, run_training
from kinblend.training.ranks import Ranks
from kinblend.training.shared_layers import shared_layers

ROWS, FEATURES = 5, 4


def network() -> nn.Module:
    """Batch norms over two kinds of rows, dropout, and a weight that nothing uses."""
    torch.manual_seed(3)
    made = nn.Sequential(
        nn.Linear(FEATURES, 8), nn.BatchNorm1d(8), nn.Dropout(0.4), nn.Unflatten(1, (2, 2, 2)), nn.BatchNorm2d(2)
    )
    made.register_parameter("unused", nn.Parameter(torch.ones(2)))
    return made.train()


def rows(count: int) -> tuple[Tensor, Tensor]:
    source = torch.Generator().manual_seed(count)
    return torch.randn(count, FEATURES, generator=source), torch.randn(count, 8, generator=source)


def learn(ranks: Ranks, count: int) -> dict[str, Tensor]:
    """Gradients, running statistics and losses of one batch; each row is compared with every other, and the slope of
    the output is a loss, too."""
    made = shared_layers(network(), ranks)
    given, wanted = rows(count)
    torch.manual_seed(11)
    with ranks.share(count) as share:
        own = share.take(given).requires_grad_()
        found = made(own).flatten(1)
    everyone = share.gather(found)
    [slope] = torch.autograd.grad(everyone.square().sum() / ranks.size, own, create_graph=True)
    near = (F.normalize(found) @ F.normalize(everyone).T).square().mean()
    losses = {"far": share.part((found - share.take(wanted)).square().mean()), "near": share.part(near)}
    losses["slope"] = share.part(slope.square().sum(1).mean())
    sum(losses.values()).backward()
    ranks.reduce_gradients(made.parameters())
    found = {f"{name}.grad": one.grad for name, one in made.named_parameters() if one.grad is not None}
    return found | dict(made.named_buffers()) | ranks.total(losses)


def save_all(counts: list[int], out: Path, progress: Callable[[str], None] | None, ranks: Ranks) -> Path:
    """`learn` for batches of so many rows, in a file for each process."""
    for count in counts:
        save_file(learn(ranks, count), out / f"{count}-{ranks.rank}.safetensors")
    (out / f"clock-{ranks.rank}").write_text(repr(ranks.agree([ranks.rank + 0.25])))
    if progress is not None:
        progress(f"{ranks.size} processes of {torch.get_num_threads()} threads")
    return out


def fail(word: str, out: Path, progress: Callable[[str], None] | None, ranks: Ranks) -> Path:
    """The second process fails, while the first waits for it."""
    if ranks.rank:
        raise UsageError(word)
    ranks.wait()
    return out


class Slow:
    """A training without end that saves every step. Its second process is killed at step `killed`."""

    def __init__(self, out: Path, progress: Callable[[str], None] | None, ranks: Ranks, killed: int) -> None:
        self.ranks, self.killed, self.seconds, self.steps = ranks, killed, 0.0, 0
        self.tell = progress or (lambda _: None)
        self.checkpoints = Checkpoints(out, {})
        if (taken_up := self.checkpoints.load()) is not None:
            self.steps = int(taken_up.state["steps"])
        self.tell(f"from {self.steps}")

    @property
    def done(self) -> bool:
        return False

    def step(self) -> Mapping[str, Tensor]:
        if self.ranks.rank and self.steps == self.killed:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.01)
        self.steps += 1
        return {"one": self.ranks.sum(torch.ones(())) / self.ranks.size}

    def save(self, losses: Mapping[str, float]) -> None:
        self.checkpoints.save(self.steps, {"w": torch.zeros(2)}, {"steps": self.steps, **losses})
        self.tell(f"saved {self.steps}")

    def report(self, losses: Mapping[str, float]) -> None: ...

    def measure(self) -> None: ...


def train(killed: Any, out: Path, progress: Callable[[str], None] | None, ranks: Ranks) -> Path:
    """`Slow` until it is ended."""
    run_training(Slow(out, progress, ranks, killed), Intervals(0, 1e9, 1e9), ranks=ranks)
    return out
