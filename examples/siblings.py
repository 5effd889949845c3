"""Brothers and sisters, as different from each other as real ones, or more or less.

    python examples/siblings.py father.jpg mother.jpg --children 4 --different 0.7 --out siblings.webp

The same seed gives the same child again, byte for byte.
"""

import argparse

import kinblend
from kinblend.imaging.encode import write_picture
from kinblend.imaging.sheet import sheet
from kinblend.package_data import example_portrait


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("father", nargs="?", default=example_portrait("P007"))
    parser.add_argument("mother", nargs="?", default=example_portrait("P004"))
    parser.add_argument("--out", default="siblings.webp")
    parser.add_argument("--children", type=int, default=6)
    parser.add_argument("--different", type=float, default=0.5, help="0: alike; 1: as real ones; at most 1.5")
    parser.add_argument("--seed", type=int, default=0, help="of the first child; the others have those after it")
    parser.add_argument("--side", type=int, default=256, help="pixels of each picture")
    arguments = parser.parse_args()

    engine = kinblend.Engine()
    result = engine.run(
        arguments.father,
        arguments.mother,
        siblings=arguments.different,  # drawn for each child by its seed, whatever the strategy
        children=arguments.children,
        seed=arguments.seed,
        age=10,
        sex="any",  # girl or boy: drawn by the seed, too
    )
    for line in result.warnings:
        print(f"note: {line}")

    pictures = [result.father.crop, result.mother.crop, *(child.image for child in result.children)]
    captions = ["Father", "Mother"]
    for child, asked in zip(result.children, result.manifest["asked"], strict=True):
        captions.append(f"{asked['sex'] or 'child'}, seed {child.seed}")
    write_picture(arguments.out, sheet(pictures, columns=4, side=arguments.side, captions=captions))
    print(arguments.out)


if __name__ == "__main__":
    main()
