"""What each strategy makes of the same two people: a picture with all children side by side.

    python examples/compare_strategies.py father.jpg mother.jpg --out strategies.webp

Without photographs the parents are two synthetic people of the package openpeople.
"""

import argparse

import kinblend
from kinblend.errors import WeightsMissingError
from kinblend.imaging.encode import write_picture
from kinblend.imaging.sheet import sheet
from kinblend.package_data import example_portrait

STRATEGIES = ("average", "slerp", "dimension", "layer", "mask", "learned")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("father", nargs="?", default=example_portrait("P007"))
    parser.add_argument("mother", nargs="?", default=example_portrait("P004"))
    parser.add_argument("--out", default="strategies.webp")
    parser.add_argument("--side", type=int, default=256, help="pixels of each picture")
    arguments = parser.parse_args()

    engine = kinblend.Engine()
    # Finding and encoding the faces takes longest, so it is done once; `run` takes people as it takes photographs.
    father, mother = engine.parent(arguments.father), engine.parent(arguments.mother)
    pictures, captions = [father.crop, mother.crop], ["Father", "Mother"]
    for name in STRATEGIES:
        try:
            result = engine.run(father, mother, blender=name, age=8, sex="girl", seed=1)
        except WeightsMissingError as why:  # such as `learned`, on a backbone that it was not trained on
            print(f"left out: {why}")
            continue
        pictures.append(result.children[0].image)
        alike = result.manifest["similarity"][0]  # cosines of an identity network's embeddings
        captions.append(name)
        print(f"{name}: like father {alike['father']:.2f}, like mother {alike['mother']:.2f}")

    write_picture(arguments.out, sheet(pictures, columns=4, side=arguments.side, captions=captions))
    print(arguments.out)


if __name__ == "__main__":
    main()
