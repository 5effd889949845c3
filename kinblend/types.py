"""The values that travel between plugins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kinblend.errors import LatentShapeError, LatentSpaceError, NonFiniteError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image
    from torch import Tensor


@dataclass(frozen=True)
class LatentSpace:
    """What makes two latents comparable: codes of two spaces are never mixed.

    Args:
        backbone: name of the backbone.
        layers: number of layers; 2 · log2(resolution) − 2 for StyleGAN2.
        dim: dimensions of a layer, 512 for StyleGAN2.
        sha256: of the generator's weights file, 64 hex digits.

    Example:
        >>> str(LatentSpace("toy", 4, 512, "ab" * 32))
        'toy [4, 512] abababababab'
    """

    backbone: str
    layers: int
    dim: int
    sha256: str

    def require(self, other: LatentSpace, what: str = "latent") -> None:
        """Raise `LatentSpaceError` unless `other` is this very space."""
        if self != other:
            way = f"take the backbone '{other.backbone}', or " if other.backbone != self.backbone else ""
            raise LatentSpaceError(
                f"this {what} belongs to {other}, but {self} is needed; "
                f"{way}encode the photograph again with the backbone in use"
            )

    def __str__(self) -> str:
        return f"{self.backbone} [{self.layers}, {self.dim}] {self.sha256[:12]}"


@dataclass(frozen=True)
class Latent:
    """One face in a backbone's latent space.

    Args:
        code: float32 [layers, dim], on the CPU.
        space: the latent space the code belongs to.
        detail: what of the face the code can't carry, as tensors named by the backbone that made them; strategies
            never see it.

    Raises:
        LatentShapeError: where the code has another shape or dtype.
        NonFiniteError: where it holds NaN or infinity.

    Example:
        >>> import torch
        >>> Latent(torch.zeros(4, 512), LatentSpace("toy", 4, 512, "ab" * 32)).detail
        {}
    """

    code: Tensor
    space: LatentSpace
    detail: Mapping[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_tensor(self.code, (self.space.layers, self.space.dim), "the latent code")

    def __repr__(self) -> str:
        detail = f", detail of {', '.join(self.detail)}" if self.detail else ""
        return f"<Latent of {self.space}{detail}>"

    def copy(self) -> Latent:
        """The same numbers in tensors of its own: whoever writes into these changes no other latent."""
        return Latent(self.code.clone(), self.space, {name: value.clone() for name, value in self.detail.items()})


@dataclass(frozen=True)
class WeightMap:
    """The father's share per layer and dimension: child = father · w + mother · (1 − w).

    Args:
        values: float32 [layers, dim] in [0, 1], on the CPU.
        space: the latent space it was made for.

    Raises:
        LatentShapeError: where the values have another shape or dtype, or leave [0, 1].
        NonFiniteError: where they hold NaN or infinity.

    Example:
        >>> import torch
        >>> father = WeightMap(torch.ones(4, 512), LatentSpace("toy", 4, 512, "ab" * 32))
        >>> float(father.mirrored().values.max())
        0.0
    """

    values: Tensor
    space: LatentSpace

    def __post_init__(self) -> None:
        check_tensor(self.values, (self.space.layers, self.space.dim), "the weight map")
        low, high = float(self.values.min()), float(self.values.max())
        if low < 0 or high > 1:
            raise LatentShapeError(f"a weight map lies in [0, 1]; this one spans [{low:.4g}, {high:.4g}]")

    def __repr__(self) -> str:
        return f"<WeightMap of {self.space}, mean {float(self.values.mean()):.3g}>"

    def mirrored(self) -> WeightMap:
        """The mother's share."""
        return WeightMap(1 - self.values, self.space)


def check_tensor(tensor: Tensor, shape: tuple[int, ...], what: str) -> None:
    """Raise `LatentShapeError` or `NonFiniteError` unless `tensor` is finite float32 of `shape`."""
    import torch

    if not isinstance(tensor, torch.Tensor):
        kind = f"{type(tensor).__module__}.{type(tensor).__qualname__}".removeprefix("builtins.")
        how = "torch.from_numpy makes one of it" if hasattr(tensor, "__array__") else "torch.tensor makes one"
        raise LatentShapeError(f"{what} must be a torch.Tensor, not a {kind}: {how}")
    if tuple(tensor.shape) != shape:
        raise LatentShapeError(f"{what} must have shape {list(shape)}, not {list(tensor.shape)}")
    if tensor.dtype != torch.float32:
        raise LatentShapeError(f"{what} must be float32, not {str(tensor.dtype).removeprefix('torch.')}")
    if not bool(torch.isfinite(tensor).all()):
        raise NonFiniteError(f"{what} holds NaN or infinity")


@dataclass(frozen=True)
class Target:
    """What an attribute is to become.

    Args:
        value: a number in the attribute's own unit, or a word.
        unit: "years"; empty for a word.

    Example:
        >>> str(Target(8, "years")), str(Target("female"))
        ('8 years', 'female')
    """

    value: float | str
    unit: str = ""

    def __str__(self) -> str:
        return self.value if isinstance(self.value, str) else f"{self.value:g} {self.unit}"


@dataclass(frozen=True)
class AlignedFace:
    """A face cut out in FFHQ geometry (Karras et al. 2019, appendix A).

    Args:
        image: square RGB picture, uint8 in [0, 255].
        landmarks: the 68 points in pixels of `image`, float64 [68, 2] (x, y), where they are known.

    Example:
        >>> from PIL import Image
        >>> AlignedFace(Image.new("RGB", (256, 256))).image.size
        (256, 256)
    """

    image: Image
    landmarks: NDArray[Any] | None = None
