"""Makes kinblend/faces/head.safetensors, the rigid 68 points in space that poses are measured with.

    python benchmarks/head_model.py FACES.zip [--out FILE]

FACES.zip holds pictures of many people, one face each, turned this way and that. Each picture's pose and the points
in space are solved for in turn (factorization, Tomasi & Kanade 1992), the points mirrored onto themselves each time.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from kinblend.faces.detect import detect
from kinblend.faces.head_pose import MODEL, RIGID, angles, fit_rotation
from kinblend.faces.landmarks import predict
from kinblend.storage.archives import open_archive

ROUNDS = 60  # after about 20 only the tilt still moves, which is free and set at the end
# dlib's points, left ↔ right of the face.
MIRROR = np.arange(68)
MIRROR[:27] = [*range(16, -1, -1), *range(26, 16, -1)]
MIRROR[31:48] = [35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40]
MIRROR[48:] = [54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("faces", type=Path)
    parser.add_argument("--out", type=Path, default=MODEL)
    words = parser.parse_args()
    shapes = normalized(landmarks(words.faces))
    points = factorize(shapes)
    save_file({"points": upright(points, shapes).astype(np.float32)}, words.out)
    print(f"{words.out}: from {len(shapes)} faces")


def landmarks(path: Path) -> NDArray[Any]:
    found = []
    with open_archive(path) as archive:
        for name in sorted(archive.names()):
            if name.endswith((".webp", ".png", ".jpg")):
                image = archive.picture(name)
                faces = detect(image)
                if len(faces) == 1:
                    found.append(predict(image, faces[0].box))
    return np.stack(found)


def normalized(shapes: NDArray[Any]) -> NDArray[Any]:
    centred = shapes - shapes[:, RIGID].mean(1, keepdims=True)
    return centred / np.sqrt(np.square(centred).sum((1, 2), keepdims=True) / centred.shape[1])


def factorize(shapes: NDArray[Any]) -> NDArray[Any]:
    """The points in space [68, 3] that all shapes [n, 68, 2] are pictures of, as nearly as can be."""
    points = mirrored(np.dstack([shapes.mean(0)[None], rough_depth(shapes.mean(0))[None]])[0])
    for _ in range(ROUNDS):
        cameras = []
        for shape in shapes:
            rotation, scale, _ = fit_rotation(points[list(RIGID)], shape[list(RIGID)])
            cameras.append(scale * rotation[:2])
        c = np.stack(cameras)
        solved = np.linalg.solve(np.einsum("nij,nik->jk", c, c), np.einsum("nij,npi->jp", c, shapes)).T
        solved = mirrored(solved - solved[list(RIGID)].mean(0))
        solved /= np.sqrt(np.square(solved[:, :2]).sum() / len(solved))
        points = solved
    return points


def rough_depth(flat: NDArray[Any]) -> NDArray[Any]:
    """To begin with: a face is rounder than a plane, and its nose stands out."""
    depth = 0.6 * np.square(flat[:, 0]) + 0.15 * np.square(flat[:, 1])
    depth[27:31] += [-0.1, -0.2, -0.35, -0.5]
    depth[31:36] -= 0.15
    return depth


def mirrored(points: NDArray[Any]) -> NDArray[Any]:
    return (points + points[MIRROR] * [-1, 1, 1]) / 2


def upright(points: NDArray[Any], shapes: NDArray[Any]) -> NDArray[Any]:
    """The points tilted so that the median face has no pitch, in units of the distance between the eyes' corners."""
    pitches = [angles(fit_rotation(points[list(RIGID)], shape[list(RIGID)])[0])[1] for shape in shapes]
    tilt = np.radians(-np.median(pitches))
    turn = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    turned = points @ turn.T
    return turned / np.linalg.norm(turned[36] - turned[45])


if __name__ == "__main__":
    main()
