"""A StyleGAN2 pack with its e4e encoder, of the published sizes and made-up weights: to time what can't be fetched.

python benchmarks/packs.py RESOLUTION FOLDER
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from safetensors.torch import save_file

from kinblend.packs import Pack, write_description
from kinblend_plugins.e4e.network import Encoder4Editing
from kinblend_plugins.stylegan2.generator import Generator
from kinblend_plugins.stylegan2.names import to_nvidia

DEPTH = 8  # layers of the mapping network


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("resolution", type=int, choices=(64, 128, 256, 512, 1024))
    parser.add_argument("folder", type=Path)
    words = parser.parse_args()
    print(write(words.resolution, words.folder).folder)


def write(resolution: int, folder: Path) -> Pack:
    """The pack, in a folder that is made."""
    torch.manual_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    generator = made_up(resolution)
    encoder = Encoder4Editing(generator.layers).state_dict()
    average = torch.randn(generator.layers, generator.dim) * 0.3
    save_file({**encoder, "latent_avg": average}, folder / "encoder.safetensors")
    save_file(to_nvidia(generator.state_dict()), folder / "generator.safetensors")
    description = {
        "name": f"made-up-{resolution}",
        "encoder": "e4e",
        "projector": "stylegan2",
        "layers": generator.layers,
        "dim": generator.dim,
        "resolution": resolution,
        "generator": "generator.safetensors",
        "summary": "Made-up weights: for timings alone",
    }
    return write_description(folder, description, ["encoder.safetensors", "generator.safetensors"])


def made_up(resolution: int) -> Generator:
    """A generator as wide as the published ones."""
    widths = [min(512, 32768 // (4 << level)) for level in range(resolution.bit_length() - 2)]
    generator = Generator(widths, DEPTH)
    for name, parameter in generator.named_parameters():
        if name.endswith("noise_strength"):
            parameter.data.fill_(0.1)
    return generator.requires_grad_(False)


if __name__ == "__main__":
    main()
