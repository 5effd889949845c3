"""Principal components of what is seen of faces and of their mirror images.

A face's mirror image is a face. With both, components are exactly symmetric or exactly antisymmetric and can be found
in half the time each (Sirovich and Kirby 1987).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Mirror = Callable[[Tensor], Tensor]


def components(vectors: Tensor, count: int, mirror: Mirror) -> tuple[Tensor, Tensor]:
    """The `count` strongest components: orthonormal rows float32 [count, m], and their deviations [count].

    vectors: float32 [n, …], flattened to m; their mean is that of a symmetric face and has been taken away.
    mirror: gives the vectors of the mirror images. It uses seeded random projections (Halko et al. 2011).
    """
    axes, deviations = [], []
    for sign in (1, -1):
        part = ((vectors + sign * mirror(vectors)) / 2).flatten(1)
        wanted = min(count + 16, *part.shape)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            _, values, right = torch.svd_lowrank(part, q=wanted, niter=4)
        axes.append(right.T)
        deviations.append(values / len(part) ** 0.5)
    order = torch.cat(deviations).argsort(descending=True)[:count]
    basis = torch.cat(axes)[order]
    # The sign is arbitrary: the largest entry is made positive, so that training again gives the same signs.
    basis = basis * basis.gather(1, basis.abs().argmax(1, keepdim=True)).sign()
    return basis, torch.cat(deviations)[order].clamp_min(1e-5)


def stored(basis: Tensor, deviations: Tensor, rounded: bool) -> dict[str, Tensor]:
    """`basis`, `scale` and `gain` as `model.Morphable` takes them. rounded: the basis to int8."""
    if rounded:
        step = basis.abs().amax(1, keepdim=True) / 127
        basis, deviations = (basis / step).round(), deviations * step[:, 0]
    gain = torch.linalg.inv(basis.double() @ basis.double().T).float()
    return {"basis": basis.to(torch.int8) if rounded else basis, "scale": deviations, "gain": gain}
