"""Model packs: what plugins register, what importers and trainers write."""

from kinblend.storage.archives import Archive, open_archive
from kinblend.storage.pack_sources import Download, PackageDownload, PackSource
from kinblend.storage.pack_tensors import write_tensors
from kinblend.storage.packs import Pack, open_pack, write_description

__all__ = [
    "Archive",
    "Download",
    "Pack",
    "PackSource",
    "PackageDownload",
    "open_archive",
    "open_pack",
    "write_description",
    "write_tensors",
]
