"""One child at several ages: blended once, then edited to each age.

python examples/ages.py father.jpg mother.jpg --ages 2,6,12,20,40,70 --out ages.webp
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
    parser.add_argument("--out", default="ages.webp")
    parser.add_argument("--ages", default="3,8,16,30,45,65", help="years, comma between")
    parser.add_argument("--sex", default="female", choices=["female", "male"])
    parser.add_argument("--side", type=int, default=256, help="pixels of each picture")
    arguments = parser.parse_args()

    engine = kinblend.Engine()
    editor = engine.editor()
    father, mother = engine.parent(arguments.father), engine.parent(arguments.mother)
    # A child does not inherit half a smile: both parents are made neutral first, as `Engine.run` does by itself.
    his, hers = engine.neutral(father.latent, editor), engine.neutral(mother.latent, editor)
    child = engine.blend(his, hers, "average")

    ages = [float(word) for word in arguments.ages.split(",")]
    # Each age is an edit of the same blend, not of the age before it, so that nothing adds up.
    latents = [engine.edit(child, editor, {"age": f"{age:g}y", "gender": arguments.sex}) for age in ages]
    pictures = engine.render(latents)

    captions = [f"{age:g} years" for age in ages]
    columns = min(len(ages), 3)
    write_picture(arguments.out, sheet(pictures, columns=columns, side=arguments.side, captions=captions))
    print(arguments.out)


if __name__ == "__main__":
    main()
