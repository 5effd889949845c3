"""How fast is `kinblend prepare`, stage by stage, and what does enlarging small faces give?

    python benchmarks/prepare.py FOLDER [--pictures N] [--upscale realesrgan] [--json FILE]

FOLDER holds a kinship set. Speeds are of one process with one thread. For the gain from enlarging, dlib's detector
looks for a face in each picture as it is, enlarged four times smoothly, and enlarged by Real-ESRGAN.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from pathlib import Path

import torch

from kinblend.faces.landmarks import landmarker
from kinblend.faces.upscale import enlarge
from kinblend.families.prepare import PrepareOptions
from kinblend.families.prepare.run import CHUNK
from kinblend.families.prepare.worker import run_stages
from kinblend.families.readers import read_families
from kinblend.files import file_sha256
from kinblend.imaging.decode import read_image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--upscale", default="realesrgan")
    parser.add_argument("--json", type=Path)
    words = parser.parse_args()
    torch.set_num_threads(1)
    everything = sorted(picture for person in read_families(words.folder)[1].people() for picture in person.pictures)
    pictures = random.Random(0).sample(everything, min(words.pictures, len(everything)))
    report = {
        "pictures": len(pictures),
        "images per second": {f"chunks of {size}": speed(pictures, size, words.upscale) for size in (1, CHUNK)},
        "share in which dlib finds the face": found(pictures),
    }
    print(json.dumps(report, indent=1))
    if words.json:
        words.json.write_text(json.dumps(report, indent=1) + "\n")


def speed(pictures: list[Path], size: int, upscaler: str) -> dict[str, float]:
    """Each stage's images per second; the first chunk warms up and doesn't count."""
    options = PrepareOptions(upscaler=upscaler)
    chunks = [[(file_sha256(p), str(p)) for p in pictures[at : at + size]] for at in range(0, len(pictures), size)]
    done: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as cache:
        for place, chunk in enumerate(chunks):
            for timing in run_stages((chunk, cache, options))[1]:
                if place:
                    done.setdefault(timing.stage, []).append(timing.seconds / max(timing.pictures, 1))
    return {stage: round(len(seconds) / sum(seconds), 2) for stage, seconds in done.items() if sum(seconds)}


def found(pictures: list[Path]) -> dict[str, float]:
    counts = {"as it is": 0, "bicubic": 0, "realesrgan": 0}
    seconds = 0.0
    for picture in pictures:
        image = read_image(picture)
        counts["as it is"] += landmarker().predict_by_own_detector(image, (0, 0, *image.size)) is not None
        for upscaler in ("bicubic", "realesrgan"):
            started = time.perf_counter()
            [large] = enlarge([image], upscaler)
            seconds += (time.perf_counter() - started) * (upscaler == "realesrgan")
            counts[upscaler] += landmarker().predict_by_own_detector(large, (0, 0, *large.size)) is not None
    shares = {way: round(count / len(pictures), 4) for way, count in counts.items()}
    return shares | {"seconds for one by realesrgan": round(seconds / len(pictures), 2)}


if __name__ == "__main__":
    main()
