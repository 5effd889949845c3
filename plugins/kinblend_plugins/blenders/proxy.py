"""A small network that stands in for `Render`: taught by it, much faster, and its error is told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

from kinblend.blend import weighted_sum
from kinblend.checkpoints import build_network
from kinblend.datasets import Trios
from kinblend.files import replacing
from kinblend.tensor_files import load_file

Bridge = Callable[[Tensor], Tensor]

WIDTH, CHUNK, BATCH = 1024, 32, 128
EPOCHS, RATE, DECAY = 60, 1e-3, 1e-2


class Proxy(nn.Module):
    """Codes → unit embeddings: a linear map and a network of two hidden layers beside it."""

    def __init__(self, size: int, outputs: int) -> None:
        super().__init__()
        self.straight = nn.Linear(size, outputs)
        self.bent = nn.Sequential(
            nn.Linear(size, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH // 2), nn.SiLU(), nn.Linear(WIDTH // 2, outputs)
        )

    def forward(self, codes: Tensor) -> Tensor:
        """Unit embeddings [n, E] of codes [n, L, D]."""
        flat = codes.flatten(1)
        return F.normalize(self.straight(flat) + self.bent(flat), dim=1)


def children(trios: Trios, rows: list[int], count: int, seed: int) -> Tensor:
    """Codes to learn from, float32 [count, L, D]: people of these rows, two at random, blended by random weight maps.

    A quarter each by one share, a share for each layer, one for each element, and people as they are.
    """
    generator = torch.Generator().manual_seed(seed)
    people = torch.cat([trios.father[rows], trios.mother[rows], trios.child[rows]])
    one, other = (people[torch.randint(len(people), (count,), generator=generator)] for _ in range(2))
    layers, dim = people.shape[1:]
    maps = [
        torch.rand(count, *shape, generator=generator).expand(count, layers, dim)
        for shape in ((1, 1), (layers, 1), (layers, dim))
    ]
    maps.append(torch.ones(count, layers, dim))
    which = torch.arange(count) % len(maps)
    return weighted_sum(one, other, torch.stack(maps)[which, torch.arange(count)])


def distill(
    render: Bridge, trios: Trios, seed: int, samples: int, log: Callable[[str], None], epochs: int = EPOCHS
) -> tuple[Proxy, dict[str, float]]:
    """A proxy of `render`, and its fidelity on latents of validation families.

    samples: how many pictures it learns from. epochs: passes over them.
    Fidelity: the mean and the 5 % quantile of the cosine to the true embedding; `spread`, the mean cosine of true
    embeddings to their mean, which a constant would reach; `explained`, the share of their variance that is right.
    """
    torch.manual_seed(seed)
    parts = trios.split_rows(seed)
    codes = children(trios, parts["train"], samples, seed)
    held = children(trios, parts["val"], max(samples // 10, 64), seed + 1)
    truth, expected = (_through(render, some, log) for some in (codes, held))
    proxy = Proxy(codes[0].numel(), truth.shape[1])
    optimizer = torch.optim.AdamW(proxy.parameters(), lr=RATE, weight_decay=DECAY)
    steps = epochs * -(-samples // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(epochs):
        for rows in torch.randperm(samples).split(BATCH):
            loss = (1 - (proxy(codes[rows]) * truth[rows]).sum(1)).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return proxy.eval().requires_grad_(False), fidelity(proxy, held, expected)


@torch.no_grad()
def fidelity(proxy: Bridge, codes: Tensor, truth: Tensor) -> dict[str, float]:
    """How near a proxy comes; `distill` says what the figures are. codes [n, L, D], truth: unit embeddings [n, E]."""
    found = proxy(codes)
    cosine, mean = (found * truth).sum(1), truth.mean(0)
    return {
        "cosine": float(cosine.mean()),
        "cosine_5_percent": float(cosine.quantile(0.05)),
        "spread": float((truth @ F.normalize(mean, dim=0)).mean()),
        "explained": 1 - float((found - truth).square().sum() / (truth - mean).square().sum()),
    }


def save_proxy(path: Path, proxy: Proxy) -> None:
    """Write it."""
    with replacing(path) as part:
        save_file({name: tensor.clone() for name, tensor in proxy.state_dict().items()}, part)


def load_proxy(path: Path) -> Proxy:
    """Read it. Raises `CheckpointError` where the tensors don't fit."""
    tensors = load_file(path)
    outputs, size = tensors["straight.weight"].shape
    return build_network(lambda: Proxy(size, outputs), tensors, "the proxy", "have it distilled again")


@torch.no_grad()
def _through(render: Bridge, codes: Tensor, log: Callable[[str], None]) -> Tensor:
    parts, done = [], 0
    for some in codes.split(CHUNK):
        parts.append(render(some))
        done += len(some)
        if done % (CHUNK * 32) == 0:
            log(f"proxy: {done} of {len(codes)} pictures")
    return torch.cat(parts)
