"""What tests share: a latent space and latents drawn from a seed."""

import contextlib
import os
import signal

import pytest
import torch

from kinblend import Latent, LatentSpace

# It takes the place of distutils, which torch's compiler asks for, and warns where that was imported before.
with contextlib.suppress(ImportError):
    import setuptools  # noqa: F401

# Whatever packs a developer has pulled: tests that name no backbone mean the embedded one.
os.environ.setdefault("KINBLEND_BACKBONE", "morphable")

# A shell that starts the tests in the background has them ignore Ctrl-C, and so the processes that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def space() -> LatentSpace:
    return LatentSpace("test", 6, 512, "ab" * 32)


@pytest.fixture
def latent(space: LatentSpace) -> Latent:
    generator = torch.Generator().manual_seed(7)
    code = torch.randn(space.layers, space.dim, generator=generator)
    return Latent(code, space, {"residual": torch.randint(0, 255, (3, 4, 4), generator=generator, dtype=torch.uint8)})
