"""Directions of MobileStyleGAN's 23 layers, laid onto the 18 of StyleGAN2-FFHQ at 1024 px.

Both have the same space W: one was distilled from the other with its mapping network. So a direction moves a layer of
StyleGAN2 as it moves those of MobileStyleGAN that do the same: a convolution that doubles the size is two there, the
upsampling and a convolution. What is read from several layers is read from the one. The mean of w goes into the file,
so that a generator with this space can be told from others.

python benchmarks/lay_onto_18.py PACK/generator.safetensors DIRECTIONS.safetensors OUT.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

LEVELS, LAYERS = 7, 18  # of MobileStyleGAN after the first, 8 to 512 px; of StyleGAN2
SAME = [[0]]  # for each layer of StyleGAN2, those of MobileStyleGAN
for level in range(LEVELS):
    SAME += [[3 * level + 1, 3 * level + 2], [3 * level + 3]]
LAST = 3 * LEVELS + 1  # to the picture, which StyleGAN2 has three layers for


def moved(direction: Tensor) -> Tensor:
    """A change [23, D] as one [18, D]: the mean of the layers that it moves."""
    mean = [direction[same].sum(0) / direction[same].any(1).sum().clamp_min(1) for same in SAME]
    return torch.stack([*mean, *[direction[LAST]] * (LAYERS - len(SAME))])


def read(reader: Tensor) -> Tensor:
    """A reader [23, D] as one [18, D] that reads the same from codes of W."""
    out = torch.zeros(LAYERS, reader.shape[-1])
    for layer, same in enumerate(SAME):
        out[layer] = reader[same].sum(0)
    out[len(SAME)] = reader[LAST]
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    for name in ("generator", "directions", "out"):
        parser.add_argument(name, type=Path)
    words = parser.parse_args()
    tensors = {
        name: (read if name.endswith(".reader") else moved)(value.float()).to(value.dtype).contiguous()
        for name, value in load_file(words.directions).items()
    }
    tensors["mean.w"] = load_file(words.generator)["w_avg"].half()
    with safe_open(words.directions, framework="pt") as file:
        save_file(tensors, words.out, file.metadata())


if __name__ == "__main__":
    main()
