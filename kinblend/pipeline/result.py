"""What a run gives, and the files it becomes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.files import atomic_write, check_target
from kinblend.imaging.encode import write_png
from kinblend.pipeline.sheet import sheet
from kinblend.storage.latents import save_latent
from kinblend.types import Latent, WeightMap

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image


@dataclass(frozen=True)
class Parent:
    """One parent as the run saw them: the aligned crop (RGB), its latent, the landmarks in pixels of the crop, and,
    where it was asked for, the picture that the latent alone gives.

    source: the SHA-256 of the photograph, for the manifest. face: which of its faces this is, if one was chosen.
    """

    crop: Image
    latent: Latent
    landmarks: NDArray[Any] | None = None
    reconstruction: Image | None = None
    source: Mapping[str, str] = field(default_factory=dict)
    face: int | None = None


@dataclass(frozen=True)
class UnrenderedChild:
    """A child that is not rendered yet. Fields as in `Child`."""

    latent: Latent
    weight_map: WeightMap | None
    seed: int
    clamped: float = 0.0

    def rendered(self, image: Image) -> Child:
        """The child with its picture."""
        return Child(image, self.latent, self.weight_map, self.seed, self.clamped)


@dataclass(frozen=True)
class Child:
    """One child.

    Args:
        image: its picture, RGB, uint8.
        latent: what the picture was made of.
        weight_map: where the blend is a weighted sum.
        seed: from which everything random of this child was drawn.
        clamped: how far blend and edits had led away from plausible faces before the code was brought back, root mean
            square over its dimensions; 0 where they had not.

    Example:
        >>> import torch
        >>> from PIL import Image
        >>> from kinblend import LatentSpace
        >>> latent = Latent(torch.zeros(4, 512), LatentSpace("toy", 4, 512, "ab" * 32))
        >>> Child(Image.new("RGB", (64, 64)), latent, None, seed=1).clamped
        0.0
    """

    image: Image
    latent: Latent
    weight_map: WeightMap | None
    seed: int
    clamped: float = 0.0


@dataclass(frozen=True)
class Result:
    """The children of one run, their parents, and the manifest: how they came about.

    Args:
        father, mother: the parents as the run saw them.
        children: in the order of their seeds.
        manifest: what `child.json` holds, as JSON has it.

    Example:
        >>> import torch
        >>> from PIL import Image
        >>> from kinblend import LatentSpace
        >>> picture = Image.new("RGB", (64, 64))
        >>> latent = Latent(torch.zeros(4, 512), LatentSpace("toy", 4, 512, "ab" * 32))
        >>> parent = Parent(picture, latent)
        >>> len(Result(parent, parent, [Child(picture, latent, None, 0)], {}).children)
        1
    """

    father: Parent
    mother: Parent
    children: Sequence[Child]
    manifest: dict[str, Any] = field(repr=False)

    def sheet(self) -> Image:
        """One picture: the father, his reconstruction, the mother, hers; below them the children, four in a row."""
        parents = [p for parent in (self.father, self.mother) for p in (parent.crop, parent.reconstruction) if p]
        return sheet(parents + [child.image for child in self.children], columns=len(parents))

    def save(self, folder: str | Path, *, with_sheet: bool = False) -> list[Path]:
        """Write `child.png`, `child.safetensors` and `child.json` (`child-2.png` … for further children), and
        `sheet.png` if asked for. Returns what was written. Raises `OutputError` before anything is."""
        files = files_of(folder, len(self.children), with_sheet=with_sheet)
        for path in files:
            check_target(path)
        for child, picture, latent in zip(self.children, files[::2], files[1::2], strict=False):
            write_png(picture, child.image)
            save_latent(latent, child.latent, child.weight_map)
        manifest = (json.dumps(self.manifest, indent=2, sort_keys=True) + "\n").encode()
        atomic_write(files[2 * len(self.children)], manifest)
        if with_sheet:
            write_png(files[-1], self.sheet())
        return files


def files_of(folder: str | Path, children: int, *, with_sheet: bool = False) -> list[Path]:
    """Where `Result.save` writes: picture and latent of each child, the manifest, and the sheet if asked for."""
    stems = ["child", *(f"child-{number}" for number in range(2, children + 1))]
    names = [f"{stem}{suffix}" for stem in stems for suffix in (".png", ".safetensors")]
    return [Path(folder) / name for name in [*names, "child.json", *(["sheet.png"] if with_sheet else [])]]
