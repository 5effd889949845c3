"""What parts of the face from one parent change: the part, or the rest of the face as well.

python benchmarks/parts.py [--backbone NAME] [--couples 20] [--elements] [--sheet FILE]

For each couple and each part there are two children, one with the father's and one with the mother's. Between these
the part should change at least five times as much as the rest of the face, and look like whose it is. --elements does
the same by elements of the code, those whose gradients reach the part most, and no strategy of kinblend's.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean, median

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from kinblend import Engine, Latent
from kinblend.cli.demo import example
from kinblend.faces import landmarks_in_crop, part_masks
from kinblend.faces.face_regions import REGIONS, masks_of
from kinblend.imaging import to_batch
from kinblend.imaging.encode import write_picture
from kinblend.imaging.sheet import sheet
from kinblend.interfaces import SamplesLatents

SIDE = 256  # px of the pictures that are compared
LAW = 5.0
PSI = 0.7
# Of the package openpeople; P003 looks like somebody.
COUPLES = (
    *(("P007", "P004"), ("P005", "P002"), ("P008", "P009"), ("P007", "P010"), ("P005", "P001"), ("P008", "P006")),
)
SHARES = (0.005, 0.05, 0.1)  # of all elements
PROBES = 4  # random directions in which gradients of a region are taken

Couple = tuple[Latent, Latent]


def main() -> None:
    words = _words()
    engine = Engine(words.backbone)
    strategy = words.blender
    names = list(engine.blender(strategy).names_for("parts"))
    couples = [*example_couples(engine), *drawn_couples(engine, words.couples)]
    print(f"{engine.backbone.name}: {len(couples)} couples, {', '.join(names)}", flush=True)
    if words.sheet:
        write_picture(words.sheet, _sheet(engine, strategy, names, words.age))
    elif words.elements:
        _by_elements(engine, couples, names)
    else:
        _by_strategy(engine, strategy, couples, names)


def example_couples(engine: Engine) -> list[Couple]:
    """Synthetic people by their photographs, neutral."""
    return [
        (_neutral(engine, engine.encode(example(f))), _neutral(engine, engine.encode(example(m)))) for f, m in COUPLES
    ]


def drawn_couples(engine: Engine, count: int) -> list[Couple]:
    """So many couples of people whom the generator draws, neutral; none where it draws nobody."""
    projector, space = engine.backbone.projector, engine.backbone.space
    if not isinstance(projector, SamplesLatents):
        return []
    codes = projector.map(torch.randn(2 * count, space.dim, generator=torch.Generator().manual_seed(11)), PSI)
    drawn = [_neutral(engine, Latent(code.clone(), space)) for code in codes]
    return list(zip(drawn[::2], drawn[1::2], strict=True))


def _neutral(engine: Engine, latent: Latent) -> Latent:
    return engine.neutral(latent, engine.editor())


def _by_strategy(engine: Engine, strategy: str, couples: Sequence[Couple], names: Sequence[str]) -> None:
    rows: dict[str, list[tuple[float, float, float, bool, bool]]] = {name: [] for name in names}
    for number, (father, mother) in enumerate(couples, 1):
        seen = [_picture(engine, one) for one in (father, mother, engine.blend(father, mother, strategy).latent)]
        masks, face = _places(seen[2])
        for name in names:
            children = []
            for parent in ("father", "mother"):
                made = engine.blender(strategy, {"parts": {name: parent}})
                children.append(_picture(engine, engine.blend(father, mother, made).latent))
            inside, outside = change(children[0], children[1], masks[name], face)
            like = [nearer(child, *seen[:2], masks[name]) for child in children]
            rows[name].append((inside, outside, inside / outside, like[0] > 0, like[1] < 0))
        print(f"couple {number}", flush=True)
    _tell(rows)
    print("part\tlike the father, his\tlike the mother, hers")
    for name, found in rows.items():
        print(f"{name}\t{fmean(row[3] for row in found):.0%}\t{fmean(row[4] for row in found):.0%}")


def _tell(rows: Mapping[str, Sequence[tuple[float, ...]]]) -> None:
    print("part\tchange there\tchange of the rest\tratio: median\tleast\tcouples at 5 or more")
    for name, found in rows.items():
        ratios = [row[2] for row in found]
        inside, outside = (fmean(row[place] for row in found) for place in (0, 1))
        kept = sum(ratio >= LAW for ratio in ratios)
        print(
            f"{name}\t{inside:.1f}\t{outside:.2f}\t{median(ratios):.1f}\t{min(ratios):.1f}\t{kept} of {len(ratios)}"
        )


def _by_elements(engine: Engine, couples: Sequence[Couple], names: Sequence[str]) -> None:
    """Exchange the elements whose gradients reach a part most, in comparison with the rest of the face."""
    people = [one for couple in couples for one in couple][:16]
    energies = _energies(engine, people, names)
    for share in SHARES:
        rows: dict[str, list[tuple[float, float, float]]] = {name: [] for name in names if name != "hair"}
        for name, found in rows.items():
            order = (energies[name] / energies["rest"].clamp_min(1e-12)).flatten().argsort(descending=True)
            chosen = torch.zeros(order.numel())
            chosen[order[: round(share * len(order))]] = 1
            for father, mother in couples:
                weights = chosen.view_as(father.code)
                code = father.code * weights + mother.code * (1 - weights)
                pictures = [_picture(engine, one) for one in (mother, Latent(code, mother.space, mother.detail))]
                masks, face = _places(pictures[0])
                inside, outside = change(*pictures, masks[name], face)
                found.append((inside, outside, inside / max(outside, 1e-9)))
        print(f"{share:.1%} of the elements")
        _tell(rows)


def _energies(engine: Engine, people: Sequence[Latent], names: Sequence[str]) -> dict[str, Tensor]:
    """How much each element moves the pixels of each part, mean squares [L, D]; "rest": those of skin."""
    source, projector = torch.Generator().manual_seed(0), engine.backbone.projector
    found = {name: torch.zeros(engine.backbone.space.layers, engine.backbone.space.dim) for name in (*names, "rest")}
    for person in people:
        code = person.code[None].clone().requires_grad_()
        with torch.enable_grad():
            picture = projector.synthesize(code, size=SIDE)
        masks, _ = _places(_picture(engine, person))
        masks["rest"] = masks_of(landmarks_in_crop(_picture(engine, person)), (SIDE, SIDE))[REGIONS.index("skin")]
        for name, total in found.items():
            where = torch.from_numpy(masks[name].astype(np.float32))
            for _ in range(PROBES):
                probe = torch.randn(picture.shape, generator=source) * where
                [gradient] = torch.autograd.grad((picture * probe).sum(), code, retain_graph=True)
                total += gradient[0].square() / where.sum()
    return found


def change(one: Image, other: Image, part: np.ndarray, face: np.ndarray) -> tuple[float, float]:
    """Mean absolute change of a pixel in a part, and in the rest of the face, in grey levels of 255."""
    apart = np.abs(np.asarray(one, float) - np.asarray(other, float)).mean(2)
    return float(apart[part].mean()), float(apart[face & ~part].mean())


def nearer(child: Image, father: Image, mother: Image, part: np.ndarray) -> float:
    """By how much a child's part is more like the father's than the mother's: correlations of its grey levels."""
    values = [to_batch([one])[0].mean(0)[torch.from_numpy(part)] for one in (child, father, mother)]
    to_father, to_mother = (float(torch.corrcoef(torch.stack([values[0], one]))[0, 1]) for one in values[1:])
    return to_father - to_mother


def _places(picture: Image) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Where the parts are, and where all of the face is, bool [SIDE, SIDE]."""
    points = landmarks_in_crop(picture)
    return part_masks(points, SIDE), masks_of(points, (SIDE, SIDE))[:-1].any(0)


def _picture(engine: Engine, latent: Latent) -> Image:
    return engine.render(latent, size=SIDE).resize((SIDE, SIDE))


def _sheet(engine: Engine, strategy: str, names: Sequence[str], age: float | None) -> Image:
    """Of each of the first three couples two rows: father, average, each part from him; mother, likewise."""
    rows = []
    for couple in COUPLES[:3]:
        people = [engine.parent(example(name)) for name in couple]
        for parent, person in zip(("father", "mother"), people, strict=True):
            choices = [{}, *({name: parent} for name in names)]
            made = [
                engine.run(*people, blender=strategy, blender_options={"parts": chosen}, age=age)
                for chosen in choices
            ]
            rows.append([person.crop, *(one.children[0].image for one in made)])
    return sheet([picture for row in rows for picture in row], columns=len(rows[0]), side=224)


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--backbone", default=None)
    parser.add_argument("--blender", default="parts")
    parser.add_argument(
        "--couples", type=int, default=20, help="that the generator draws, beside those of openpeople"
    )
    parser.add_argument("--elements", action="store_true")
    parser.add_argument("--sheet", type=Path, default=None, help="only a picture of the first three couples")
    parser.add_argument("--age", type=float, default=None)
    return parser.parse_args()


if __name__ == "__main__":
    main()
