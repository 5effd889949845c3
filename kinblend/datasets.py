"""Kinship data sets: what readers return, and what they read with."""

from kinblend.families.folders import is_junk_file, list_pictures, subfolders, unlisted_files
from kinblend.families.kinship_json import load_kinship_set
from kinblend.families.model import Defect, Family, Gender, KinshipSet, Member, NuclearFamily, Person, Role
from kinblend.families.splits import split_families
from kinblend.families.trios import Trios, join_trios, load_trios
from kinblend.plugins import load_analyser
from kinblend.storage.cells import is_cut_short, join_path, parse_list, parse_number
from kinblend.storage.tables import Lines, Table, read_cells, read_lines, read_table
from kinblend.storage.texts import Text, TextNote, read_text

__all__ = [
    "Defect",
    "Family",
    "Gender",
    "KinshipSet",
    "Lines",
    "Member",
    "NuclearFamily",
    "Person",
    "Role",
    "Table",
    "Text",
    "TextNote",
    "Trios",
    "is_cut_short",
    "is_junk_file",
    "join_path",
    "join_trios",
    "list_pictures",
    "load_analyser",
    "load_kinship_set",
    "load_trios",
    "parse_list",
    "parse_number",
    "read_cells",
    "read_lines",
    "read_table",
    "read_text",
    "split_families",
    "subfolders",
    "unlisted_files",
]
