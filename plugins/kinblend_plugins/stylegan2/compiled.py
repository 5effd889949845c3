"""The generator through `torch.compile`: layer by layer, fused by the compiler instead of by `strips`.

On processors it takes longer than the strips do, and its first picture takes seconds; it is an option for those who
want to know on their own device.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from kinblend.errors import UsageError

if TYPE_CHECKING:
    from kinblend_plugins.stylegan2.generator import Generator

Draw = Callable[[Tensor, Sequence[Tensor | None], int | None], Tensor]


def compiled(generator: Generator) -> Draw:
    """What `generator` does, compiled when it is first called, and again for every new size, batch and precision.

    Where a gradient could be asked for, the generator itself is called. Raises `UsageError` where there is no C++
    compiler, or where it fails.
    """
    if shutil.which(name := _compiler()) is None:
        raise UsageError(f"compile needs a C++ compiler, and there is no {name}: install one, or leave compile out")
    quick = torch.compile(generator.layered, dynamic=False)

    def draw(codes: Tensor, noises: Sequence[Tensor | None], size: int | None = None) -> Tensor:
        if generator.is_watched(codes, *noises):
            result: Tensor = generator(codes, noises, size)
            return result
        try:
            return quick(codes, noises, size)
        except torch._dynamo.exc.BackendCompilerFailed as error:
            raise UsageError(f"{_compiler()} can't compile the generator; leave compile out") from error

    return draw


def _compiler() -> str:
    """The one that torch takes."""
    return os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")
