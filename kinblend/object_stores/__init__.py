"""Objects under addresses such as "s3://bucket/name", and the files of a folder, behind one interface."""

from kinblend.object_stores.addresses import MEMORY, Address, Place, join, masked, place_of
from kinblend.object_stores.copies import nameless_file
from kinblend.object_stores.stores import FolderStore, ObjectStore, open_store

__all__ = [
    "MEMORY",
    "Address",
    "FolderStore",
    "ObjectStore",
    "Place",
    "join",
    "masked",
    "nameless_file",
    "open_store",
    "place_of",
]
