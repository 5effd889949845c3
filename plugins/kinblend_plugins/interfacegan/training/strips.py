"""Pictures of what directions do: a strip for each, from much less to much more."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from PIL import Image
from torch import Tensor

from kinblend import Backbone, Latent
from kinblend.files import replacing

STRENGTHS = (-3.0, -1.5, 0.0, 1.5, 3.0)
SIDE = 224  # px of a picture

Move = Callable[[str, Tensor, float], Tensor]  # attribute, code [L, D], strength → code


def write_strips(backbone: Backbone, names: Sequence[str], move: Move, codes: Tensor, folder: Path) -> list[Path]:
    """A PNG for each direction: a row for each of some codes [n, L, D], moved from −3 to +3. Returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name in names:
        strip = Image.new("RGB", (SIDE * len(STRENGTHS), SIDE * len(codes)))
        for row, code in enumerate(codes):
            moved = [Latent(move(name, code, strength).clone(), backbone.space) for strength in STRENGTHS]
            for column, picture in enumerate(backbone.render(moved, size=SIDE)):
                strip.paste(picture.resize((SIDE, SIDE), Image.Resampling.LANCZOS), (column * SIDE, row * SIDE))
        paths.append(folder / f"{name}.png")
        with replacing(paths[-1]) as part:
            strip.save(part, format="png")
    return paths


def straight(steps: Mapping[str, Tensor]) -> Move:
    """Moves codes by steps [L, D]."""
    return lambda name, code, strength: code + strength * steps[name]


def folder_of(out: Path) -> Path:
    """Where the pictures of a file of directions go: a folder beside it, of its name."""
    return out.with_suffix("")
