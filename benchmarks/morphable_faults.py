"""How far the embedded backbone has the faults it was known for, as numbers read from children's pictures.

beard: children of eight in the surroundings of fathers with beards. How much darker the rim outside of the jaw is
than the cheeks, as a logarithm, beside the fathers' own photographs.
teeth: people who smile with open mouths, calmed. How strong upright edges are within the mouth, as
logarithms over a twentieth of an eye distance, beside people photographed with closed mouths.
patches: siblings by `mask`. How steep the skin's colours change, as a share of the steeper parent's.
old: children of 80 years and of 30. How much greyer or greener than the cheeks brows and lids are, as a logarithm.
skin: children of one photograph twice, and of two photographs of one person. How strong the finest texture of the
cheeks is, as a share of that person's.

python benchmarks/morphable_faults.py FACES.zip [--couples 24] [--only beard …]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Draw
from PIL import ImageDraw
from PIL.Image import Image

from kinblend import Engine, Latent
from kinblend.cli.demo import example
from kinblend.evaluation.face_dataset import read_faces
from kinblend.faces import predict_in_crop

Floats = NDArray[np.float64]
PEOPLE = [f"P{number:03}" for number in range(1, 11)]
CHEEKS = ((41, 31, 48, 3), (46, 35, 54, 13))
RIM = range(4, 13)  # landmarks of the jaw below the ears
OUTWARD = 1.05  # of the way from the nose to the jaw: outside of it
BEARDED, HAIRY = 0.25, 1.5  # how much darker than the cheeks a chin is, a logarithm; how strong its finest texture is
OPEN, CLOSED = 0.12, 0.02  # eye distances between the lips
BROWS_AND_LIDS = ((18, 37), (19, 37), (24, 44), (25, 44))


class Face:
    """A picture of a face, what is read from it, and its latent, which is made when it is asked for."""

    def __init__(self, picture: Image, engine: Engine) -> None:
        self.picture, self.look, self._engine = picture, Look(picture), engine

    @cached_property
    def latent(self) -> Latent:
        return self._engine.backbone.encode([self.picture])[0]


class Look:
    """What is read from one picture of a face."""

    def __init__(self, picture: Image) -> None:
        self.pixels = np.asarray(picture.convert("RGB"), dtype=np.float64)
        self.points: Floats = np.asarray(predict_in_crop(picture), dtype=np.float64)
        self.eyes = float(np.hypot(*(self.points[42:48].mean(0) - self.points[36:42].mean(0))))

    def patch(self, place: Floats, reach: float = 0.04) -> Floats:
        """Logarithms of the median colour round a place, [3]."""
        half = max(1, round(reach * self.eyes))
        x, y = (round(float(value)) for value in place.clip(0, len(self.pixels) - 1))
        part = self.pixels[max(0, y - half) : y + half + 1, max(0, x - half) : x + half + 1]
        return np.asarray(np.log(np.median(part.reshape(-1, 3), 0) + 8))

    def cheeks(self) -> Floats:
        return np.mean([self.patch(self.points[list(of)].mean(0)) for of in CHEEKS], 0)

    def beard(self) -> float:
        """How much darker than the cheeks the chin is, where its finest texture is stronger; else 0."""
        chin = (self.points[57] + self.points[8]) / 2
        hairs = min(self.finest(self.points[[4, 48]].mean(0)), self.finest(self.points[[12, 54]].mean(0)))
        cheeks = max(self.finest(self.points[list(of)].mean(0)) for of in CHEEKS)
        return float((self.cheeks() - self.patch(chin)).mean()) if hairs > HAIRY * cheeks else 0.0

    def finest(self, place: Floats) -> float:
        """How strong the finest texture is round a place, in grey levels."""
        half = max(2, round(0.12 * self.eyes))
        x, y = (round(float(value)) for value in place.clip(half, len(self.pixels) - half - 1))
        return float(np.sqrt(np.square(self._fine()[y - half : y + half + 1, x - half : x + half + 1]).mean()))

    def _fine(self) -> Floats:
        grey = self.pixels.mean(2)
        around = np.roll(grey, 1, 0) + np.roll(grey, -1, 0) + np.roll(grey, 1, 1) + np.roll(grey, -1, 1)
        return np.asarray(grey - around / 4)

    def rim(self) -> float:
        """How much darker than the cheeks the places just outside of the jaw are."""
        nose = self.points[30]
        places = [nose + (self.points[i] - nose) * OUTWARD for i in RIM]
        return float((self.cheeks() - np.median([self.patch(place, 0.02) for place in places], 0)).mean())

    def mouth(self) -> float:
        """How far the lips are apart."""
        return float(np.hypot(*(self.points[65:68][::-1] - self.points[61:64]).mean(0)) / self.eyes)

    def teeth(self) -> float:
        """How strong upright edges are within the mouth, logarithms over a twentieth of an eye distance."""
        step = max(1, round(self.eyes / 20))
        mask = Draw.new("1", (len(self.pixels), len(self.pixels)))
        ImageDraw.Draw(mask).polygon([tuple(point) for point in self.points[48:60]], fill=1)
        inside, green = np.asarray(mask), np.log(self.pixels[..., 1] + 8)
        within = inside[:, step:] & inside[:, :-step]
        return float(np.abs(green[:, step:] - green[:, :-step])[within].mean())

    def steepness(self) -> float:
        """How fast the skin's colour changes at its steepest, logarithms over a tenth of an eye distance."""
        step = max(1, round(self.eyes / 10))
        size = len(self.pixels) // step
        coarse = self.pixels[: size * step, : size * step].reshape(size, step, size, step, 3).mean((1, 3))
        logs = np.log(coarse + 8)
        tints = np.stack([logs[..., 0] - logs[..., 1], logs[..., 1] - logs[..., 2]], -1)
        grid = (np.indices((size, size))[::-1].reshape(2, -1).T + 0.5) * step
        where = self._skin(grid).reshape(size, size)
        down = np.abs(np.diff(tints, axis=0)).sum(2)[where[1:] & where[:-1]]
        return float(np.quantile(down, 0.99))

    def _skin(self, places: Floats) -> NDArray[np.bool_]:
        """Which places are on the cheeks: between the eyes and the mouth, not on the nose, within the jaw."""
        low, high = self.points[[48, 54], 1].mean(), self.points[[41, 46], 1].mean() + 0.15 * self.eyes
        x, y = places.T
        nose = (x > self.points[31, 0] - 0.2 * self.eyes) & (x < self.points[35, 0] + 0.2 * self.eyes)
        left, right = self.points[3, 0] + 0.15 * self.eyes, self.points[13, 0] - 0.15 * self.eyes
        return np.asarray((y > high) & (y < low) & (x > left) & (x < right) & ~nose)

    def brows(self) -> float:
        """How much redder than green the cheeks are, beyond brows and lids: grey and green are less red."""
        places = [(self.points[i] + self.points[j]) / 2 for i, j in BROWS_AND_LIDS]
        found = np.mean([self.patch(place, 0.03) for place in places], 0)
        cheeks = self.cheeks()
        return float((cheeks[0] - cheeks[1]) - (found[0] - found[1]))

    def texture(self) -> float:
        """How strong the finest texture of the cheeks is, in grey levels."""
        fine = self._fine()
        y, x = np.indices(fine.shape)
        where = self._skin(np.stack([x.ravel(), y.ravel()], 1).astype(np.float64)).reshape(fine.shape)
        return float(np.sqrt(np.square(fine[where]).mean()))


class Bench:
    """The people, and what is asked of them."""

    def __init__(self, engine: Engine, faces: Path, couples: int) -> None:
        self.engine, self.couples, self.editor = engine, couples, engine.editor()
        self.studio = [Face(engine.parent(example(person)).crop, engine) for person in PEOPLE]
        self.strangers: list[Face] = []
        self._rest = read_faces(faces)

    def some(self, wanted: Callable[[Look], bool]) -> list[Face]:
        """The people of the studio who are wanted and, as far as they do not suffice, others."""
        found = [face for face in self.studio if wanted(face.look)]
        for face in self.strangers:
            if len(found) < self.couples and wanted(face.look):
                found.append(face)
        while len(found) < self.couples and self._rest:
            face = Face(self._rest.pop(0), self.engine)
            self.strangers.append(face)
            if wanted(face.look):
                found.append(face)
        return found[: self.couples]

    def calm(self, latent: Latent) -> Latent:
        return self.engine.neutral(latent, self.editor)

    def child(self, father: Latent, mother: Latent, background: str, edits: dict[str, float | str]) -> Look:
        strategy = self.engine.blender("average")
        born = self.engine.blend(self.calm(father), self.calm(mother), strategy, 0, {"background": background}).latent
        return self.show(self.engine.edit(born, self.editor, edits))

    def show(self, latent: Latent) -> Look:
        return Look(self.engine.backbone.render([latent])[0])

    def beard(self) -> str:
        fathers = self.some(lambda look: look.beard() > BEARDED)
        mothers = self.some(lambda look: look.beard() == 0)
        children = [
            self.child(father.latent, mother.latent, "father", {"age": "8y"}).rim()
            for father, mother in zip(fathers, mothers, strict=False)
        ]
        return f"{len(fathers)} fathers: {median(f.look.rim() for f in fathers):.2f}; children {median(children):.2f}"

    def teeth(self) -> str:
        smiling = self.some(lambda look: look.mouth() > OPEN)
        closed = self.some(lambda look: look.mouth() < CLOSED)
        calmed = [self.show(self.calm(face.latent)).teeth() for face in smiling]
        return (
            f"{len(smiling)} smiles: {median(f.look.teeth() for f in smiling):.3f}; calmed {median(calmed):.3f}; "
            f"{len(closed)} closed mouths: {median(f.look.teeth() for f in closed):.3f}"
        )

    def patches(self) -> str:
        people = self.some(lambda look: True)
        mask = self.engine.blender("mask")
        ratios = []
        for number, (father, mother) in enumerate(zip(people[::2], people[1::2], strict=False)):
            calm = [self.calm(face.latent) for face in (father, mother)]
            steepest = max(self.show(latent).steepness() for latent in calm)
            siblings = [self.engine.blend(*calm, mask, 4 * number + seed).latent for seed in range(4)]
            ratios += [self.show(latent).steepness() / steepest for latent in siblings]
        return (
            f"{len(ratios)} siblings: {median(ratios):.2f} of the steeper parent, 90th percentile "
            f"{np.quantile(ratios, 0.9):.2f}"
        )

    def old(self) -> str:
        people = self.some(lambda look: True)
        found: dict[int, list[float]] = {30: [], 80: []}
        for father, mother in zip(people[::2], people[1::2], strict=False):
            for age, values in found.items():
                values.append(self.child(father.latent, mother.latent, "mother", {"age": f"{age}y"}).brows())
        return "; ".join(f"at {age} {median(v):+.3f}, 90 % {np.quantile(v, 0.9):+.3f}" for age, v in found.items())

    def skin(self) -> str:
        twice, both = [], []
        for person, face in zip(PEOPLE, self.studio, strict=True):
            selfie = self.engine.parent(example(person).with_name("amateur_selfie.jpg"))
            strategy = self.engine.blender("average")
            same = self.engine.blend(face.latent, face.latent, strategy).latent
            pair = self.engine.blend(face.latent, selfie.latent, strategy).latent
            own = [self.show(latent).texture() for latent in (face.latent, selfie.latent)]
            twice.append(self.show(same).texture() / own[0])
            both.append(self.show(pair).texture() / float(np.sqrt(np.mean(np.square(own)))))
        return (
            f"one photograph twice {median(twice):.2f}, at most {max(twice):.2f}; two of one person "
            f"{median(both):.2f}, {min(both):.2f} to {max(both):.2f}"
        )


PARTS = ("beard", "teeth", "patches", "old", "skin")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("faces", type=Path, help="zip of aligned faces")
    parser.add_argument("--couples", type=int, default=24)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    words = parser.parse_args(arguments)
    bench = Bench(Engine("morphable"), words.faces, words.couples)
    for part in words.only:
        print(f"{part}: {getattr(bench, part)()}", flush=True)


if __name__ == "__main__":
    main()
