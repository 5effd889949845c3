"""Is the predicted other parent more like the true one than most strangers of the same sex are?

kinblend families encode trios.csv --out trios.safetensors --identity dlib+mobilefacenet
python benchmarks/partner.py trios.safetensors --inverse 0,0.5,1

One trio of each family; in every other family the father is looked for, in the rest the mother. Candidates are the
parents of that sex of all these families, known by their photographs. "nearer" is the share of families in which the
true parent is nearer to the predicted face than the median candidate is, "AUC" the share of candidates that are
farther; "centred": the same where the means of predictions and of candidates, which hold what all renderings and all
men have in common, are taken off. Beside the predictions: the child's and the known parent's own embeddings, an
inverse made of these, and a ridge regression from both to the other parent's, fitted on four fifths of the families
and asked of the rest, which draws nothing.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from kinblend import Engine, IdentityNetwork, Latent
from kinblend.evaluation.bootstrap import over_families
from kinblend.evaluation.retrieval import auc
from kinblend.families.trios import Trios, load_trios
from kinblend.identity import load_identity
from kinblend.identity.joint import JointIdentity
from kinblend.pipeline.partner import KEPT, PartnerSex, partner_latent, plan_partner

SIDE, BATCH, FOLDS = 256, 4, 5
RIDGE = 3.0  # of the mean square of a column
SEXES: dict[str, PartnerSex] = {"father": "male", "mother": "female"}


@dataclass(frozen=True)
class People:
    """Unit embeddings by a network, [n, E] each. families, wanted: of each row, its family and the parent who is
    looked for."""

    child: Tensor
    known: Tensor
    other: Tensor
    families: Sequence[str]
    wanted: Sequence[str]

    def centred(self, embeddings: Tensor) -> Tensor:
        """Less the mean of those rows in which the same parent is looked for."""
        found = embeddings.clone()
        for wanted in SEXES:
            rows = torch.tensor([one == wanted for one in self.wanted])
            found[rows] -= embeddings[rows].mean(0)
        return found

    def others(self) -> Tensor:
        """Who else it might have been, bool [n, n]."""
        pairs = list(zip(self.families, self.wanted, strict=True))
        return torch.tensor([[a != b and one == two for b, two in pairs] for a, one in pairs])


def main() -> None:
    words = _words()
    engine = Engine(words.backbone)
    trios = load_trios(words.trios, engine.backbone.space).seen_by(words.identity)
    joint = load_identity(trios.identity)
    judges = list(joint.networks) if isinstance(joint, JointIdentity) else [joint]
    cases = _cases(trios)[: words.families]
    people = {judge.name: _people(trios, cases, judge) for judge in judges}
    print(f"{len(cases)} families")
    print("what\tjudge\tnearer\tAUC\tnearer, centred\tAUC, centred")
    for judge in judges:
        seen = people[judge.name]
        mean = seen.other - seen.centred(seen.other)
        child, known = seen.centred(seen.child), seen.centred(seen.known)
        turned = mean + KEPT * (child + (child - known))
        rows = {"child": seen.child, "known parent": seen.known, "inverse 1": turned, "ridge": _ridge(seen)}
        for name, found in rows.items():
            _report(f"embedding: {name}", judge, seen, found)
    for inverse in words.inverse:
        embeddings = joint.embed_faces(_pictures(engine, trios, cases, inverse))
        for judge in judges:
            _report(f"inverse {inverse:g}", judge, people[judge.name], _chosen(joint, judge, embeddings))


def _cases(trios: Trios) -> list[tuple[int, str]]:
    """The first trio of each family, and the parent who is looked for, in turn."""
    first = {family: row for row, family in reversed(list(enumerate(trios.families)))}
    return [(row, list(SEXES)[place % 2]) for place, row in enumerate(sorted(first.values()))]


def _people(trios: Trios, cases: Sequence[tuple[int, str]], judge: IdentityNetwork) -> People:
    joint = load_identity(trios.identity)
    child = torch.stack([trios.embedding[row] for row, _ in cases])
    parents = {"father": trios.father_embedding, "mother": trios.mother_embedding}
    other = torch.stack([parents[one][row] for row, one in cases])  # type: ignore[index]
    known = torch.stack([parents[_known(one)][row] for row, one in cases])  # type: ignore[index]
    child, known, other = (_chosen(joint, judge, one) for one in (child, known, other))
    return People(child, known, other, [trios.families[row] for row, _ in cases], [one for _, one in cases])


def _known(wanted: str) -> str:
    return "mother" if wanted == "father" else "father"


def _chosen(joint: IdentityNetwork, judge: IdentityNetwork, embeddings: Tensor) -> Tensor:
    found = joint.select(embeddings, judge) if isinstance(joint, JointIdentity) else embeddings
    return F.normalize(found, dim=1)


def _ridge(people: People) -> Tensor:
    """The other parent's embedding by linear regression from the child's and the known parent's: [n, E].

    What is asked of a family was fitted without it.
    """
    seen = torch.cat([people.centred(people.child), people.centred(people.known)], 1)
    wanted, found = people.centred(people.other), people.other - people.centred(people.other)
    for fold in range(FOLDS):
        here = torch.arange(len(seen)) // 2 % FOLDS == fold
        square = seen[~here].T @ seen[~here] + RIDGE * seen.square().mean() * len(seen) * torch.eye(seen.shape[1])
        found[here] += seen[here] @ torch.linalg.solve(square, seen[~here].T @ wanted[~here])
    return found


def _pictures(engine: Engine, trios: Trios, cases: Sequence[tuple[int, str]], inverse: float) -> list[object]:
    editor, space, latents = engine.editor(), engine.backbone.space, []
    codes = {"father": trios.father, "mother": trios.mother}
    for row, wanted in cases:
        child, parent = (Latent(one[row], space) for one in (trios.child, codes[_known(wanted)]))
        edits = plan_partner(editor, None, SEXES[wanted])
        latents.append(partner_latent(engine, child, parent, editor, edits, inverse))
    batches = (latents[start : start + BATCH] for start in range(0, len(latents), BATCH))
    return [picture for batch in batches for picture in engine.render(batch, size=SIDE)]


def _report(name: str, judge: IdentityNetwork, people: People, found: Tensor) -> None:
    told = []
    for mine, theirs in ((found, people.other), (people.centred(found), people.centred(people.other))):
        cosines = F.normalize(mine, dim=1) @ F.normalize(theirs, dim=1).T
        farther = auc(cosines.diagonal(), cosines, people.others())
        told += [over_families((farther > 0.5).float(), people.families), over_families(farther, people.families)]
    print("\t".join([name, judge.name, *map(str, told)]), flush=True)


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trios", type=Path)
    parser.add_argument("--identity", help="some of the networks that the file was encoded with")
    parser.add_argument("--backbone", default="ffhq-mobile")
    parser.add_argument("--families", type=int, default=300)
    parser.add_argument(
        "--inverse", type=lambda text: [float(word) for word in text.split(",") if word], default=[0.0, 0.5, 1.0]
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
