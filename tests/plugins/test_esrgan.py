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


def weights(names: str) -> dict[str, torch.Tensor]:
    """A network of one block, by the names of 2019 or of 2018."""
    shapes = {
        "conv_first": (WIDTH, 3),
        "trunk_conv": (WIDTH, WIDTH),
        "upconv1": (WIDTH, WIDTH),
        "upconv2": (WIDTH, WIDTH),
        "HRconv": (WIDTH, WIDTH),
        "conv_last": (3, WIDTH),
    }
    shapes = {OLD[name] if names == "2018" else name: shape for name, shape in shapes.items()}
    for dense in (1, 2, 3):
        for layer in range(1, 6):
            sizes = (WIDTH if layer == 5 else GROWTH, WIDTH + (layer - 1) * GROWTH)
            new, old = f"RRDB_trunk.0.RDB{dense}.conv{layer}", f"model.1.sub.0.RDB{dense}.conv{layer}.0"
            shapes[old if names == "2018" else new] = sizes
    draw, made = torch.Generator().manual_seed(1), {}
    for name, (outputs, inputs) in sorted(shapes.items(), key=lambda item: item[1]):
        made[f"{name}.weight"] = 0.1 * torch.randn(outputs, inputs, 3, 3, generator=draw)
        made[f"{name}.bias"] = torch.zeros(outputs)
    return made


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("KINBLEND_HOME", str(tmp_path))
    (tmp_path / "upscalers").mkdir()
    return tmp_path / "upscalers" / FILE


@pytest.mark.parametrize("names", ["2018", "2019"])
def test_pictures_are_four_times_as_large_whatever_the_layers_are_called(place: Path, names: str) -> None:
    torch.save(weights(names), place)
    small = Image.effect_noise((12, 9), 60).convert("RGB")
    [large] = Esrgan().upscale([small])
    assert large.size == (48, 36)
    assert len(large.getcolors(48 * 36) or []) > 50


def test_what_is_missing_or_no_esrgan_is_said(place: Path) -> None:
    with pytest.raises(ModelError, match=r"needs RRDB_ESRGAN_x4\.pth at .*put it there"):
        Esrgan()
    for content in ({"layer.weight": torch.zeros(2, 2)}, [1, 2]):
        torch.save(content, place)
        with pytest.raises(ModelError, match="no network that spandrel knows"):
            Esrgan()
    twice = {name: value for name, value in weights("2019").items() if not name.startswith("upconv2")}
    torch.save(twice, place)
    with pytest.raises(ModelError, match="enlarges 2 times"):
        Esrgan()
    place.write_bytes(b"no checkpoint")
    with pytest.raises(ModelError):
        Esrgan()
