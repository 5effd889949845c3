"""Drawn faces, small and quickly made, for trainings that take seconds."""

import io
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import torch
from PIL import Image, ImageDraw

from kinblend.training.ranks import Ranks
from kinblend_plugins.stylegan2.training.recipe import Recipe
from kinblend_plugins.stylegan2.training.session import Session


def picture(number: int, size: int = 32) -> Image.Image:
    """A face of its own skin, width and background for each number."""
    random = np.random.default_rng(number)
    ground, skin = (tuple(int(v) for v in random.integers(0, 256, 3)) for _ in range(2))
    image = Image.new("RGB", (size, size), ground)
    draw = ImageDraw.Draw(image)
    half, high = size * random.uniform(0.2, 0.4), size * random.uniform(0.3, 0.45)
    middle = size / 2
    draw.ellipse((middle - half, middle - high, middle + half, middle + high), fill=skin)
    for side in (-1, 1):
        x, y = middle + side * half * 0.45, middle - high * 0.2
        draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=(20, 20, 20))
    draw.line((middle - half * 0.4, middle + high * 0.5, middle + half * 0.4, middle + high * 0.5), fill=(90, 20, 20))
    return image


def write_faces(path: Path, train: int = 24, val: int = 8, size: int = 32) -> Path:
    """A zip with an index as the training reads it."""
    rows = ["file,split,source"]
    with ZipFile(path, "w") as archive:
        for number in range(train + val):
            buffer = io.BytesIO()
            picture(number, size).save(buffer, "PNG")
            archive.writestr(f"face{number}.png", buffer.getvalue())
            rows.append(f"face{number}.png,{'train' if number < train else 'val'},drawn")
        archive.writestr("index.csv", "\n".join(rows) + "\n")
    return path


def pixels(count: int, size: int = 16) -> torch.Tensor:
    """uint8 [count, 3, size, size]."""
    arrays = [np.asarray(picture(number).resize((size, size), Image.Resampling.LANCZOS)) for number in range(count)]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).contiguous()


def tiny(**changes: object) -> Recipe:
    """A recipe of a few thousand weights."""
    values = {"faces": Path("toy.zip"), "resolution": 16, "width": 12, "taper": 192, "depth": 1, "dim": 16}
    small = {"batch": 4, "identity": "off", "device": "cpu", "precision": "fp32", "average_images": 200}
    soon = {"delta_start": 40, "delta_every": 8, "warmup": 5, "checkpoint_minutes": 0.0}
    return Recipe(**values | small | soon | changes)


def session(faces: int = 16, **changes: object) -> Session:
    """A training of the tiny recipe."""
    return Session(tiny(**changes), pixels(faces), Ranks(torch.device("cpu")))
