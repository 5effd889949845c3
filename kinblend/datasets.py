"""Kinship data sets: what readers return, and what they read with."""

from kinblend.families.folders import is_junk_file, list_pictures, subfolders, unlisted_files
from kinblend.families.kinship_json import load_kinship_set
from kinblend.families.model import Defect, Family, Gender, KinshipSet, Member, NuclearFamily, Person, Role
from kinblend.families.splits import split_families
from kinblend.families.trios import Trios, join_trios, load_trios
from kinblend.plugins import load_analyser
from kinblend.storage.tables import Table, read_cells, read_table

__all__ = [
    "Defect",
    "Family",
    "Gender",
    "KinshipSet",
    "Member",
    "NuclearFamily",
    "Person",
    "Role",
    "Table",
    "Trios",
    "is_junk_file",
    "join_trios",
    "list_pictures",
    "load_analyser",
    "load_kinship_set",
    "load_trios",
    "read_cells",
    "read_table",
    "split_families",
    "subfolders",
    "unlisted_files",
]
