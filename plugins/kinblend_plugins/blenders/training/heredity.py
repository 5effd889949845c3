"""Learns what becomes of parents' looks in a child, in the embeddings of photographs: the trainer `likeness`.

No picture is rendered, so it takes seconds and holds for every backbone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from kinblend.datasets import Trios, join_trios, load_trios
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
    trios = join_trios([load_trios(path).seen_by(options.identity) for path in options.trios], options.seed)
    both, child = of_couples(trios), of_children(trios)
    parts = trios.split_rows(options.seed)
    if not (parts["train"] and parts["val"]):
        raise InputError("the trios come from too few families to be split; at least ten are needed")
    if options.shuffle_children:
        mixed = random.Random(options.seed).sample(parts["train"], len(parts["train"]))
        child[parts["train"]] = child[mixed]
    log(f"mean of the parents: AUC {auc_of(trios, both, child, parts['val']):.4f} on validation families")
    best = choose(trios, both, child, options.seed, log)
    if rows := parts["test"]:
        found, mean = (auc_of(trios, looks, child, rows) for looks in (best(both).detach(), both))
        log(f"test families: AUC {found:.4f}, mean of the parents {mean:.4f}")
    save_heredity(out, best)
    return out


def choose(trios: Trios, both: Tensor, child: Tensor, seed: int, log: Log) -> Heredity:
    """What is learned from the training families with the penalty that suits the validation families best; what
    changes nothing where that is best.

    both, child: unit embeddings [n, E] of what the parents have between them and of the child to expect.
    """
    parts = trios.split_rows(seed)
    rows, families = torch.tensor(parts["train"]), _numbers(trios.families)
    best = Heredity(both.shape[1], trios.identity)  # the parents' mean: what is learned has to be better
    highest = auc_of(trios, both, child, parts["val"])
    for penalty in PENALTIES:
        heredity = learn(both[rows], child[rows], families[rows], trios.identity, penalty, seed)
        found = auc_of(trios, heredity(both).detach(), child, parts["val"])
        log(f"penalty {penalty}: AUC {found:.4f}")
        if found > highest:
            best, highest = heredity, found
    return best


def auc_of(trios: Trios, found: Tensor, child: Tensor, rows: Sequence[int]) -> float:
    """Of predictions for some rows; found, child: unit embeddings [n, E] of all."""
    return mean_auc(trios.select(rows), found[list(rows)], child[list(rows)])


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
