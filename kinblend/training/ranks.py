"""Processes that share each batch of a training, so that they learn together what one would learn alone.

Each computes its own rows of the batch and the loss of these, weighted so that the losses of all add up to the
batch's. Gradients are added up, too, and every process takes the same step. What looks at several rows at once sees
all of them: `Share.gather`, and `shared_layers` for batch norm and dropout.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, distributed, nn

BUCKET = 64 * 2**20  # bytes of gradients that are added up at once


class RankLostError(RuntimeError):
    """Another process of the training does not answer: it was ended, or it failed."""


@dataclass(frozen=True)
class Ranks:
    """The processes that share a training; one alone, unless `devices.on_devices` made several.

    Args:
        device: this process's.
        rank: its number, from 0. The first alone writes files and tells how it goes, and its clock counts.
        size: how many there are.

    Example:
        >>> alone = Ranks(torch.device("cpu"))
        >>> alone.share(4).take(torch.arange(4)).tolist()
        [0, 1, 2, 3]
    """

    device: torch.device
    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes files."""
        return self.rank == 0

    def share(self, *counts: int) -> Share:
        """The rows that this process computes of a batch of so many; of several parts, of each about as many."""
        own = [torch.arange(self.rank * n // self.size, (self.rank + 1) * n // self.size) for n in counts]
        starts = accumulate(counts, initial=0)
        rows = torch.cat([part + start for part, start in zip(own, starts, strict=False)])
        return (
            Share(self, rows, sum(counts), tuple(own)) if len(rows) else Share(self, rows.new_zeros(1), sum(counts))
        )

    def sum(self, tensor: Tensor) -> Tensor:
        """The sum over all processes, on each of them; differentiable as often as you like."""
        return tensor if self.size == 1 else _sum(tensor)

    def total(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Losses of the batch, scalars without gradient, of what each process adds to them (`Share.part`)."""
        found = {name: value.detach() for name, value in losses.items()}
        if self.size == 1 or not found:
            return found
        return dict(zip(found, self.sum(torch.stack([value.float() for value in found.values()])), strict=True))

    def reduce_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Add up the gradients of all processes, after `backward`. Where nobody has one there is none after it."""
        if self.size == 1:
            return
        known = list(parameters)
        held = self.sum(torch.tensor([float(one.grad is not None) for one in known], device=self.device))
        wanted = [one for one, count in zip(known, held.tolist(), strict=True) if count]
        for some in _buckets(wanted):
            gradients = [torch.zeros_like(one) if one.grad is None else one.grad for one in some]
            together = torch.cat([gradient.reshape(-1) for gradient in gradients])
            _add_up(together)
            pieces = together.split([gradient.numel() for gradient in gradients])
            for one, gradient, piece in zip(some, gradients, pieces, strict=True):
                one.grad = gradient.copy_(piece.view_as(gradient))

    def align(self, module: nn.Module) -> None:
        """Give everyone the first process's weights and buffers."""
        if self.size == 1:
            return
        with torch.no_grad(), _answered():
            for tensor in module.state_dict().values():
                laid = tensor.contiguous()
                distributed.broadcast(laid, 0)
                tensor.copy_(laid)

    def agree(self, values: Sequence[float]) -> list[float]:
        """The first process's numbers, such as what its clock says."""
        if self.size == 1:
            return list(values)
        numbers = torch.tensor(values, dtype=torch.float64)
        with _answered():
            distributed.broadcast(numbers, 0)
        found: list[float] = numbers.tolist()
        return found

    def wait(self) -> None:
        """Wait until every process has come so far: for files that another one writes."""
        self.agree([0.0])


@dataclass(frozen=True)
class Share:
    """The rows of a batch that one process computes. Within `with share:` shared layers know them.

    ranks: whose share it is. rows: their places in the batch, integers [n]. total: N, of all processes. parts: their
    places in each part of the batch. Where there are fewer rows than processes, the processes without one compute the
    first row, and it counts nothing there: `parts` is empty.
    """

    ranks: Ranks
    rows: Tensor
    total: int
    parts: tuple[Tensor, ...] = ()

    def __enter__(self) -> Share:
        _entered.append(self)
        return self

    def __exit__(self, *_: object) -> None:
        _entered.pop()

    @property
    def weight(self) -> float:
        """The share of the batch: the weights of all processes add up to 1."""
        return len(self.rows) / self.total if self.parts else 0.0

    def take(self, everyone: Tensor) -> Tensor:
        """Own rows [n, …] of all rows [N, …]."""
        return everyone if self.ranks.size == 1 else everyone[self.rows.to(everyone.device)]

    def part(self, mean: Tensor) -> Tensor:
        """What a mean over own rows adds to the mean over all."""
        return mean if self.ranks.size == 1 else mean * self.weight

    def gather(self, own: Tensor) -> Tensor:
        """All rows [N, …], in their order, on every process, of own rows [n, …]; differentiable twice, too."""
        if self.ranks.size == 1:
            return own
        counted = own if self.parts else own * 0
        empty = counted.new_zeros((self.total, *counted.shape[1:]))
        return self.ranks.sum(empty.index_copy(0, self.rows.to(own.device), counted))


_entered: list[Share] = []


def entered_share() -> Share | None:
    """The share of the batch that the innermost `with share:` is about, of several processes; None outside."""
    return _entered[-1] if _entered and _entered[-1].ranks.size > 1 else None


class _Sum(torch.autograd.Function):
    """The sum over processes. The losses of all are one loss: so its gradient is the sum of theirs."""

    @staticmethod
    def forward(context: Any, tensor: Tensor) -> Tensor:
        total = tensor.detach().clone(memory_format=torch.contiguous_format)
        _add_up(total)
        return total

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Any:
        return _sum(gradients[0])


def _sum(tensor: Tensor) -> Tensor:
    result: Tensor = _Sum.apply(tensor)  # type: ignore[no-untyped-call]
    return result


def _add_up(tensor: Tensor) -> None:
    with _answered():
        distributed.all_reduce(tensor)


@contextmanager
def _answered() -> Iterator[None]:
    """Turn what torch raises where another process is gone into `RankLostError`."""
    try:
        yield
    except RuntimeError as error:
        raise RankLostError(str(error)) from error


def _buckets(parameters: Sequence[nn.Parameter]) -> Iterator[list[nn.Parameter]]:
    """Neighbours of one dtype, of at most `BUCKET` bytes unless one alone is larger."""
    some: list[nn.Parameter] = []
    room = BUCKET
    for one in parameters:
        room -= one.nbytes
        if some and (room < 0 or one.dtype != some[0].dtype):
            yield some
            some, room = [], BUCKET - one.nbytes
        some.append(one)
    if some:
        yield some
