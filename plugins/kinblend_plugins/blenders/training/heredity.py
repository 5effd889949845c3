"""Learns what becomes of parents' looks in a child, in the embeddings of photographs: the trainer `likeness`.

No picture is rendered, so it takes seconds and holds for every backbone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from kinblend.datasets import join_trios, load_trios
from kinblend.errors import InputError
from kinblend.evaluation.retrieval import mean_auc
from kinblend_plugins.blenders.heredity import Heredity, save_heredity
from kinblend_plugins.blenders.training.loss import contrast
from kinblend_plugins.blenders.training.options import HeredityOptions
from kinblend_plugins.blenders.training.photographs import of_children, of_couples

PENALTIES = (0.3, 0.1, 0.03, 0.01)  # of the squared weights
STEPS, BATCH, RATE = 600, 256, 3e-3

Log = Callable[[str], None]


def train(options: HeredityOptions, out: Path, progress: Log | None = None) -> Path:
    """Learn with each of several penalties, and write what knows the validation families' children best.

    progress: told the AUC of each, which is a child's among all other families' children. Returns `out`.
    """
    log = progress or (lambda _: None)
    trios = join_trios([load_trios(path) for path in options.trios], options.seed)
    both, child = of_couples(trios), of_children(trios)
    parts = trios.split_rows(options.seed)
    if not (parts["train"] and parts["val"]):
        raise InputError("the trios come from too few families to be split; at least ten are needed")
    if options.shuffle_children:
        mixed = random.Random(options.seed).sample(parts["train"], len(parts["train"]))
        child[parts["train"]] = child[mixed]
    families = _numbers(trios.families)
    rows = torch.tensor(parts["train"])

    def judge(part: str, found: Tensor) -> float:
        held = torch.tensor(parts[part])
        with torch.no_grad():
            return mean_auc(trios.select(parts[part]), found[held], child[held])

    log(f"mean of the parents: AUC {judge('val', both):.4f} on validation families")
    best = Heredity(both.shape[1], trios.identity)  # the parents' mean: what is learned has to be better
    highest = judge("val", best(both))
    for penalty in PENALTIES:
        heredity = learn(both[rows], child[rows], families[rows], trios.identity, penalty, options.seed)
        found = judge("val", heredity(both))
        log(f"penalty {penalty}: AUC {found:.4f}")
        if found > highest:
            best, highest = heredity, found
    if parts["test"]:
        log(f"test families: AUC {judge('test', best(both)):.4f}, mean of the parents {judge('test', both):.4f}")
    save_heredity(out, best)
    return out


def learn(both: Tensor, child: Tensor, families: Tensor, identity: str, penalty: float, seed: int) -> Heredity:
    """What ranks the own child before other families'. both, child: unit embeddings [n, E]; families: integers [n].

    penalty: of the squared weights, so that few families don't move it far from the parents' mean.
    """
    generator = torch.Generator().manual_seed(seed)
    heredity = Heredity(both.shape[1], identity)
    adam = torch.optim.Adam(heredity.parameters(), RATE)
    for _ in range(STEPS):
        some = torch.randperm(len(both), generator=generator)[:BATCH]
        unlike = contrast(heredity(both[some]), child[some], families[some]).mean()
        loss = unlike + penalty * heredity.change.weight.square().sum()
        adam.zero_grad()
        loss.backward()
        adam.step()
    return heredity


def _numbers(names: Sequence[str]) -> Tensor:
    known = {name: number for number, name in enumerate(sorted(set(names)))}
    return torch.tensor([known[name] for name in names])
