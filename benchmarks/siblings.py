"""Are brothers and sisters as different as real ones, and still their parents' children?

kinblend families encode trios.csv --out trios.safetensors --identity dlib+mobilefacenet
python benchmarks/siblings.py trios.safetensors --couples 40 --siblings 0,0.5,1,1.5 --age 30

Of each family the first couple with two children in the file. Distances are between unit embeddings. A pair of
siblings is told from strangers when they are nearer to each other than one of them is to another couple's child; a
child is told for its parent's likewise, by the parent's photograph. Sexes are those of the real children.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from kinblend import Engine, Latent, Target
from kinblend.evaluation.bootstrap import over_families
from kinblend.evaluation.retrieval import auc
from kinblend.families.trios import Trios, load_trios
from kinblend.identity import load_identity
from kinblend.identity.joint import JointIdentity

SIDE, BATCH = 256, 4
SEXES = {"m": "male", "f": "female"}


def main() -> None:
    words = _words()
    engine = Engine(words.backbone)
    trios = load_trios(words.trios, engine.backbone.space).seen_by(words.identity)
    couples = list(_couples(trios))[: words.couples]
    first = [rows[0] for rows in couples]
    print(f"{len(couples)} couples, {words.blender}, {words.age:g} years")
    print("siblings\tjudge\tdistance, siblings\tstrangers\tAUC of siblings\tof father\tof mother")
    real = [trios.embedding[[rows[place] for rows in couples]] for place in (0, 1)]
    _report("real, photographs", trios, first, real)
    parents = [_calm(engine, trios, row) for row in first]
    for amount in words.siblings:
        begun = time.process_time()
        children = [_embeddings(engine, trios, couples, parents, place, amount, words) for place in (0, 1)]
        _report(f"{amount:g}", trios, first, children)
        print(f"# {(time.process_time() - begun) / (2 * len(couples)):.2f} CPU s a child", flush=True)


def _couples(trios: Trios) -> Iterator[tuple[int, int]]:
    """Two children of the first couple of each family that has two."""
    houses: dict[str, list[int]] = {}
    for row, house in enumerate(trios.nuclear_families):
        houses.setdefault(house, []).append(row)
    seen = set()
    for rows in houses.values():
        others = [row for row in rows if trios.children[row] != trios.children[rows[0]]]
        if others and trios.families[rows[0]] not in seen:
            seen.add(trios.families[rows[0]])
            yield rows[0], others[0]


def _calm(engine: Engine, trios: Trios, row: int) -> tuple[Latent, Latent]:
    editor, space = engine.editor(), engine.backbone.space
    father, mother = (engine.neutral(Latent(codes[row], space), editor) for codes in (trios.father, trios.mother))
    return father, mother


def _embeddings(
    engine: Engine,
    trios: Trios,
    couples: Sequence[tuple[int, int]],
    parents: Sequence[tuple[Latent, Latent]],
    place: int,
    amount: float,
    words: argparse.Namespace,
) -> Tensor:
    """Of a child of each couple, with the sex of the real one. place: which of the two it is."""
    judges, editor, strategy = load_identity(trios.identity), engine.editor(), engine.blender(words.blender)
    latents = []
    for number, (rows, pair) in enumerate(zip(couples, parents, strict=True)):
        sex = Target(SEXES.get(trios.groups["sex"][rows[place]], "female"))
        edits = {"age": Target(words.age, "years"), "gender": sex}
        child = engine.blend(*pair, strategy, 2 * number + place)
        child = engine.vary(child, *pair, siblings=amount, mutation=words.mutation, editor=editor)
        latents.append(engine.edit(child, editor, edits))
    pictures = [
        picture
        for start in range(0, len(latents), BATCH)
        for picture in engine.render(latents[start : start + BATCH], size=SIDE)
    ]
    return judges.embed_faces(pictures)


def _report(name: str, trios: Trios, rows: Sequence[int], children: Sequence[Tensor]) -> None:
    joint, families = load_identity(trios.identity), [trios.families[row] for row in rows]
    assert trios.father_embedding is not None and trios.mother_embedding is not None
    judges = joint.networks if isinstance(joint, JointIdentity) else [joint]
    everyone = [*children, trios.father_embedding[list(rows)], trios.mother_embedding[list(rows)]]
    others = ~torch.eye(len(rows), dtype=torch.bool)
    for judge in judges:
        seen = [
            F.normalize(joint.select(one, judge) if isinstance(joint, JointIdentity) else one, dim=1)
            for one in everyone
        ]
        apart = [torch.cdist(seen[0], other) for other in seen[1:]]
        told = [over_families(auc(-d.diagonal(), -d, others), families) for d in apart]
        own, far = apart[0].diagonal().median(), apart[0][others].median()
        print("\t".join([name, judge.name, f"{own:.3f}", f"{far:.3f}", *map(str, told)]), flush=True)


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trios", type=Path)
    parser.add_argument("--backbone", default="ffhq-mobile")
    parser.add_argument("--blender", default="average")
    parser.add_argument("--couples", type=int, default=40)
    parser.add_argument("--age", type=float, default=30.0)
    parser.add_argument("--identity", help="some of the networks that the file was encoded with")
    parser.add_argument("--mutation", type=float, default=0.0)
    parser.add_argument(
        "--siblings", type=lambda text: [float(word) for word in text.split(",")], default=[0.0, 0.5, 1.0, 1.5]
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
