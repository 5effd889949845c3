"""ESRGAN by a file of weights that the user has put in place; made up here, of one block."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from PIL import Image

from kinblend.errors import ModelError
from kinblend_plugins.upscalers.esrgan import FILE, Esrgan

pytestmark = pytest.mark.skipif(find_spec("spandrel") is None, reason="the extra upscale is not installed")
WIDTH, GROWTH = 4, 32  # spandrel takes no other growth
# The names of 2019 → those of 2018, which the authors' old files have.
OLD = {
    "conv_first": "model.0",
    "trunk_conv": "model.1.sub.1",
    "upconv1": "model.3",
    "upconv2": "model.6",
    "HRconv": "model.8",
    "conv_last": "model.10",
}


def weights() -> dict[str, torch.Tensor]:
    """A network of one block, by the names of 2019."""
    shapes = dict.fromkeys(OLD, (WIDTH, WIDTH)) | {"conv_first": (WIDTH, 3), "conv_last": (3, WIDTH)}
    for dense in (1, 2, 3):
        for layer in range(1, 6):
            sizes = (WIDTH if layer == 5 else GROWTH, WIDTH + (layer - 1) * GROWTH)
            shapes[f"RRDB_trunk.0.RDB{dense}.conv{layer}"] = sizes
    draw, made = torch.Generator().manual_seed(1), {}
    for name, (outputs, inputs) in shapes.items():
        made[f"{name}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=draw) / (9 * inputs) ** 0.5
        made[f"{name}.bias"] = torch.full((outputs,), 0.1)
    return made


def old_name(name: str) -> str:
    """The same layer's name of 2018."""
    stem, _, what = name.rpartition(".")
    if stem in OLD:
        return f"{OLD[stem]}.{what}"
    return f"{stem.replace('RRDB_trunk', 'model.1.sub')}.0.{what}"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("KINBLEND_HOME", str(tmp_path))
    (tmp_path / "upscalers").mkdir()
    return tmp_path / "upscalers" / FILE


def test_pictures_are_four_times_as_large_whatever_the_layers_are_called(place: Path) -> None:
    small, made = Image.effect_noise((12, 9), 60).convert("RGB"), weights()
    found = []
    for state in (made, {old_name(name): value for name, value in made.items()}, {"params_ema": made}):
        torch.save(state, place)
        [large] = Esrgan().upscale([small])
        assert large.size == (48, 36)
        found.append(large.tobytes())
    assert found[0] == found[1] == found[2]
    assert len(set(found[0])) > 10
    assert Esrgan().upscale([]) == []


def test_what_is_missing_or_no_esrgan_is_said(place: Path) -> None:
    with pytest.raises(ModelError, match=r"needs RRDB_ESRGAN_x4\.pth at .*put it there"):
        Esrgan()
    for content in ({"layer.weight": torch.zeros(2, 2)}, [1, 2]):
        torch.save(content, place)
        with pytest.raises(ModelError, match="no network that spandrel knows"):
            Esrgan()
    twice = {name: value for name, value in weights().items() if not name.startswith("upconv2")}
    torch.save(twice, place)
    with pytest.raises(ModelError, match="enlarges 2 times"):
        Esrgan()
    place.write_bytes(b"no checkpoint")
    with pytest.raises(ModelError):
        Esrgan()
