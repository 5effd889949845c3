"""What a training is told: one list of options for the command line, the plugin's model and the checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from kinblend.errors import OptionError

ARCHITECTURE = ("resolution", "width", "taper", "depth", "dim")  # what a checkpoint can't change
PRECISIONS = ("auto", "fp32", "bf16")
IDENTITIES = ("auto", "on", "off")


def option(default: Any, meaning: str, low: float = -math.inf, high: float = math.inf) -> Any:
    """A field with its meaning and the range it must lie in."""
    return field(default=default, metadata={"help": meaning, "low": low, "high": high})


@dataclass(frozen=True)
class Recipe:
    """The options of a training. Raises `OptionError` that names the one out of range."""

    faces: Path = field(metadata={"help": "zip of aligned faces with an index.csv (file, split)"})
    minutes: float = option(60.0, "ends after this time; 0 only writes the pack of the last checkpoint", 0)
    images: int = option(25_000_000, "ends after this many faces were seen, over all runs", 0)
    resolution: int = option(64, "side of the pictures in px: 16, 32, 64, 128, 256, 512", 16, 512)
    width: int = option(128, "most channels a layer has", 4)
    taper: int = option(4096, "a layer at R px has at most taper / R channels", 64)
    depth: int = option(4, "layers of the mapping network", 1)
    dim: int = option(512, "dimensions of a layer's code; other strategies' weights expect 512", 8)
    batch: int = option(16, "faces at a time", 2)
    rate: float = option(0.002, "Adam's learning rate", 0)
    warmup: int = option(100, "steps in which the rate rises after the optimisers start afresh", 1)
    seed: int = option(0, "of weights, order, noise and augmentation", 0)
    device: str = option("auto", "auto, cpu, cuda, cuda:N")
    devices: str = option("1", "how many devices share each batch, or their names: cuda:0,cuda:1")
    precision: str = option("auto", "auto (bf16 on CUDA, else fp32), fp32, bf16")
    mirror: bool = option(True, "show half of the faces mirrored")
    blends: float = option(0.5, "blends of two random parents in a batch, as a share of its faces", 0, 4)
    samples: float = option(0.25, "random samples in a batch, as a share of its faces", 0, 4)
    pixel: float = option(5.0, "weight of the difference of pixels", 0)
    adversarial: float = option(0.5, "weight of the adversarial loss", 0)
    identity: str = option("auto", "auto (where dlib's network is found), on, off")
    identity_file: Path | None = option(None, "dlib_face_recognition_resnet_model_v1.dat, if not installed")  # noqa: RUF009
    identity_weight: float = option(0.5, "weight of the identity loss", 0)
    identity_every: int = option(4, "steps from one identity loss to the next", 1)
    delta: float = option(2e-4, "weight of the size of the steps away from the first layer's code", 0)
    delta_start: int = option(8_000, "faces seen before the second layer may leave the first one's code", 0)
    delta_every: int = option(1_000, "faces seen until one layer more may leave it", 1)
    r1: float = option(1.0, "gamma of the R1 penalty", 0)
    r1_every: int = option(16, "steps from one R1 penalty to the next", 1)
    ada_target: float = option(0.6, "share of right signs (−1 to 1) on real faces that augmentation aims at", -1, 1)
    ada_images: int = option(100_000, "faces in which the augmentation's probability can rise from 0 to 1", 1)
    path_length: float = option(0.0, "weight of the path-length penalty; 0 leaves it out", 0)
    path_every: int = option(8, "steps from one path-length penalty to the next", 1)
    average_images: int = option(10_000, "half-life of the running average of the weights, in faces", 1)
    checkpoint_minutes: float = option(1.0, "from one checkpoint to the next; 0: after every step", 0)
    sheet_minutes: float = option(5.0, "from one sheet of samples and measurement to the next", 0)
    moments: bool = option(True, "keep the optimisers' moments in checkpoints; without, they warm up again")
    name: str = option("compact", "of the backbone in the pack")

    def __post_init__(self) -> None:
        for entry in fields(self):
            value, low, high = getattr(self, entry.name), *_range(entry.metadata)
            if isinstance(value, int | float) and not low <= value <= high:
                most = f" and at most {high:g}" if high < math.inf else ""
                raise OptionError(f"{entry.name}={value}: give at least {low:g}{most}")
        if self.resolution & (self.resolution - 1):
            raise OptionError(f"resolution={self.resolution}: give 16, 32, 64, 128, 256 or 512")
        for name, allowed in (("precision", PRECISIONS), ("identity", IDENTITIES)):
            if getattr(self, name) not in allowed:
                raise OptionError(f"{name}={getattr(self, name)!r}: use {', '.join(allowed)}")

    @property
    def widths(self) -> list[int]:
        """Channels at 4, 8, 16 … px."""
        sizes = [4 << step for step in range(self.resolution.bit_length() - 2)]
        return [max(4, min(self.width, self.taper // size)) for size in sizes]

    @property
    def layers(self) -> int:
        """Of a code."""
        return 2 * len(self.widths)

    def steps_allowed(self, seen: int) -> int:
        """How many layers may leave the first one's code after `seen` faces: Tov et al. (2021), section 4.1."""
        return max(0, min(self.layers - 1, 1 + (seen - self.delta_start) // self.delta_every))

    def architecture(self) -> dict[str, int]:
        """What a checkpoint fixes."""
        return {name: getattr(self, name) for name in ARCHITECTURE}

    def record(self) -> dict[str, Any]:
        """Every option, as JSON has them; the faces by their file's name alone."""
        values = asdict(self)
        return values | {"faces": self.faces.name, "identity_file": self.identity_file and self.identity_file.name}


def _range(metadata: Mapping[str, Any]) -> tuple[float, float]:
    return metadata.get("low", -math.inf), metadata.get("high", math.inf)
