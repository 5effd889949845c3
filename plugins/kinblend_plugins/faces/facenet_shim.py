"""facenet-pytorch without torchvision and requests; torchvision beside a torch that its operators do not fit.

All that MTCNN needs of torchvision is `batched_nms`; importing the whole takes two seconds and 90 MB. requests is
imported and never used; urllib3, which comes with it, binds a socket to see whether there is IPv6.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

_kept: list[Any] = []  # operators live only as long as the library object that defines them


def import_mtcnn() -> Any:
    """facenet-pytorch's class MTCNN."""
    return import_facenet().MTCNN


def import_facenet() -> Any:
    """The module facenet_pytorch."""
    if "facenet_pytorch" not in sys.modules:
        with _stand_ins():
            import facenet_pytorch
    import facenet_pytorch

    return facenet_pytorch


def import_torchvision() -> Any:
    """The torchvision module; where its compiled operators fail to load, `nms` runs in plain torch."""
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        _define_operators()
        import torchvision

        torchvision.extension._has_ops = lambda: True
    return torchvision


@contextmanager
def _stand_ins() -> Iterator[None]:
    """Within, imports of torchvision and requests find modules with what facenet-pytorch asks for alone."""
    parts = ("torchvision", "torchvision.transforms", "torchvision.transforms.functional")
    others = ("torchvision.ops", "torchvision.ops.boxes", "requests", "requests.adapters")
    modules = {name: ModuleType(name) for name in (*parts, *others)}
    modules["torchvision.ops.boxes"].__dict__["batched_nms"] = batched_nms
    modules["torchvision.transforms"].__dict__["functional"] = modules["torchvision.transforms.functional"]
    modules["requests.adapters"].__dict__["HTTPAdapter"] = object
    replaced = ("torchvision", "requests")
    before = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in replaced}
    for name in before:
        del sys.modules[name]
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]
        sys.modules.update(before)


def _define_operators() -> None:
    import torch

    library: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    library.impl("nms", plain_nms, "CPU")
    _kept.append(library)


def batched_nms(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    """`plain_nms` among the boxes of each batch entry. idxs: int64 [n], the entry a box belongs to."""
    if not boxes.numel():
        return plain_nms(boxes, scores, iou_threshold)
    # Each entry's boxes are moved so far aside that they meet no other's.
    return plain_nms(boxes + (idxs.to(boxes) * (boxes.max() - boxes.min() + 1))[:, None], scores, iou_threshold)


def plain_nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Greedy non-maximum suppression.

    boxes: float [n, 4] as (left, top, right, bottom); scores: float [n].
    Returns int64 [k], the boxes kept, best first.
    """
    import torch

    order = scores.argsort(descending=True, stable=True)
    sides = (boxes[:, 2:] - boxes[:, :2]).clamp(min=0)
    areas = sides.prod(dim=1)
    kept = []
    while order.numel():
        best, order = order[0], order[1:]
        kept.append(best)
        low = torch.maximum(boxes[best, :2], boxes[order, :2])
        high = torch.minimum(boxes[best, 2:], boxes[order, 2:])
        shared = (high - low).clamp(min=0).prod(dim=1)
        order = order[shared <= iou_threshold * (areas[best] + areas[order] - shared)]
    return torch.stack(kept) if kept else torch.empty(0, dtype=torch.int64, device=boxes.device)
