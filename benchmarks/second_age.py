"""A second opinion on ages: a face network's features and a head of ours, fitted to the true ages of UTKFace.

The network is HSE-FaceRes (Savchenko 2019, a MobileNet trained on VGGFace2) of the npm package `@vladmandic/human`
(MIT): 1,024 features, and the means of three layers before them. The head is fitted to the ages in the names of
UTKFace's pictures (Zhang et al. 2017; research only). Neither has anything to do with face-api.

npm pack @vladmandic/human && tar xf vladmandic-human-*.tgz
python benchmarks/second_age.py UTKFACE package HEAD.safetensors
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dlib
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import Tensor

from kinblend.imaging import read_image
from kinblend_plugins.landmarkers.dlib_landmarks import FFHQ_BOX, predictor

SIDE, PADDING = 144, 0.17  # of a chip: pixels, and what is around the face
UTK_BOX = (0.1, 0.15, 0.9, 0.95)  # where a face is in UTKFace's aligned pictures
MEAN = (103.939, 116.779, 123.68)  # of blue, green and red
TAKEN = tuple(f"conv_pw_{number}_relu/clip_by_value" for number in (5, 8, 11))  # layers whose means are features
MOST = {True: 400, False: 70}  # pictures of a year, up to 20 and above
OLDEST, HIDDEN, EPOCHS, HEADS = 90, 192, 14, 2


class FaceNetwork:
    """MobileNet's graph, run node by node. folder: of the unpacked package."""

    def __init__(self, folder: Path) -> None:
        described = json.loads((folder / "models/faceres.json").read_text("utf-8"))
        weights = _weights(described["weightsManifest"][0]["weights"], (folder / "models/faceres.bin").read_bytes())
        users = {name: node for node in described["modelTopology"]["node"] for name in node.get("input", [])}
        self.steps, at = [], "input_1"
        while (node := users[at])["op"] != "Mean":
            other = next((weights[name] for name in node["input"] if name in weights), None)
            self.steps.append((node["op"], other, _stride(node), node["name"]))
            at = node["name"]

    @torch.inference_mode()
    def features(self, chips: Sequence[np.ndarray]) -> Tensor:
        """uint8 [S, S, 3] each → float32 [n, 2304]."""
        x = torch.from_numpy(np.stack(chips)).permute(0, 3, 1, 2).float()
        x, found = x.flip(1) - torch.tensor(MEAN)[:, None, None], []
        for op, other, stride, name in self.steps:
            x = _step(x, op, other, stride)
            if name in TAKEN:
                found.append(x.mean((2, 3)))
        return torch.cat([x.mean((2, 3)), *found], 1)


class SecondAge:
    """Years of faces in FFHQ geometry. folder: of the unpacked package. head: as `main` writes it."""

    def __init__(self, folder: Path, head: Path) -> None:
        self.network, self.head = FaceNetwork(folder), load_file(head)

    def __call__(self, pictures: Sequence[Image.Image]) -> Tensor:
        """float32 [n]."""
        return years(self.head, self.network.features([chip(picture, FFHQ_BOX) for picture in pictures]))


def years(head: dict[str, Tensor], features: Tensor) -> Tensor:
    """The mean of what the heads expect, [n]."""
    x = ((features - head["mean"]) / head["spread"]).clamp(-6, 6)
    ages = torch.arange(OLDEST + 1).float()
    return torch.stack([_logits(_part(head, number), x).softmax(1) @ ages for number in range(HEADS)]).mean(0)


def chip(picture: Image.Image, box: tuple[float, float, float, float]) -> np.ndarray:
    """The upright face, uint8 [S, S, 3]. box: where to look for it, in units of the picture's side."""
    pixels = np.asarray(picture.convert("RGB"))
    rough = _landmarks(pixels, [round(share * picture.width) for share in box])
    points = np.array([(point.x, point.y) for point in rough.parts()])
    low, high = points.min(0), points.max(0)
    (x, y), reach = (low + high) / 2, (high - low).max() / 2
    sides = (x - reach, y - 0.95 * reach, x + reach, y + 1.05 * reach)
    return dlib.get_face_chip(pixels, _landmarks(pixels, [int(side) for side in sides]), SIDE, PADDING)


def fit_head(features: Tensor, ages: Tensor, seed: int) -> dict[str, Tensor]:
    """A small network to a distribution over years: the true one, blurred."""
    torch.manual_seed(seed)
    width = torch.where(ages < 20, 0.8 + 0.06 * ages, 2.5 + 0.04 * ages)
    grid = torch.arange(OLDEST + 1).float()
    truth = torch.exp(-0.5 * ((grid - ages[:, None]) / width[:, None]).square())
    truth = truth / truth.sum(1, keepdim=True)
    head = {
        "in": torch.randn(HIDDEN, features.shape[1]) * 0.5 / features.shape[1] ** 0.5,
        "in.bias": torch.zeros(HIDDEN),
        "out": 0.01 * torch.randn(OLDEST + 1, HIDDEN),
        "out.bias": torch.zeros(OLDEST + 1),
    }
    for tensor in head.values():
        tensor.requires_grad_()
    optimizer = torch.optim.AdamW(head.values(), lr=1.5e-3, weight_decay=0.3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1.5e-3, EPOCHS * (len(ages) // 128))
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(ages)).split(128)[: len(ages) // 128]:
            guess = _logits(head, features[rows], dropout=True).log_softmax(1)
            away = (guess.exp() @ grid - ages[rows]).abs() / width[rows]
            loss = 0.02 * away.mean() - (truth[rows] * guess).sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return {name: tensor.detach() for name, tensor in head.items()}


def main() -> None:
    words = _words()
    network, ages, features, chips = FaceNetwork(words.human), [], [], []
    chosen = list(_chosen(words.utkface))
    for age, path in chosen:
        chips.append(_worn(chip(read_image(path), UTK_BOX)))
        ages.append(age)
        if len(chips) == 16 or len(ages) == len(chosen):
            features.append(network.features(chips))
            chips = []
    x, truth = torch.cat(features), torch.tensor(ages).float()
    order = torch.randperm(len(truth), generator=torch.Generator().manual_seed(0))
    tested, known = order[:900], order[900:]
    head = {"mean": x[known].mean(0), "spread": x[known].std(0) + 1e-3}
    ready = ((x - head["mean"]) / head["spread"]).clamp(-6, 6)
    for number in range(HEADS):
        one = fit_head(ready[known], truth[known], number)
        head |= {f"{number}.{name}": tensor for name, tensor in one.items()}
    save_file(head, words.out)
    away = (years(head, x[tested]) - truth[tested]).abs()
    for low, high in ((1, 6), (6, 14), (14, 25), (25, 50), (50, 91)):
        among = (truth[tested] >= low) & (truth[tested] < high)
        print(f"{low} to {high - 1} years: {float(away[among].mean()):.1f} years off")


def _chosen(folder: Path) -> list[tuple[int, Path]]:
    """Ages and pictures, the young more often than they come by themselves."""
    files, count, found = sorted(folder.glob("*_*_*.jpg")), dict.fromkeys(range(OLDEST + 1), 0), []
    random.Random(1).shuffle(files)
    for path in files:
        age = int(path.name.split("_")[0])
        if age <= OLDEST and count[age] < MOST[age <= 20]:
            count[age] += 1
            found.append((age, path))
    return found


def _worn(pixels: np.ndarray) -> np.ndarray:
    """Half of all mirrored, a third blurred, as small photographs and generated faces are."""
    if random.random() < 0.5:
        pixels = np.ascontiguousarray(pixels[:, ::-1])
    if random.random() < 0.35:
        side, picture = random.randint(60, 110), Image.fromarray(pixels)
        pixels = np.asarray(picture.resize((side, side)).resize((SIDE, SIDE)))
    return pixels


def _logits(head: dict[str, Tensor], x: Tensor, dropout: bool = False) -> Tensor:
    hidden = F.gelu(F.dropout(x, 0.2, dropout) @ head["in"].T + head["in.bias"])
    return F.dropout(hidden, 0.5, dropout) @ head["out"].T + head["out.bias"]


def _part(head: dict[str, Tensor], number: int) -> dict[str, Tensor]:
    return {name.removeprefix(f"{number}."): value for name, value in head.items() if name.startswith(f"{number}.")}


def _step(x: Tensor, op: str, other: Tensor | None, stride: int) -> Tensor:
    if op in ("Conv2D", "DepthwiseConv2dNative"):
        missing = max((-(-x.shape[3] // stride) - 1) * stride + other.shape[0] - x.shape[3], 0)
        x = F.pad(x, (missing // 2, missing - missing // 2) * 2)
        if op == "Conv2D":
            return F.conv2d(x, other.permute(3, 2, 0, 1).contiguous(), stride=stride)
        return F.conv2d(x, other.permute(2, 3, 0, 1).contiguous(), stride=stride, groups=x.shape[1])
    steps = {
        "Mul": lambda: x * other.reshape(1, -1, 1, 1),
        "Add": lambda: x + other.reshape(1, -1, 1, 1),
        "Relu": x.relu,
        "Minimum": lambda: x.clamp(max=6),
        "Maximum": lambda: x.clamp(min=0),
    }
    return steps[op]()


def _stride(node: dict[str, Any]) -> int:
    known = node.get("attr", {}).get("strides")
    return int(known["list"]["i"][1]) if known else 1


def _weights(entries: Sequence[dict[str, Any]], data: bytes) -> dict[str, Tensor]:
    """The manifest's tensors; those of 8 bits have a scale and a smallest value."""
    found, start = {}, 0
    for entry in entries:
        quantised = entry.get("quantization", {})
        kind = np.dtype(quantised.get("dtype", entry["dtype"]))
        values = np.frombuffer(data, kind, int(np.prod(entry["shape"])), start).astype(np.float32)
        start += values.size * kind.itemsize
        if "scale" in quantised:
            values = values * quantised["scale"] + quantised["min"]
        found[entry["name"]] = torch.from_numpy(values.reshape(entry["shape"]).copy())
    return found


def _landmarks(pixels: np.ndarray, box: Sequence[int]) -> Any:
    return predictor()(pixels, dlib.rectangle(*box))


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("utkface", type=Path, help="folder of aligned pictures, AGE_SEX_ORIGIN_TIME.jpg")
    parser.add_argument("human", type=Path, help="folder of the unpacked npm package")
    parser.add_argument("out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
