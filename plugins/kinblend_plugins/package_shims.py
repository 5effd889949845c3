"""facenet-pytorch without torchvision and requests; torchvision beside a torch that its operators do not fit.

All that MTCNN needs of torchvision is `batched_nms`; importing the whole takes two seconds and 90 MB. requests is
imported and never used; urllib3, which comes with it, binds a socket to see whether there is IPv6. So the files of
facenet-pytorch are loaded a second time, under a name of ours, with imports of these two answered by small stand-ins:
nobody else's facenet_pytorch, torchvision or requests is touched.
"""

from __future__ import annotations

import builtins
import sys
from importlib import import_module
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from kinblend.errors import ModelError

if TYPE_CHECKING:
    from torch import Tensor

OURS = "kinblend_facenet"  # the name under which facenet-pytorch's files are loaded

_kept: list[Any] = []  # operators live only as long as the library object that defines them


def import_mtcnn() -> Any:
    """facenet-pytorch's class MTCNN."""
    return _import("mtcnn").MTCNN


def import_inception() -> Any:
    """facenet-pytorch's class InceptionResnetV1."""
    return _import("inception_resnet_v1").InceptionResnetV1


def _import(name: str) -> ModuleType:
    if OURS not in sys.modules:
        found = find_spec("facenet_pytorch")
        if found is None or not found.submodule_search_locations:
            raise ModelError("facenet-pytorch is missing; install it with: pip install facenet-pytorch")
        package = ModuleType(OURS)
        package.__path__ = list(found.submodule_search_locations)
        sys.modules[OURS] = package
        sys.meta_path.insert(0, _Finder())
    return import_module(f"{OURS}.models.{name}")


class _Finder(MetaPathFinder):
    """Finds the modules below `OURS`, and none besides."""

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if not fullname.startswith(f"{OURS}."):
            return None
        found = PathFinder.find_spec(fullname, path)
        if found is not None and found.origin is not None:
            found.loader = _Loader(fullname, found.origin)
        return found


class _Loader(SourceFileLoader):
    """Runs a module whose own import statements meet the stand-ins."""

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": _import_within}
        super().exec_module(module)


def _import_within(name: str, *rest: Any) -> Any:
    """As `__import__`; of torchvision and requests, what facenet-pytorch asks for alone."""
    found = _stand_ins().get(name)
    return builtins.__import__(name, *rest) if found is None else found


def _stand_ins() -> dict[str, ModuleType]:
    names = ("torchvision.transforms", "torchvision.ops.boxes", "requests", "requests.adapters")
    modules = {name: ModuleType(name) for name in names}
    modules["torchvision.ops.boxes"].__dict__["batched_nms"] = batched_nms
    modules["torchvision.transforms"].__dict__["functional"] = ModuleType("torchvision.transforms.functional")
    modules["requests.adapters"].__dict__["HTTPAdapter"] = object
    return modules


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


def _define_operators() -> None:
    import torch

    library: Any = torch.library.Library("torchvision", "FRAGMENT")
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
