"""How the layers of a StyleGAN3 are sampled: what its tensors don't tell, and a pack keeps among its settings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kinblend.errors import CheckpointError

MAX_SIZE, MIN_SIZE = 1024, 16  # px of pictures
MAX_MARGIN = 64  # px beyond each edge
MAX_FACTOR = 8  # of up- and downsampling
MAX_LAYERS = 64


@dataclass(frozen=True)
class Sampling:
    """size: side of a layer's output, in pixels. up, down: factors around its leaky ReLU."""

    size: int
    up: int
    down: int


@dataclass(frozen=True)
class Geometry:
    """What a StyleGAN3 is beside its tensors.

    rate: pixels per picture of the input, which is larger by a margin. bandwidth: of its frequencies, in cycles per
    picture. clamp: the most that a value may be after a layer's leaky ReLU; None for no limit. scale: of the picture.
    """

    rate: int
    bandwidth: float
    layers: tuple[Sampling, ...]
    clamp: float | None = 256.0
    scale: float = 0.25

    @property
    def resolution(self) -> int:
        """Side of the pictures, in pixels."""
        return self.layers[-1].size

    def input_size(self, index: int) -> int:
        """Side of a layer's input, in pixels; the Fourier features are as large as the first layer's output."""
        return self.layers[max(index - 1, 0)].size

    def rates(self) -> list[int]:
        """Sampling rates, in pixels per picture: of the input, then of each layer's output."""
        rates = [self.rate]
        for layer in self.layers:
            rates.append(rates[-1] * layer.up // layer.down)
        return rates

    def check(self) -> Geometry:
        """Itself. Raises `CheckpointError` where no StyleGAN3 is sampled so."""
        if not 2 < len(self.layers) <= MAX_LAYERS:
            raise CheckpointError(f"has {len(self.layers)} layers; 3 to {MAX_LAYERS} are read")
        if self.resolution not in [2**power for power in range(4, 11)]:
            raise CheckpointError(f"makes pictures of {self.resolution} px; {MIN_SIZE}, 32, 64 … {MAX_SIZE} are read")
        known = range(1, MAX_FACTOR + 1)
        if wrong := [layer for layer in self.layers if layer.up not in known or layer.down not in known]:
            raise CheckpointError(f"resamples a layer by {wrong[0].up}/{wrong[0].down}; 1 to {MAX_FACTOR} are read")
        rates = self.rates()
        for index, layer in enumerate(self.layers):
            if rates[index] * layer.up != rates[index + 1] * layer.down:
                raise CheckpointError(f"resamples its layer {index} by {layer.up}/{layer.down}, which can't be")
            if not 0 <= layer.size - rates[index + 1] <= 2 * MAX_MARGIN:
                raise CheckpointError(f"has a layer {index} of {layer.size} px at {rates[index + 1]} px per picture")
        if not all(map(math.isfinite, (self.scale, 0.0 if self.clamp is None else self.clamp))):
            raise CheckpointError(f"scales its pictures by {self.scale} and clamps at {self.clamp}, which can't be")
        if not 0 < self.bandwidth < self.rate / 2:
            raise CheckpointError(f"has an input of bandwidth {self.bandwidth} at {self.rate} px per picture")
        return self

    def settings(self) -> dict[str, Any]:
        """For a pack's description: what `from_settings` reads."""
        layers = [[layer.size, layer.up, layer.down] for layer in self.layers]
        return {
            "rate": self.rate,
            "bandwidth": self.bandwidth,
            "layers": layers,
            "conv_clamp": self.clamp,
            "scale": self.scale,
        }


def from_settings(settings: Mapping[str, Any]) -> Geometry:
    """What a pack's description holds. Raises `CheckpointError` where that is no geometry."""
    try:
        layers = tuple(Sampling(*map(int, layer)) for layer in settings["layers"])
        clamp = settings.get("conv_clamp")
        found = Geometry(
            int(settings["rate"]),
            float(settings["bandwidth"]),
            layers,
            None if clamp is None else float(clamp),
            float(settings["scale"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(
            f"the pack's settings don't say how its StyleGAN3 is sampled ({error}); import its checkpoint again"
        ) from error
    return found.check()
