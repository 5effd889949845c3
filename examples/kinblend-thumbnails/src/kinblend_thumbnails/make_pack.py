"""`python -m kinblend_thumbnails.make_pack FOLDER` writes the pack that the plugin ships."""

import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from kinblend.packs import write_description

DESCRIPTION = {
    "name": "thumbnails",
    "encoder": "thumbnails",
    "projector": "thumbnails",
    "layers": 3,
    "dim": 256,
    "resolution": 128,
    "generator": "generator.safetensors",
    "summary": "faces of 16 × 16 pixels",
    "licence": "MIT",
}


def main(folder):
    """The mean picture is plain skin on grey: a backbone worth its name would measure it."""
    folder.mkdir(parents=True, exist_ok=True)
    mean = torch.tensor([0.2, 0.0, -0.1])[:, None].expand(3, 256).contiguous()
    save_file({"mean": mean}, folder / "generator.safetensors")
    write_description(folder, DESCRIPTION, ["generator.safetensors"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
