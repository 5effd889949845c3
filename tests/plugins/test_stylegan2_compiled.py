"""The generator through `torch.compile` gives the pictures it gives without; where nothing compiles, it says so."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from plugin_site import Site
from published_checkpoints import toy
from safetensors.torch import save_file
from torch._inductor import config as inductor

from kinblend import DevicePool, Latent, load_backbone
from kinblend.errors import UsageError
from kinblend.packs import write_description
from kinblend_plugins.stylegan2.compiled import _compiler
from kinblend_plugins.stylegan2.names import to_nvidia

needs_a_compiler = pytest.mark.skipif(shutil.which(_compiler()) is None, reason="there is no C++ compiler")


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, generator = tmp_path_factory.mktemp("toy"), toy(8, 8)
    save_file(to_nvidia(generator.state_dict()), folder / "generator.safetensors")
    description = {"name": "toy", "encoder": None, "projector": "stylegan2", "generator": "generator.safetensors"}
    sizes = {"layers": generator.layers, "dim": generator.dim, "resolution": 8}
    write_description(folder, description | sizes, ["generator.safetensors"])
    return folder


@needs_a_compiler
@pytest.mark.slow  # a C++ compiler works for seconds on every size and batch
@pytest.mark.filterwarnings(
    "ignore:.*torch.jit:DeprecationWarning", "ignore:The distutils package"
)  # of torch, by torch
def test_compiled_pictures_are_the_same(pack: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(inductor, "compile_threads", 1)  # others would be processes for kernels of a GPU
    plain = load_backbone(pack)
    quick = load_backbone(pack, DevicePool(), projector_options={"compile": True})
    codes = torch.randn(2, plain.space.layers, plain.space.dim, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():  # one at a time, as `render` does: compiled for one batch
        found, expected = (
            torch.cat([backbone.projector.synthesize(code[None]) for code in codes]) for backbone in (quick, plain)
        )
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=0)
    assert list(tmp_path.rglob("*.cpp"))  # it was compiled
    latents = [Latent(code, plain.space) for code in codes]
    for one, other in zip(plain.render(latents), quick.render(latents), strict=True):
        assert np.abs(np.asarray(one, dtype=int) - np.asarray(other, dtype=int)).max() <= 1
    leaves = [codes.clone().requires_grad_() for _ in range(2)]
    for backbone, leaf in zip((quick, plain), leaves, strict=True):
        backbone.projector.synthesize(leaf).square().sum().backward()
    torch.testing.assert_close(leaves[0].grad, leaves[1].grad, atol=1e-2, rtol=1e-3)
    assert float(leaves[0].grad.abs().max()) > 0


def test_without_a_compiler_it_says_what_to_do(pack: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(UsageError, match="no no-such-compiler: install one, or leave compile out"):
        _ = load_backbone(pack, projector_options={"compile": True}).projector
    assert load_backbone(pack, projector_options={"compile": False}).projector.resolution == 8


def test_a_compiler_that_fails_is_one_line(pack: Path, tmp_path: Path) -> None:
    site = Site(tmp_path)
    (tmp_path / "broken").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "broken").chmod(0o755)
    words = ["bench", "--backbone", pack, "--step", "synthesize", "--set", "projector.compile=true"]
    done = site.kinblend(*words, CXX=str(tmp_path / "broken"), TORCHINDUCTOR_CACHE_DIR=str(tmp_path / "cache"))
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "can't compile the generator; leave compile out" in done.stderr
