"""The latent average of a checkpoint, in whichever shape it was saved."""

from __future__ import annotations

from torch import Tensor

from kinblend.checkpoints import Contents, validate_tensors
from kinblend.errors import CheckpointError


def find_average(contents: Contents, layers: int, dim: int, prefix: str = "") -> Tensor | None:
    """The mean w as a code, float32 [L, D]; None where the file has none.

    Read are [D] and [L, D], with any dimensions of one before them, and the average of a larger generator, if it is
    the same w in each layer. prefix: of the generator whose own is taken first. Raises `CheckpointError` for other
    shapes.
    """
    found = contents.average(prefix)
    if found is None:
        return None
    validate_tensors(contents.path, {"latent_avg": found})
    average = found.float()
    while average.ndim > 2 and average.shape[0] == 1:
        average = average[0]
    if average.ndim and average.shape[-1] == dim and average.numel() == dim:
        return average.reshape(1, dim).expand(layers, dim)
    if average.ndim == 2 and average.shape[1] == dim and average.shape[0] == layers:
        return average
    if average.ndim == 2 and average.shape[1] == dim and bool((average == average[:1]).all()):
        return average[:1].expand(layers, dim)
    raise CheckpointError(
        f"{contents.path} has a latent_avg of shape {list(found.shape)}; [{dim}] or [{layers}, {dim}] is needed"
    )


def mean_w(average: Tensor | None) -> Tensor | None:
    """The w of an average [L, D]: that of every layer where they are the same, else their mean."""
    if average is None:
        return None
    return average[0] if bool((average == average[:1]).all()) else average.mean(0)
