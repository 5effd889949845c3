"""Families that never were: children of real couples by weight maps that are known."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from kinblend.blend import weighted_sum
from kinblend_plugins.blenders.training.data import Batch
from kinblend_plugins.blenders.training.session import Session

DRAWN, STRENGTH = 1.0, 2.0


@dataclass(frozen=True)
class Rule:
    """How the synthetic children inherit. An element comes rather from the parent whose value is farther from the
    mean, some elements rather from the father and some from the mother.

    fixed: the logits of the father's share where both parents are as far from the mean, [L, D].
    """

    fixed: Tensor

    @classmethod
    def drawn(cls, layers: int, dim: int, seed: int) -> Rule:
        """A rule by chance."""
        return cls(DRAWN * torch.randn(layers, dim, generator=torch.Generator().manual_seed(seed)))

    def weights(self, father: Tensor, mother: Tensor) -> Tensor:
        """The known weight maps: codes [n, L, D] → [n, L, D]."""
        return (self.fixed.to(father) + STRENGTH * (father.abs() - mother.abs())).sigmoid()

    def child(self, father: Tensor, mother: Tensor) -> Tensor:
        """The children by these maps, [n, L, D]."""
        return weighted_sum(father, mother, self.weights(father, mother))


def pretrain(session: Session) -> list[dict[str, float]]:
    """Train on synthetic trios: the couples are fathers and mothers of different training families.

    Returns for each epoch the loss, and how well the known weight maps of validation couples are found: the
    correlation, over couples and elements in use, with those that the network gives.
    """
    options, families = session.options, session.families
    layers, dim = families.father.shape[1:]
    rule, records = Rule.drawn(layers, dim, options.seed), []
    for epoch in range(options.pretrain):
        generator = torch.Generator().manual_seed(options.seed * 7919 + epoch)
        losses = []
        for batch in families.epoch(generator, 0.0):
            mother = batch.mother[torch.randperm(len(batch.mother), generator=generator)]
            target = session.seen(rule.child, batch.father, mother)
            losses.append(session.step(Batch(batch.father, mother, target, torch.arange(len(mother)))))
        records.append({"pretrain_epoch": epoch + 1, "loss": sum(losses) / len(losses), **found(session, rule)})
    return records


@torch.no_grad()
def found(session: Session, rule: Rule) -> dict[str, float]:
    """How well the network knows the rule, on validation couples."""
    families = session.families
    rows = families.parts["val"]
    father, mother = families.father[rows], families.mother[rows]
    used = (father - mother).abs().amax(0) > 0
    maps = (session.blended(weigh, father, mother).cpu() for weigh in (session.average.weights, rule.weights))
    ours, theirs = (weights[:, used] for weights in maps)
    both = torch.stack([ours.flatten(), theirs.flatten()])
    return {"map_correlation": float(torch.corrcoef(both)[0, 1]), "map_error": float((ours - theirs).abs().mean())}
