"""A family tree: a file of people in, a picture of every descendant out, drawn as a tree.

`read_tree` reads and checks the file, `predict_tree` predicts those who have no photograph, parents before children.
`outline_of` and `predict_people` do the same in memory, for people who are encoded already.

>>> import kinblend
>>> from kinblend.family_tree import predict_tree, read_tree
>>> predicted = predict_tree(kinblend.Engine(), read_tree("family.toml"), "tree")  # doctest: +SKIP
>>> predicted.picture.save("tree.jpg")  # doctest: +SKIP
"""

from kinblend.family_tree.draw import Portrait, draw_tree
from kinblend.family_tree.making import PeopleMade, predict_people
from kinblend.family_tree.people import Couple, FamilyTree, Person
from kinblend.family_tree.predict import PredictedTree, planned_files, predict_tree
from kinblend.family_tree.read import outline_of, parse_tree, read_tree, tree_of

__all__ = [
    "Couple",
    "FamilyTree",
    "PeopleMade",
    "Person",
    "Portrait",
    "PredictedTree",
    "draw_tree",
    "outline_of",
    "parse_tree",
    "planned_files",
    "predict_people",
    "predict_tree",
    "read_tree",
    "tree_of",
]
