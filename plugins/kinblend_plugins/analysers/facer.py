"""The package pyfacer (FaRL, Zheng et al. 2022): the 40 attributes of CelebA (Liu et al. 2015).

Its weights are in no package; they are the user's own download, and are never fetched here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kinblend.checkpoints import home_folder
from kinblend.errors import ModelError, UsageError
from kinblend.faces import predict_in_crop
from kinblend.imaging import to_batch
from kinblend_plugins.package_shims import import_torchvision

if TYPE_CHECKING:
    from PIL.Image import Image

FILE = "face_attribute.farl.celeba.pt"
SOURCE = f"{FILE} of the release models-v1 of the GitHub repository FacePerceiver/facer"
BATCH = 8


def analyse(crops: Sequence[Image]) -> list[dict[str, Any]]:
    """As attributes how likely each of the 40 is, by CelebA's names in plain words, and as classes whether it is
    there.

    Raises `UsageError` where the package is missing, `ModelError` where its weights are.
    """
    if not crops:
        return []
    network = _network(home_folder() / "analysers" / "facer" / FILE)
    return [
        answer for start in range(0, len(crops), BATCH) for answer in _some(network, crops[start : start + BATCH])
    ]


def _some(network: Any, crops: Sequence[Image]) -> list[dict[str, Any]]:
    import torch

    side = crops[0].width
    pictures = (to_batch(crops, side) + 1) * 127.5
    points = [_five(crop) * side / crop.width for crop in crops]
    faces = {"image_ids": torch.arange(len(crops)), "points": torch.from_numpy(np.stack(points)).float()}
    with torch.inference_mode():
        chances = network(pictures, faces)["attrs"]
    return [answer(dict(zip(network.labels, row.tolist(), strict=True))) for row in chances]


def answer(chances: dict[str, float]) -> dict[str, Any]:
    """What the network says of one face, by its own labels → what an analyser answers."""
    named = {label.replace("_", " ").lower(): chance for label, chance in chances.items()}
    male = named.pop("male")
    return {
        "gender": "m" if male > 0.5 else "f",
        "gender_confidence": max(male, 1 - male),
        "attributes": named,
        "classes": {name: "yes" if chance > 0.5 else "no" for name, chance in named.items()},
    }


def _five(crop: Image) -> Any:
    """Eyes, the tip of the nose, the corners of the mouth: float [5, 2]."""
    points = np.asarray(predict_in_crop(crop))
    return np.stack([points[36:42].mean(0), points[42:48].mean(0), points[30], points[48], points[54]])


@cache
def _network(path: Path) -> Any:
    try:
        import_torchvision()
        import facer
        from facer.farl import classification
    except ImportError as error:
        raise UsageError(f"the analyser needs the package facer: pip install pyfacer timm ({error})") from error
    if not path.is_file():
        raise ModelError(f"the analyser facer needs the file {SOURCE} as {path}; put it there")
    for name in ("VisualTransformer", "FACTransformer"):
        setattr(classification, name, _staying(getattr(classification, name)))
    return facer.face_attr("farl/celeba/224", device="cpu", model_path=str(path))


def _staying(network: Any) -> Any:
    """A class of networks that stay where they are: pyfacer 0.0.5 moves its own to a CUDA device, whatever it is
    asked."""

    def cuda(self: Any, device: Any = None) -> Any:
        return self

    return type(network.__name__, (network,), {"cuda": cuda})
