"""kinblend predicts how a child of two people might look. This is its public interface; names here stay.

`Engine` makes children of two photographs. The classes `Encoder`, `Blender`, `Editor`, `Projector` and
`IdentityNetwork` are what plugins derive from, `hookimpl` and `PluginSpec` how they register. More is in
`kinblend.latents` (files of latents), `kinblend.packs` (model packs), `kinblend.datasets` (families of pictures),
`kinblend.checkpoints` (weights that others publish), `kinblend.interfaces` and `kinblend.face_interfaces` (all base
classes), `kinblend.family_tree` (trees of predicted people), `kinblend.faces`, `kinblend.imaging`,
`kinblend.identity`, `kinblend.errors`, and `kinblend.testing` (what
every plugin has to pass).
"""

from __future__ import annotations

import logging
from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from kinblend.distributions import spare_libraries

if TYPE_CHECKING:
    from kinblend.backbone import Backbone, load_backbone
    from kinblend.blend import Blend
    from kinblend.device import DevicePool
    from kinblend.errors import KinblendError
    from kinblend.face_interfaces import IdentityNetwork
    from kinblend.hookspecs import hookimpl
    from kinblend.interfaces import (
        AttributeLabel,
        Blender,
        Context,
        Editor,
        Encoder,
        Projector,
    )
    from kinblend.pipeline import Child, ChildRequest, Engine, Result
    from kinblend.registry import PluginSpec
    from kinblend.storage.latents import load_latent, save_latent
    from kinblend.types import AlignedFace, Latent, LatentSpace, Target, WeightMap

# Names are imported when first asked for, so that `import kinblend` costs no torch.
_HOMES = {
    "kinblend.backbone": ("Backbone", "load_backbone"),
    "kinblend.blend": ("Blend",),
    "kinblend.device": ("DevicePool",),
    "kinblend.errors": ("KinblendError",),
    "kinblend.face_interfaces": ("IdentityNetwork",),
    "kinblend.hookspecs": ("hookimpl",),
    "kinblend.interfaces": (
        "AttributeLabel",
        "Blender",
        "Context",
        "Editor",
        "Encoder",
        "Projector",
    ),
    "kinblend.pipeline": ("Child", "ChildRequest", "Engine", "Result"),
    "kinblend.registry": ("PluginSpec",),
    "kinblend.storage.latents": ("load_latent", "save_latent"),
    "kinblend.types": ("AlignedFace", "Latent", "LatentSpace", "Target", "WeightMap"),
}
# A library says nothing unless its user wants to hear it: logging.getLogger("kinblend").setLevel(…) and a handler.
logging.getLogger("kinblend").addHandler(logging.NullHandler())
spare_libraries()

# Imported when first asked for as well: `kinblend.packs.open_pack` works after `import kinblend` alone.
_PUBLIC_MODULES = (
    "blend",
    "cancellation",
    "checkpoints",
    "datasets",
    "errors",
    "evaluation",
    "face_interfaces",
    "faces",
    "family_tree",
    "files",
    "identity",
    "imaging",
    "interfaces",
    "inversion",
    "inversion_options",
    "latents",
    "layers",
    "package_data",
    "packs",
    "progress",
    "tensor_files",
    "testing",
    "training",
    "types",
)
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AlignedFace",
    "AttributeLabel",
    "Backbone",
    "Blend",
    "Blender",
    "Child",
    "ChildRequest",
    "Context",
    "DevicePool",
    "Editor",
    "Encoder",
    "Engine",
    "IdentityNetwork",
    "KinblendError",
    "Latent",
    "LatentSpace",
    "PluginSpec",
    "Projector",
    "Result",
    "Target",
    "WeightMap",
    "hookimpl",
    "load_backbone",
    "load_latent",
    "save_latent",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("kinblend")
    if name in _HOME_OF:
        value = globals()[name] = getattr(import_module(_HOME_OF[name]), name)
        return value
    if name in _PUBLIC_MODULES:
        return import_module(f"kinblend.{name}")
    raise AttributeError(f"module 'kinblend' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, *_PUBLIC_MODULES, "__version__"]
