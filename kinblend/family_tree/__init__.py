"""A family tree: a file of people in, a picture of every descendant out, drawn as a tree.

`read_tree` reads and checks the file, `predict_tree` predicts those who have no photograph, parents before children.

>>> import kinblend
>>> from kinblend.family_tree import predict_tree, read_tree
>>> predicted = predict_tree(kinblend.Engine(), read_tree("family.toml"), "tree")  # doctest: +SKIP
>>> predicted.picture.save("tree.jpg")  # doctest: +SKIP
"""

from kinblend.family_tree.draw import Portrait, draw_tree
from kinblend.family_tree.people import Couple, FamilyTree, Person
from kinblend.family_tree.predict import PredictedTree, planned_files, predict_tree
from kinblend.family_tree.read import read_tree, tree_of

__all__ = [
    "Couple",
    "FamilyTree",
    "Person",
    "Portrait",
    "PredictedTree",
    "draw_tree",
    "planned_files",
    "predict_tree",
    "read_tree",
    "tree_of",
]
