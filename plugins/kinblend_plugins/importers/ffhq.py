"""Directions for generators in the space of StyleGAN2-FFHQ, which are known by their mean w.

`ffhq.safetensors` holds the directions of `ffhq-mobile`, a distilled StyleGAN2-FFHQ, laid onto 18 layers
(`benchmarks/lay_onto_18.py`). Age and sex are published (encoder4editing, nima-kam/interfacegan; MIT). The others
were fitted to pictures of the distilled generator, and so was what age means in years: for non-commercial research.
"""

import shutil
from pathlib import Path

from torch import Tensor, cosine_similarity

from kinblend.tensor_files import safe_open

SHIPPED = Path(__file__).parent / "ffhq.safetensors"
LAYERS = 18
NEAR = 0.9  # cosine of two means of w; those of two trainings are about at right angles


def is_ffhq(layers: int, average: Tensor) -> bool:
    """Whether a generator with so many layers and this mean w, [D], has the space that the directions are of."""
    with safe_open(str(SHIPPED), framework="pt") as file:
        mean = file.get_tensor("mean.w").float()
    average = average.float().reshape(-1)
    return layers == LAYERS and len(average) == len(mean) and float(cosine_similarity(average, mean, 0)) > NEAR


def copy_directions(pack: Path) -> str:
    """Put the directions into a pack's folder. Returns the file's name there."""
    shutil.copyfile(SHIPPED, pack / "directions.safetensors")
    return "directions.safetensors"
