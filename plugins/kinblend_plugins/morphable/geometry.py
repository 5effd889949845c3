"""Where points lie, and warps between shapes.

Coordinates are (x, y) in units of the crop's side, 0 at its left or top edge, 1 at the other. A warp is a
thin-plate spline (Bookstein 1989), smooth and without creases, evaluated on a coarse grid of nodes and
interpolated from there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import ParamSpec, TypeVar, cast

import torch
from torch import Tensor
from torch.nn import functional as F

Given = ParamSpec("Given")
Made = TypeVar("Made")

POINTS = 63  # of a shape
NODES = 64  # nodes of the coarse grid on each side, for pictures of any size; half of them do under 256 px
BORDER = 0.12  # of the side: within it a background comes to rest
SMOOTHING = 1e-4  # lets points that touch stay unfolded; an affine warp remains exact

BROWS, NOSE, EYES, MOUTH = slice(17, 27), slice(27, 36), slice(36, 48), slice(48, 63)
# Each point's partner on the other side of the face.
PARTNERS = (
    *range(16, -1, -1),
    *range(26, 16, -1),
    *(27, 28, 29, 30, 35, 34, 33, 32, 31),
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),
    *(54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55),
    *(62, 61, 60),
)


def _kept(make: Callable[Given, Made]) -> Callable[Given, Made]:
    """Made once; and outside of inference mode, for later it may have to be differentiated through."""
    return cast("Callable[Given, Made]", cache(torch.inference_mode(False)(make)))


def shape_of(landmarks: Tensor) -> Tensor:
    """The 68 landmarks [..., 68, 2] → the points a shape is made of, [..., 63, 2].

    Of the inner lips only the line between them counts. Whether a mouth is open is then a matter of texture: warped
    by its lips, the dark line of a closed mouth would be torn into a hole wherever the other face's lips stand apart.
    """
    between = (landmarks[..., [61, 62, 63], :] + landmarks[..., [67, 66, 65], :]) / 2
    return torch.cat([landmarks[..., :60, :], between], dim=-2)


def mirrored(points: Tensor) -> Tensor:
    """The points of the picture seen in a mirror, [..., 63, 2]."""
    swapped = points[..., list(PARTNERS), :]
    return torch.stack([1 - swapped[..., 0], swapped[..., 1]], dim=-1)


@_kept
def extension() -> Tensor:
    """The points that follow from a shape's: ten on the forehead and 15 round the head.

    Returns float64 [25, 63]: each row weights the points and sums to one.
    """
    eye = torch.eye(POINTS, dtype=torch.float64)
    forehead = eye[BROWS] + 0.62 * (eye[BROWS].mean(0) - eye[33])
    centre = eye[27:31].mean(0)
    around = torch.cat([eye[0:17:2], forehead[[0, 2, 4, 5, 7, 9]]])
    return torch.cat([forehead, around + 0.45 * (around - centre)])


@_kept
def border() -> Tensor:
    """Fixed points a little outside of the picture, float64 [16, 2]."""
    t = torch.linspace(-0.1, 1.1, 5, dtype=torch.float64)[:-1]
    low, high = torch.full_like(t, -0.1), torch.full_like(t, 1.1)
    sides = [(t, low), (high, t), (1 - t, high), (low, 1 - t)]
    return torch.cat([torch.stack(side, dim=1) for side in sides])


def control_points(shape: Tensor) -> Tensor:
    """All points that steer a warp: float [..., 63, 2] → [..., 104, 2]."""
    more = extension().to(shape) @ shape
    fixed = border().to(shape).expand(*shape.shape[:-2], -1, -1)
    return torch.cat([shape, more, fixed], dim=-2)


def outline(shape: Tensor) -> Tensor:
    """The face's outline: the jaw, then the forehead from right to left. [..., 63, 2] → [..., 27, 2]."""
    forehead = extension()[:10].to(shape) @ shape
    return torch.cat([shape[..., :17, :], forehead.flip(-2)], dim=-2)


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    across, down = (a[..., :, None, i] - b[..., None, :, i] for i in range(2))
    squared = across.square() + down.square()
    return squared * (squared + 1e-12).log()


def _affine(points: Tensor) -> Tensor:
    return torch.cat([torch.ones_like(points[..., :1]), points], dim=-1)


def spline(source: Tensor, target: Tensor, at: Tensor) -> Tensor:
    """The thin-plate spline that takes `source` to `target`, evaluated at `at`.

    source: float [..., N, 2]. target: [..., N, k], any k values a point. at: [M, 2]. Returns float64 [..., M, k].
    Differentiable; solved in float64.
    """
    source, target, at = source.double(), target.double(), at.double().to(source.device)
    n = source.shape[-2]
    top = torch.cat([_kernel(source, source) + SMOOTHING * torch.eye(n).to(source), _affine(source)], dim=-1)
    bottom = torch.cat([_affine(source).mT, source.new_zeros(*source.shape[:-2], 3, 3)], dim=-1)
    values = torch.cat([target, target.new_zeros(*target.shape[:-2], 3, target.shape[-1])], dim=-2)
    weights = torch.linalg.solve(torch.cat([top, bottom], dim=-2), values)
    result: Tensor = (
        torch.cat([_kernel(at, source), _affine(at).expand(*source.shape[:-2], -1, -1)], dim=-1) @ weights
    )
    return result


@_kept
def nodes(size: int | None = None) -> Tensor:
    """The coarse grid over a picture of `size` pixels, edges included: float64 [nodes, 2]."""
    count = NODES if size is None or size > 256 else NODES // 2
    return _square(torch.linspace(0, 1, count, dtype=torch.float64))


def centres(size: int, start: float = 0.0, side: float = 1.0) -> Tensor:
    """Centres of the pixels of a raster along one of its sides: float64 [size]."""
    return start + (torch.arange(size, dtype=torch.float64) + 0.5) / size * side


def pixel_centres(size: int) -> Tensor:
    """Centres of the pixels of a whole picture: float64 [size, size, 2]."""
    return _square(centres(size)).view(size, size, 2)


def _square(steps: Tensor) -> Tensor:
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    return torch.stack([x, y], dim=-1).view(-1, 2)


def refine(values: Tensor, size: int, corner: tuple[float, float] = (0.0, 0.0), side: float = 1.0) -> Tensor:
    """Values on the nodes, float [n, nodes, k], at the pixels of a square raster: float32 [n, size, size, k].

    corner, side: of the raster, in the picture that the nodes lie over. Linear between nodes, constant beyond.
    """
    count = round(values.shape[1] ** 0.5)
    grid = values.float().view(len(values), count, count, -1)
    across, down = (_between(count, size, start, side).to(grid) for start in corner)
    rows = torch.einsum("yi,nijk->nyjk", down, grid)
    return torch.einsum("xj,nyjk->nyxk", across, rows)


@_kept
def _between(count: int, size: int, start: float, side: float) -> Tensor:
    """How much of each node a pixel gets along one side: float32 [size, count], two neighbours in each row."""
    place = (centres(size, start, side).clamp(0, 1) * (count - 1))[:, None]
    return (1 - (place - torch.arange(count)).abs()).clamp(min=0).float()


def held_at_border(at: Tensor) -> Tensor:
    """A map of a whole picture, [n, R, R, 2], made to leave the border where it is: it never looks outside."""
    home, inside = (x.to(at.device) for x in _border_of(at.shape[1]))
    return torch.lerp(home, at, inside)


@_kept
def _border_of(size: int) -> tuple[Tensor, Tensor]:
    """Where pixels are, float32 [size, size, 2], and how freely they move, [size, size, 1] in [0, 1]."""
    home = pixel_centres(size)
    inside = (torch.minimum(home, 1 - home).amin(-1, keepdim=True) / BORDER).clamp(0, 1)
    return home.float(), (inside.square() * (3 - 2 * inside)).float()


def sample(pictures: Tensor, at: Tensor, mode: str = "bicubic") -> Tensor:
    """Pictures float32 [n, c, S, S] at points [n, H, W, 2] in units of their side: [n, c, H, W]."""
    return F.grid_sample(pictures, at.float() * 2 - 1, mode=mode, padding_mode="border", align_corners=False)
