"""kinblend predicts how a child of two people might look. This is its public interface; names here stay."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kinblend.backbone import Backbone, load_backbone
    from kinblend.device import DevicePool
    from kinblend.errors import KinblendError
    from kinblend.faces import align
    from kinblend.families.folders import is_junk_file, list_pictures, subfolders, unlisted_files
    from kinblend.families.kinship_json import load_kinship_set
    from kinblend.families.model import Defect, Family, KinshipSet, Member, NuclearFamily, Person
    from kinblend.families.splits import split_families
    from kinblend.families.trios import Trios, join_trios, load_trios
    from kinblend.hookspecs import hookimpl
    from kinblend.interfaces import (
        Blend,
        Blender,
        Context,
        Editor,
        Encoder,
        Noise,
        ProjectionProgress,
        Projector,
        weighted_sum,
    )
    from kinblend.pipeline import Child, Engine, Result
    from kinblend.registry import PluginSpec
    from kinblend.storage.archives import Archive, open_archive
    from kinblend.storage.checkpoints import Network, checkpoint_format, read_nvidia, read_torch, validate_tensors
    from kinblend.storage.latents import load_latent, load_weight_map, save_latent, save_weight_map
    from kinblend.storage.networks import build_network
    from kinblend.storage.openvino import Graph, Node, Output, read_openvino
    from kinblend.storage.pack_sources import Download, PackageDownload, PackSource
    from kinblend.storage.packs import Pack, open_pack, write_description
    from kinblend.storage.tables import Table, read_cells, read_table
    from kinblend.storage.tensors import read_tensor
    from kinblend.types import AlignedFace, Latent, LatentSpace, Target, WeightMap

# Names are imported when first asked for, so that `import kinblend` costs no torch.
_HOMES = {
    "kinblend.backbone": ("Backbone", "load_backbone"),
    "kinblend.device": ("DevicePool",),
    "kinblend.errors": ("KinblendError",),
    "kinblend.faces": ("align",),
    "kinblend.families.folders": ("subfolders", "is_junk_file", "list_pictures", "unlisted_files"),
    "kinblend.families.model": ("Defect", "Family", "KinshipSet", "Member", "NuclearFamily", "Person"),
    "kinblend.families.kinship_json": ("load_kinship_set",),
    "kinblend.families.splits": ("split_families",),
    "kinblend.families.trios": ("Trios", "join_trios", "load_trios"),
    "kinblend.hookspecs": ("hookimpl",),
    "kinblend.interfaces": (
        "Blend",
        "Blender",
        "Context",
        "Editor",
        "Encoder",
        "Noise",
        "ProjectionProgress",
        "Projector",
        "weighted_sum",
    ),
    "kinblend.pipeline": ("Child", "Engine", "Result"),
    "kinblend.registry": ("PluginSpec",),
    "kinblend.storage.archives": ("Archive", "open_archive"),
    "kinblend.storage.checkpoints": ("Network", "validate_tensors", "checkpoint_format", "read_nvidia", "read_torch"),
    "kinblend.storage.latents": ("load_latent", "load_weight_map", "save_latent", "save_weight_map"),
    "kinblend.storage.networks": ("build_network",),
    "kinblend.storage.openvino": ("Graph", "Node", "Output", "read_openvino"),
    "kinblend.storage.packs": ("Pack", "open_pack", "write_description"),
    "kinblend.storage.pack_sources": ("Download", "PackSource", "PackageDownload"),
    "kinblend.storage.tables": ("Table", "read_cells", "read_table"),
    "kinblend.storage.tensors": ("read_tensor",),
    "kinblend.types": ("AlignedFace", "Latent", "LatentSpace", "Target", "WeightMap"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "AlignedFace",
    "Archive",
    "Backbone",
    "Blend",
    "Blender",
    "Child",
    "Context",
    "Defect",
    "DevicePool",
    "Download",
    "Editor",
    "Encoder",
    "Engine",
    "Family",
    "Graph",
    "KinblendError",
    "KinshipSet",
    "Latent",
    "LatentSpace",
    "Member",
    "Network",
    "Node",
    "Noise",
    "NuclearFamily",
    "Output",
    "Pack",
    "PackSource",
    "PackageDownload",
    "Person",
    "PluginSpec",
    "ProjectionProgress",
    "Projector",
    "Result",
    "Table",
    "Target",
    "Trios",
    "WeightMap",
    "align",
    "build_network",
    "checkpoint_format",
    "hookimpl",
    "is_junk_file",
    "join_trios",
    "list_pictures",
    "load_backbone",
    "load_kinship_set",
    "load_latent",
    "load_trios",
    "load_weight_map",
    "open_archive",
    "open_pack",
    "read_cells",
    "read_nvidia",
    "read_openvino",
    "read_table",
    "read_tensor",
    "read_torch",
    "save_latent",
    "save_weight_map",
    "split_families",
    "subfolders",
    "unlisted_files",
    "validate_tensors",
    "weighted_sum",
    "write_description",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        return version("kinblend")
    if name in _HOME_OF:
        value = globals()[name] = getattr(import_module(_HOME_OF[name]), name)
        return value
    raise AttributeError(f"module 'kinblend' has no attribute {name!r}")
