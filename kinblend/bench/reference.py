"""Another implementation of a backbone's networks, measured beside ours."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.backbone import Backbone
from kinblend.bench.timing import Work, measure
from kinblend.errors import UsageError, summarize

if TYPE_CHECKING:
    from torch import Tensor


class Reference:
    """What another implementation, a module or an object, makes of a pack.

    It has `synthesize(pack)`, and may have `encode(pack)`: each takes the `kinblend.packs.Pack` and returns a
    function, of codes [n, L, D] → pictures [n, 3, R, R] and of faces [n, 3, S, S] → codes. It may have
    `codes(backbone)`, which chooses the codes. It runs in fp32, on the processor, in this process, its calls in
    turn with ours.
    """

    def __init__(self, implementation: Any) -> None:
        self._module = implementation

    @classmethod
    def from_file(cls, path: Path) -> Reference:
        """The Python file that the user names. Raises `UsageError` where it won't do."""
        spec = importlib.util.spec_from_file_location("kinblend_rival", path) if path.is_file() else None
        if spec is None or spec.loader is None:
            raise UsageError(f"{path} is no Python file; --against takes one with a function synthesize(pack)")
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except Exception as error:
            raise UsageError(f"{path} fails: {summarize(error)}") from error
        if not hasattr(module, "synthesize"):
            raise UsageError(f"{path} has no function synthesize(pack)")
        return cls(module)

    def compare(self, backbone: Backbone, rounds: int, precision: str) -> list[dict[str, Any]]:
        """Seconds of both, how many times as long the other takes, and by how much the results differ."""
        pool, projector = backbone.pool, backbone.projector
        codes = getattr(self._module, "codes", _codes)(backbone)
        theirs: Callable[[Tensor], Tensor] = self._module.synthesize(backbone.pack)
        found = []
        with pool, pool.lease(projector.module, "projector"):
            ours = partial(projector.synthesize, codes)
            found.append({"step": "synthesize"} | _compared(ours, partial(theirs, codes), rounds, pool.memory))
        if hasattr(self._module, "encode") and backbone.pack.description["encoder"] is not None:
            found += self._both(backbone, rounds, theirs)
        return [case | {"precision": precision, "size": projector.resolution} for case in found]

    def _both(self, backbone: Backbone, rounds: int, theirs: Callable[[Tensor], Tensor]) -> list[dict[str, Any]]:
        """The encoder on two faces, and the way from two faces to a child."""
        import torch

        encoder, projector, pool = backbone.encoder, backbone.projector, backbone.pool
        size = encoder.input_size
        faces = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
        encode: Callable[[Tensor], Tensor] = self._module.encode(backbone.pack)

        def child() -> Tensor:
            with pool.lease(encoder.module, "encoder"):
                codes = encoder.encode(faces)
            with pool.lease(projector.module, "projector"):
                return projector.synthesize(codes.mean(dim=0, keepdim=True))

        def apart() -> Tensor:
            return torch.cat([encode(face[None]) for face in faces])

        def their_child() -> Tensor:
            return theirs(apart().mean(dim=0, keepdim=True))

        with pool:
            with pool.lease(encoder.module, "encoder"):
                first = _compared(partial(encoder.encode, faces), apart, rounds, pool.memory)
            second = _compared(child, their_child, rounds, pool.memory)
        return [{"step": "encode two"} | first, {"step": "two faces to a child"} | second]


def _codes(backbone: Backbone) -> Tensor:
    import torch

    shape = (1, backbone.space.layers, backbone.space.dim)
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def _compared(ours: Work, theirs: Work, rounds: int, memory: Any) -> dict[str, Any]:
    import torch

    with torch.inference_mode():
        mine, other = measure([ours, theirs], rounds, memory)
        found, expected = torch.as_tensor(ours()), torch.as_tensor(theirs())
    error = float((found - expected).square().mean().sqrt())
    return {
        "seconds": mine.seconds,
        "reference_seconds": other.seconds,
        "ratio": other.seconds / mine.seconds,
        "cpu_seconds": mine.cpu_seconds,
        "reference_cpu_seconds": other.cpu_seconds,
        "cpu_ratio": other.cpu_seconds / mine.cpu_seconds,
        "peak_rss": mine.peak_rss,
        "reference_peak_rss": other.peak_rss,
        "largest_difference": float((found - expected).abs().max()),
        "error_to_deviation": error / float(expected.std()),
    }
