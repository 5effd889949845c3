"""Latents and weight maps on disk."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.errors import CorruptFileError, LatentError
from kinblend.storage.checksummed import read_checksummed, tensors_sha256, write_checksummed
from kinblend.types import Latent, LatentSpace, WeightMap

if TYPE_CHECKING:
    from torch import Tensor

MAX_SIDE = 100_000  # layers, and dimensions of each
_DETAIL = "detail."


def save_latent(path: str | Path, latent: Latent, weights: WeightMap | None = None) -> None:
    """Write a latent to a safetensors file with a SHA-256 of its content: whole or not at all.

    Args:
        path: the file.
        latent: code and detail.
        weights: the weight map it came from, where there is one.

    Raises:
        NonFiniteError: where a tensor holds NaN or infinity.
        LatentSpaceError: where the weight map is of another latent space.
        OutputError: where the path is a link, a device or an input of the command.

    Example:
        >>> import tempfile, torch
        >>> latent = Latent(torch.ones(4, 512), LatentSpace("toy", 4, 512, "ab" * 32))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_latent(f"{folder}/child.safetensors", latent)
        ...     float(load_latent(f"{folder}/child.safetensors").code.mean())
        1.0
    """
    if not isinstance(latent, Latent):
        raise LatentError(f"a {type(latent).__name__} is no latent; give a kinblend.Latent")
    tensors = _tensors(latent)
    if weights is not None:
        latent.space.require(weights.space, "weight map")
        tensors["weights"] = weights.values
    write_checksummed(path, tensors, {"kind": "latent", "space": asdict(latent.space)})


def load_latent(path: str | Path, space: LatentSpace | None = None) -> Latent:
    """Read a latent that `save_latent` wrote.

    Args:
        path: the file.
        space: the latent space it must belong to; None takes any.

    Returns: code float32 [L, D] and detail, on the CPU.

    Raises:
        CorruptFileError: where the file is damaged, altered or something else.
        LatentSpaceError: where it belongs to another space.
        LatentShapeError, NonFiniteError: where its code can't be one.

    Example: see `save_latent`.
    """
    tensors, header = read_checksummed(path, "latent")
    found = _space(path, header, space, "latent")
    detail = {name.removeprefix(_DETAIL): value for name, value in tensors.items() if name.startswith(_DETAIL)}
    return Latent(_take(path, tensors, "code"), found, detail)


def is_latent(path: str | Path) -> bool:
    """Whether a file is a latent by its name: one that ends in .safetensors, as no picture does."""
    return Path(path).suffix.lower() == ".safetensors"


def latent_sha256(latent: Latent) -> str:
    """The SHA-256 of a latent's code and detail, 64 hex digits."""
    return tensors_sha256(_tensors(latent))


def _tensors(latent: Latent) -> dict[str, Tensor]:
    return {"code": latent.code} | {_DETAIL + name: value for name, value in latent.detail.items()}


def save_weight_map(path: str | Path, weights: WeightMap) -> None:
    """Write a weight map. Raises `NonFiniteError`."""
    write_checksummed(path, {"weights": weights.values}, {"kind": "weight map", "space": asdict(weights.space)})


def load_weight_map(path: str | Path, space: LatentSpace | None = None) -> WeightMap:
    """Read a weight map, from its own file or from the file of the latent it made. Raises what `load_latent` does."""
    tensors, header = read_checksummed(path, "weight map", "latent")
    if "weights" not in tensors:
        raise CorruptFileError(f"{path} holds a latent without a weight map: it is no weighted sum of its parents")
    found = _space(path, header, space, "weight map")
    return WeightMap(_take(path, tensors, "weights"), found)


def _take(path: str | Path, tensors: dict[str, Tensor], name: str) -> Tensor:
    try:
        return tensors[name]
    except KeyError:
        raise CorruptFileError(f"{path} has no tensor '{name}'") from None


def read_space(path: str | Path, fields: Any) -> LatentSpace:
    """The latent space that the description in `path` names. Raises `CorruptFileError`."""
    kinds = {"backbone": str, "layers": int, "dim": int, "sha256": str}
    if not isinstance(fields, dict) or {name: type(value) for name, value in fields.items()} != kinds:
        raise CorruptFileError(f"{path} does not say which latent space it belongs to")
    found = LatentSpace(**fields)
    # The name may be looked up among packs, and stands in messages: a path or a control character is none.
    name = re.fullmatch(r"[^/\\\x00-\x1f\x7f-\x9f]{1,100}", found.backbone)
    if not name or not found.backbone.isprintable() or not re.fullmatch("[0-9a-f]{64}", found.sha256):
        raise CorruptFileError(f"{path} names a latent space that can't be one; make the file again")
    if not (0 < found.layers <= MAX_SIDE and 0 < found.dim <= MAX_SIDE):
        raise CorruptFileError(f"{path} names a latent space that can't be one; make the file again")
    return found


def _space(path: str | Path, header: dict[str, Any], needed: LatentSpace | None, what: str) -> LatentSpace:
    found = read_space(path, header.get("space"))
    if needed is not None:
        needed.require(found, f"{what} ({path})")
    return found
