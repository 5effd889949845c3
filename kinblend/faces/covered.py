"""What hides a face: masks, hands, sunglasses, hair; lids over the eyes; a tongue over the chin.

A small network looks at what dlib's identity network sees on its way (its first three stages) and says for each of
17 × 17 places how sure something covers it. `benchmarks/covered.py` trained it on synthetic faces with things painted
over them, and has its figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor

WEIGHTS = Path(__file__).parent / "covered.safetensors"
CELLS, CELL, FIRST = 17, 8, 5  # places in a row; px of a chip to each; where the first one begins
# From which share of a part's places it counts as covered: above what ordinary faces have, `benchmarks/covered.py`.
LIMITS = {"eyes": 0.4, "nose": 0.45, "mouth": 0.35, "chin": 0.85}
BELOW_MOUTH = 0.35  # the chin's, where the mouth is covered, too; alone it may as well be a beard
LIDS, TONGUE = 0.13, 0.6
STEEP = 3.0  # how fast a share becomes sure around its limit


@dataclass(frozen=True)
class Covers:
    """How sure it is, in [0, 1], that something hides each part of a face, the eyes are closed, the tongue is out."""

    occlusion: Mapping[str, float]
    eyes_closed: float
    tongue_out: float


def see_covers(crop: Image, points: NDArray[Any]) -> Covers:
    """What hides the face in an RGB crop in FFHQ geometry. points: its landmarks in pixels of the crop, [68, 2]."""
    maps, places = cover_maps([crop])[0], parts(points, crop.width)
    covered, lids, tongue = maps
    shares = {
        "eyes": max(_share(covered, places["right eye"]), _share(covered, places["left eye"])),
        **{part: _share(covered, places[part]) for part in ("nose", "mouth", "chin")},
    }
    closed = (_share(lids, places["right eye"]) + _share(lids, places["left eye"])) / 2
    out = _share(tongue, places["mouth"] | places["chin"], 0.25)
    limits = LIMITS if shares["mouth"] < LIMITS["mouth"] else LIMITS | {"chin": BELOW_MOUTH}
    occlusion = {part: _sure(share, limits[part]) for part, share in shares.items()}
    return Covers(occlusion, _sure(closed, LIDS), _sure(out, TONGUE))


def cover_maps(crops: list[Image]) -> NDArray[Any]:
    """How sure each place of square RGB crops is covered, a lid over an eye, a tongue: [n, 3, 17, 17] in [0, 1]."""
    import torch

    from kinblend.identity import chips
    from kinblend.imaging import to_batch

    with torch.inference_mode():
        fine, coarse = features(chips(to_batch(crops)))
        maps: NDArray[Any] = torch.sigmoid(_network()(fine, coarse)).numpy()
    return maps


def features(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """What the network looks at, of chips [n, 3, 150, 150] in [−1, 1]: [n, 134, 17, 17] and [n, 128, 8, 8]."""
    import torch
    from torch.nn import functional as F

    from kinblend.identity import identity_network

    first, second, third = identity_network().stages(pictures, 3)
    inside = pictures[..., FIRST : FIRST + CELLS * CELL, FIRST : FIRST + CELLS * CELL]
    mean = F.avg_pool2d(inside, CELL)
    spread = (F.avg_pool2d(inside.square(), CELL) - mean.square()).clamp_min(0).sqrt()
    pooled = F.avg_pool2d(first, 3, 2), F.max_pool2d(first, 3, 2)
    return torch.cat([*pooled, second, mean, spread], dim=1), third


def parts(points: NDArray[Any], side: int) -> dict[str, NDArray[Any]]:
    """Which places belong to each part of a face: bool [17, 17]. points: landmarks in pixels of a crop of `side`."""
    import numpy as np

    eyes = float(np.hypot(*(points[36:42].mean(0) - points[42:48].mean(0))))
    low_lip, chin = points[57], points[8]
    return {
        "right eye": _inside(points[36:42], 0.1 * eyes, side),
        "left eye": _inside(points[42:48], 0.1 * eyes, side),
        "nose": _inside(points[28:36], 0.0, side),
        "mouth": _inside(points[48:60], 0.04 * eyes, side),
        "chin": _inside(np.stack([points[7], points[9], low_lip + (chin - low_lip) * 0.2]), 0.0, side),
    }


def _inside(points: NDArray[Any], more: float, side: int) -> NDArray[Any]:
    """The places whose middle lies in the box around some points; the nearest one at least."""
    import numpy as np

    low, high = _places(points.min(0) - more, side), _places(points.max(0) + more, side)
    low = np.minimum(low, np.floor((low + high) / 2))
    places = np.arange(CELLS)
    across, down = ((places >= low[axis]) & (places <= high[axis]) for axis in (0, 1))
    if not across.any() or not down.any():
        middle = np.clip(np.rint((low + high) / 2), 0, CELLS - 1)
        across, down = places == middle[0], places == middle[1]
    found: NDArray[Any] = down[:, None] & across[None, :]
    return found


def _places(points: NDArray[Any], side: int) -> NDArray[Any]:
    """Pixels of a crop → places in the map, parts of them too."""
    import numpy as np

    from kinblend.identity import CHIP, SIDE
    from kinblend.identity.crops import CENTRE

    chip = ((points + 0.5) / side - (np.array(CENTRE) - SIDE / 2)) / SIDE * CHIP
    found: NDArray[Any] = (chip - FIRST) / CELL - 0.5
    return found


def _share(values: NDArray[Any], where: NDArray[Any], top: float = 0.5) -> float:
    """The mean of the highest share of the values there."""
    import numpy as np

    chosen = np.sort(values[where])[::-1]
    return float(chosen[: max(1, round(top * len(chosen)))].mean())


def _sure(share: float, limit: float) -> float:
    """A share as how sure it is: 0.5 at its limit."""
    return float(share**STEEP / (share**STEEP + limit**STEEP))


@cache
def _network() -> Any:
    import torch

    from kinblend.faces.cover_network import CoverNetwork
    from kinblend.tensor_files import load_file

    with torch.inference_mode(False):
        network = CoverNetwork()
        network.load_state_dict({name: value.float() for name, value in load_file(WEIGHTS).items()})
        return network.eval().requires_grad_(False)
