"""What tests share: a latent space and latents drawn from a seed."""

import contextlib
import gc
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy
import pytest
import torch
from plugin_site import here
from published_checkpoints import write_e4e
from recipes import cases, state_dict

from kinblend import Latent, LatentSpace
from kinblend.files import locked
from kinblend.web.malloc import trim

# It takes the place of distutils, which torch's compiler asks for, and warns where that was imported before.
with contextlib.suppress(ImportError):
    import setuptools  # noqa: F401

# Whatever packs a developer has pulled: tests that name no backbone mean the embedded one.
os.environ.setdefault("KINBLEND_BACKBONE", "morphable")

# A shell that starts the tests in the background has them ignore Ctrl-C, and so the processes that they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_runtest_setup() -> None:
    """Each test draws the same numbers in every run, whichever ran before it; so do its module's fixtures."""
    torch.manual_seed(0)
    numpy.random.seed(0)
    random.seed(0)


def pytest_collection_finish() -> None:
    """Modules and collected tests live to the end: Python need not look for cycles among a million objects again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="module")
def freed_memory() -> Iterator[None]:
    """A module's networks leave the process with it: glibc keeps their pages else, gigabytes of them."""
    yield
    gc.collect()
    trim()


@pytest.fixture
def space() -> LatentSpace:
    return LatentSpace("test", 6, 512, "ab" * 32)


@pytest.fixture(scope="session")
def e4e_pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pack imported by the command from a made-up checkpoint of encoder4editing at 256 px, under the name of its
    file; one for all processes of a run. Nobody writes into it."""
    folder = tmp_path_factory.getbasetemp()
    shared = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "e4e-256"
    with locked(shared.with_name("e4e-256-lock")):
        if not (shared / "packs" / "e4e-256").is_dir():
            checkpoint = shared.with_suffix(".pt")
            write_e4e(checkpoint, state_dict("e4e_256"), cases("e4e_256")["latent_avg"])
            code, _, error = here("models", "import", checkpoint, KINBLEND_HOME=shared)
            assert code == 0, error
            checkpoint.unlink()
    return shared / "packs" / "e4e-256"


@pytest.fixture
def latent(space: LatentSpace) -> Latent:
    generator = torch.Generator().manual_seed(7)
    code = torch.randn(space.layers, space.dim, generator=generator)
    return Latent(code, space, {"residual": torch.randint(0, 255, (3, 4, 4), generator=generator, dtype=torch.uint8)})
