"""Who gives what: the same child with one group of layers at a time from the father, and all else from the mother.

    python examples/who_gives_what.py father.jpg mother.jpg --out groups.webp

Below each child is its weight map, a row for each layer: blue where the value is the father's, orange the mother's.
"""

import argparse

import torch
from PIL import Image

import kinblend
from kinblend.imaging.encode import write_picture
from kinblend.imaging.sheet import sheet
from kinblend.package_data import example_portrait

FATHER, MOTHER = (31, 119, 180), (255, 170, 80)


def draw(weights: kinblend.WeightMap, side: int) -> Image.Image:
    """A weight map, float32 [L, D] in [0, 1], as a picture: layers from above to below."""
    share = weights.values[..., None]  # the father's
    colours = share * torch.tensor(FATHER) + (1 - share) * torch.tensor(MOTHER)
    return Image.fromarray(colours.round().to(torch.uint8).numpy()).resize((side, side), Image.Resampling.NEAREST)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("father", nargs="?", default=example_portrait("P007"))
    parser.add_argument("mother", nargs="?", default=example_portrait("P004"))
    parser.add_argument("--out", default="groups.webp")
    parser.add_argument("--side", type=int, default=256, help="pixels of each picture")
    arguments = parser.parse_args()

    engine = kinblend.Engine()
    father, mother = engine.parent(arguments.father), engine.parent(arguments.mother)
    pictures, captions, maps = [mother.crop], ["Mother"], [Image.new("RGB", (1, 1), MOTHER)]
    for group, (first, last) in engine.backbone.context.layer_groups().items():
        shares = torch.zeros(engine.backbone.space.layers, engine.backbone.space.dim)
        shares[first : last + 1] = 1  # these layers from the father, all others from the mother
        child = engine.run(father, mother, blender=shares, sex="girl").children[0]
        pictures.append(child.image)
        captions.append(f"his {group}")
        maps.append(draw(child.weight_map, arguments.side))
    pictures, captions = [*pictures, father.crop], [*captions, "Father"]
    maps.append(Image.new("RGB", (1, 1), FATHER))

    rows = sheet([*pictures, *maps], columns=len(maps), side=arguments.side, captions=[*captions, *[""] * len(maps)])
    write_picture(arguments.out, rows)
    print(arguments.out)


if __name__ == "__main__":
    main()
