"""A family tree: a file of people in, a picture of every descendant out, drawn as a tree.

`read_tree` reads and checks the file, `grow` predicts those who have no photograph, parents before their children.

>>> import kinblend
>>> from kinblend.family_tree import grow, read_tree
>>> grown = grow(kinblend.Engine(), read_tree("family.toml"), "tree")  # doctest: +SKIP
>>> grown.picture.save("tree.jpg")  # doctest: +SKIP
"""

from kinblend.family_tree.draw import Portrait, draw_tree
from kinblend.family_tree.grow import GrownTree, grow, planned_files
from kinblend.family_tree.people import Couple, FamilyTree, Person
from kinblend.family_tree.read import read_tree, tree_of

__all__ = [
    "Couple",
    "FamilyTree",
    "GrownTree",
    "Person",
    "Portrait",
    "draw_tree",
    "grow",
    "planned_files",
    "read_tree",
    "tree_of",
]
