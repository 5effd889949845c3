"""Three generations: two people, a daughter and a son of theirs, and the daughter's children with somebody else.

    python examples/family_tree.py father.jpg mother.jpg --partner partner.jpg --out family

`kinblend tree family.toml` does the same of a file (docs/family-tree.md). Here the tree is a mapping.
"""

import argparse

import kinblend
from kinblend.family_tree import predict_tree, tree_of
from kinblend.package_data import example_portrait


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("father", nargs="?", default=example_portrait("P007"))
    parser.add_argument("mother", nargs="?", default=example_portrait("P004"))
    parser.add_argument("--partner", default=example_portrait("P008"), help="whom the daughter has children with")
    parser.add_argument("--out", default="family", help="a folder")
    parser.add_argument("--side", type=int, default=200, help="pixels of each picture")
    arguments = parser.parse_args()

    family = {
        "title": "Three generations",
        "blender": "mask",  # brothers and sisters differ
        "person": [
            {"name": "Grandfather", "photo": str(arguments.father)},
            {"name": "Grandmother", "photo": str(arguments.mother)},
            {"name": "Son-in-law", "photo": str(arguments.partner)},
            {"name": "Daughter", "father": "Grandfather", "mother": "Grandmother", "age": 38},
            {"name": "Son", "father": "Grandfather", "mother": "Grandmother", "age": 34, "sex": "male"},
            {"name": "Granddaughter", "father": "Son-in-law", "mother": "Daughter", "age": 12, "sex": "female"},
            {"name": "Grandson", "father": "Son-in-law", "mother": "Daughter", "age": 4, "sex": "male"},
        ],
    }
    predicted = predict_tree(
        kinblend.Engine(),
        tree_of(family),
        arguments.out,
        side=arguments.side,
        progress=lambda name, done, total: print(f"{done + 1} of {total}: {name} …"),
    )
    for line in predicted.warnings:
        print(f"note: {line}")
    print(predicted.files[0])


if __name__ == "__main__":
    main()
