"""What of a face its code can't carry: how a child comes by it from both parents."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from kinblend import Latent
from kinblend_plugins.morphable import regions
from kinblend_plugins.morphable.model import Morphable, resize

PORES = 112  # px of the frame's side: what is finer counts as pores
GAINED = {"eyes": 0.3, "nose": 0.6, "mouth": 1.0, "forehead": 1.0, "cheeks": 1.0}
MIN_SEEN = 0.05
CONTRAST_RESTORED = 0.7  # how far mixed skin gets back the contrast that mixing takes


def shares_of_parts(model: Morphable, weights: Tensor) -> Tensor:
    """The father's share at each place of a face: [1, 112, 112], from the weight map [L, D] of the finest layer."""
    layer = len(weights) - 1
    parts = [part for part in model.parts if part.layer == layer]
    shares = torch.stack([weights[layer, part.first : part.end].mean() for part in parts])
    return (model.part_windows * shares[:, None, None]).sum(0, keepdim=True)


def mixed_residual(model: Morphable, father: Latent, mother: Latent, weights: Tensor) -> Tensor:
    """The residual texture of a child, float16 [3, S, S], as large as the larger of its parents'.

    Pores and freckles of two people fall on different places: mixed, they lose contrast, as noise does. Skin gets
    most of that contrast back; eyes and lips, which fall on each other, are only mixed. Where hair hangs over one
    parent's face, the other's counts.
    """
    share = _uncovered(shares_of_parts(model, weights), father, mother)
    names = [regions.NAMES.index(name) for name in ("forehead", "cheeks")]
    skin = model.part_windows[names].sum(0, keepdim=True)
    ours, theirs = (parent.detail["residual"].float()[None] for parent in (father, mother))
    size = max(ours.shape[-1], theirs.shape[-1])
    ours, theirs, share, skin = (resize(x, size) for x in (ours, theirs, share[None], skin[None]))
    alike = _correlation(_pores(ours) * skin, _pores(theirs) * skin)
    kept = (share**2 + (1 - share) ** 2 + 2 * alike * share * (1 - share)).sqrt()
    mixed = theirs + (ours - theirs) * share
    return (mixed + CONTRAST_RESTORED * skin * (1 / kept - 1) * _pores(mixed))[0].half()


def _pores(residual: Tensor) -> Tensor:
    """What is finer than a 1/PORES of a residual [1, 3, S, S]."""
    size = residual.shape[-1]
    return residual - resize(F.avg_pool2d(residual, size // PORES), size)


def _correlation(first: Tensor, second: Tensor) -> float:
    """Of two textures without a mean, 0 to 1: 1 for a person and themselves, about 0 for two people."""
    norms = float(first.norm() * second.norm())
    return max(0.0, float((first * second).sum()) / norms) if norms else 1.0


def _uncovered(share: Tensor, father: Latent, mother: Latent) -> Tensor:
    """The father's share [1, 112, 112], more where hair covers the mother, less where it covers him; 0 and 1 stay."""
    ours, theirs = (1 - parent.detail["hair"].float() / 255 for parent in (father, mother))
    seen = share * ours + (1 - share) * theirs
    return torch.where(seen > MIN_SEEN, share * ours / seen.clamp_min(MIN_SEEN), share)


def where_skin(model: Morphable, gain: Tensor) -> Tensor:
    """A gain [1, S, S] of the residual in full where skin is, and a share of it on eyes and nose: brows and lashes
    stay."""
    share = (model.part_windows * torch.tensor([GAINED[name] for name in regions.NAMES])[:, None, None]).sum(0)
    return 1 + (gain - 1) * resize(share[None, None], gain.shape[-1])[0]


def background_source(father: Latent, mother: Latent, share: float, wanted: str) -> Mapping[str, Tensor]:
    """The detail of the parent whose hair, ears, neck and background the child gets.

    wanted: "father", "mother", "auto": the one with the larger share, the mother at one half; or "plain": nobody's.
    Two hair styles mixed would be a double exposure.
    """
    larger = "father" if share > 0.5 else "mother"
    chosen = (father if (larger if wanted in ("auto", "plain") else wanted) == "father" else mother).detail
    return {name: value for name, value in chosen.items() if wanted != "plain" or name != "background"}


def mixed_beard(father: Latent, mother: Latent, share: float, source: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """`beard` of a child: the photograph's as in `source`, the face's by the father's share."""
    if not all("beard" in detail for detail in (father.detail, mother.detail, source)):
        return {}
    ours, theirs = (parent.detail["beard"][1] for parent in (father, mother))
    return {"beard": torch.stack([source["beard"][0], theirs + (ours - theirs) * share])}
