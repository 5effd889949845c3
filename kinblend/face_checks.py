"""What detectors, landmarkers, identity networks and upscalers return is checked whenever they are used.

A wrong answer would end far from whoever gave it: a crop of nothing, a cosine that is NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

from kinblend.errors import PluginError, wrap_plugin_errors
from kinblend.face_interfaces import (
    Detection,
    FaceComponent,
    FaceDetector,
    IdentityNetwork,
    Landmarker,
    Upscaler,
)

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

SURE = 1 + 1e-6  # the highest probability: networks round

Check = Callable[[Any, Any, Any], str]  # component, its input, what it returned → what that is, if it is wrong


def guard(component: FaceComponent) -> None:
    """Have what a component returns checked from now on, and what it raises named as its own.

    Raises `PluginError` for attributes of another kind than its class is to have; afterwards the component's methods
    raise it.
    """
    for name in _NUMBERS.get(component.kind, ()):
        with wrap_plugin_errors(component.title):
            value = getattr(component, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise PluginError(f"{component.title} has {value!r:.40} as its {name}, not a whole number from 1 up")
    for name, (check, wanted) in _CHECKS[component.kind].items():
        setattr(component, name, _guarded(component, name, check, wanted))


def _guarded(component: FaceComponent, name: str, check: Check, wanted: str) -> Callable[..., Any]:
    work = getattr(component, name)

    @wraps(work)
    def guarded(given: Any, *rest: Any, **named: Any) -> Any:
        with wrap_plugin_errors(component.title):
            found = work(given, *rest, **named)
            wrong = check(component, given, found)
        if wrong:
            about = wanted.format(n=_count(given), E=getattr(component, "embedding_size", ""))
            raise PluginError(f"{component.title} returned {wrong} from {name}, not {about}")
        return found

    return guarded


def _count(given: Any) -> int:
    """How many pictures were given: one, or several."""
    return len(given) if isinstance(given, Sequence) or hasattr(given, "ndim") else 1


def _detections(detector: FaceDetector, images: Sequence[Image], found: Any) -> str:
    if wrong := _lists(images, found):
        return wrong
    for faces in found:
        if not isinstance(faces, list):
            return f"a {type(faces).__name__} for a picture"
        for face in faces:
            if wrong := _detection(face):
                return wrong
    return ""


def _detection(face: Any) -> str:
    import numpy as np

    if not isinstance(face, Detection):
        return f"a {type(face).__name__} for a face"
    box = np.asarray(face.box, dtype=object)
    if box.shape != (4,):
        return f"a box of shape {list(box.shape)}"
    left, top, right, bottom = (float(side) for side in box)
    if not np.isfinite([left, top, right, bottom]).all() or left >= right or top >= bottom:
        return f"the box ({left:g}, {top:g}, {right:g}, {bottom:g})"
    if not 0 <= float(face.probability) <= SURE:
        return f"the probability {float(face.probability):g}"
    return _points(face.points, 5)


def _landmarks(landmarker: Landmarker, image: Image, found: Any) -> str:
    return _points(found, 68)


def _own_landmarks(landmarker: Landmarker, image: Image, found: Any) -> str:
    return "" if found is None else _points(found, 68)


def _points(found: Any, count: int) -> str:
    import numpy as np

    if not isinstance(found, np.ndarray):
        return f"points that are a {type(found).__name__}"
    if found.shape != (count, 2) or found.dtype.kind != "f":
        return f"points that are {found.dtype} {list(found.shape)}"
    return "" if np.isfinite(found).all() else "points that are NaN or infinite"


def _embeddings(network: IdentityNetwork, given: Sequence[Image] | Tensor, found: Any) -> str:
    import torch

    if not isinstance(found, torch.Tensor):
        return f"a {type(found).__name__}"
    rounded = found.is_floating_point() and torch.is_autocast_enabled(found.device.type)
    if found.shape != (len(given), network.embedding_size) or not (found.dtype == torch.float32 or rounded):
        return f"{str(found.dtype).removeprefix('torch.')} {list(found.shape)}"
    if bool(torch.isfinite(found).all()):
        return ""
    # A picture that is broken already is not the network's fault.
    broken = isinstance(given, torch.Tensor) and not bool(torch.isfinite(given).all())
    return "" if broken else "NaN or infinity"


def _enlarged(upscaler: Upscaler, images: Sequence[Image], found: Any) -> str:
    from PIL import Image as pil

    if wrong := _lists(images, found):
        return wrong
    for before, after in zip(images, found, strict=True):
        if not isinstance(after, pil.Image):
            return f"a {type(after).__name__} for a picture"
        if (after.mode, after.size) != ("RGB", tuple(upscaler.factor * side for side in before.size)):
            large, small = ("×".join(map(str, picture.size)) for picture in (after, before))
            return f"{after.mode} of {large} pixels for {small}"
    return ""


def _lists(images: Sequence[Image], found: Any) -> str:
    if not isinstance(found, list):
        return f"a {type(found).__name__}"
    return "" if len(found) == len(images) else f"a list of {len(found)}"


_NUMBERS = {
    FaceDetector.kind: ("min_size",),
    IdentityNetwork.kind: ("embedding_size", "input_side"),
    Upscaler.kind: ("factor",),
}
_CHECKS: Mapping[str, Mapping[str, tuple[Check, str]]] = {
    FaceDetector.kind: {
        "detect": (
            _detections,
            "a list of {n}, each a list of Detection with a box (left, top, right, bottom), a probability in [0, 1] "
            "and points [5, 2]",
        )
    },
    Landmarker.kind: {
        "predict": (_landmarks, "finite points, float64 [68, 2]"),
        "predict_in_crop": (_landmarks, "finite points, float64 [68, 2]"),
        "predict_by_own_detector": (_own_landmarks, "finite points, float64 [68, 2], or None"),
    },
    IdentityNetwork.kind: {
        "embed_pictures": (_embeddings, "finite numbers, float32 [{n}, {E}]"),
        "embed_faces": (_embeddings, "finite numbers, float32 [{n}, {E}]"),
    },
    Upscaler.kind: {"upscale": (_enlarged, "a list of {n} RGB pictures, `factor` times as wide and high")},
}
