"""Trains the weight network on families.

The loss, the optimiser and the regularisers are those of the student report that kinblend began as; the picture in
between is real (`bridge.Render`) where the report had a random matrix.
"""

from __future__ import annotations

import copy
import json
import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from kinblend import Trios, load_backbone, load_trios, weighted_sum
from kinblend.errors import InputError
from kinblend_plugins.blenders.bridge import Projection, Render
from kinblend_plugins.blenders.network import AdaptiveDimensionWeightModel
from kinblend_plugins.blenders.packed import pack

DISTANCE = 0.05  # weight of the squared distance beside 1 − cos
DECAY = 0.9  # of the running average of the weights
DROPOUT = (0.2, 0.5)  # in the first and the last epoch


class TrainOptions(BaseModel):
    """Options of the trainer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trios: Path = Field(description="what `kinblend families encode` wrote")
    backbone: str = Field("morphable", description="the model pack the trios were encoded with")
    bridge: Literal["render", "projection"] = Field("render", description="what stands between latent and embedding")
    epochs: int = Field(20, ge=1, description="at most; the best one is kept")
    patience: int = Field(5, ge=1, description="epochs without a better validation loss before it ends")
    batch: int = Field(16, ge=2, description="trios at a time")
    rate: float = Field(5e-5, gt=0, description="AdamW's learning rate")
    weight_decay: float = Field(1e-5, ge=0, description="AdamW's")
    noise: float = Field(0.05, ge=0, description="standard deviation of the noise on the codes; decays to 0")
    swap: bool = Field(True, description="change the parents' places half of the time")
    shuffle_children: bool = Field(False, description="give families each other's children: the null to compare with")
    seed: int = Field(0, description="of the split, the order, the noise and the first weights")


def train(options: TrainOptions, out: Path, progress: Callable[[str], None] | None = None) -> Path:
    """Train and write the weights to `out`, and beside it a log (`.jsonl`) and, until it is done, a checkpoint.

    Called again after an interruption with the same `out` it goes on from the checkpoint. progress: told each epoch.
    Returns `out`.
    """
    say = progress or (lambda _: None)
    backbone = load_backbone(options.backbone)
    trios = load_trios(options.trios, backbone.space)
    session = Session(options, trios, Render(backbone) if options.bridge == "render" else _projection(trios))
    checkpoint = out.with_suffix(".checkpoint.safetensors")
    out.parent.mkdir(parents=True, exist_ok=True)
    log = out.with_suffix(".jsonl")
    if checkpoint.is_file():
        session.load(checkpoint)
        say(f"going on after epoch {session.epoch}")
    else:
        log.write_text(json.dumps({"baselines": session.baselines(), "trios": session.counts()}) + "\n")
        say(log.read_text().strip())
    while session.epoch < options.epochs and session.waited < options.patience:
        record = session.run_epoch()
        with log.open("a") as file:
            file.write(json.dumps(record) + "\n")
        session.save(checkpoint)
        say(", ".join(f"{key} {value:.4g}" for key, value in record.items()))
    save_file(pack(session.best), out)
    checkpoint.unlink(missing_ok=True)
    return out


class Session:
    """A training that can be left and taken up again.

    bridge: codes → unit embeddings, differentiable.
    """

    def __init__(self, options: TrainOptions, trios: Trios, bridge: Callable[[Tensor], Tensor]) -> None:
        torch.manual_seed(options.seed)
        self.options, self.trios, self.bridge = options, trios, bridge
        target = bridge(trios.child) if isinstance(bridge, Projection) else F.normalize(trios.embedding, dim=1)
        self.target = target.detach()
        self.parts = trios.parts(options.seed)
        if not (self.parts["train"] and self.parts["val"]):
            raise InputError("the trios come from too few families to be split; at least ten are needed")
        self.child_of = list(range(len(trios)))
        if options.shuffle_children:
            for rows in self.parts.values():
                mixed = random.Random(options.seed).sample(rows, len(rows))
                for row, other in zip(rows, mixed, strict=True):
                    self.child_of[row] = other
        self.network = AdaptiveDimensionWeightModel(trios.space.layers, trios.space.dim)
        self.average = copy.deepcopy(self.network).eval()
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=options.rate, weight_decay=options.weight_decay
        )
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(self.optimizer, factor=0.5, patience=2)
        self.epoch, self.waited, self.lowest = 0, 0, float("inf")
        self.best = copy.deepcopy(self.average.state_dict())

    def run_epoch(self) -> dict[str, float]:
        """One pass over the training families, then the validation. Returns what the log gets."""
        started = time.perf_counter()
        generator = torch.Generator().manual_seed(self.options.seed * 1000 + self.epoch)
        through = self.epoch / max(self.options.epochs - 1, 1)
        for module in self.network.modules():
            if isinstance(module, nn.Dropout):
                module.p = DROPOUT[0] + (DROPOUT[1] - DROPOUT[0]) * through
        noise = self.options.noise * (1 - through)
        rows = torch.tensor(self.parts["train"])[torch.randperm(len(self.parts["train"]), generator=generator)]
        losses = [self._step(batch, noise, generator) for batch in rows.split(self.options.batch) if len(batch) > 1]
        found = self.evaluate("val")
        self.plateau.step(found["loss"])
        self.epoch += 1
        better = found["loss"] < self.lowest
        self.waited = 0 if better else self.waited + 1
        if better:
            self.lowest, self.best = found["loss"], copy.deepcopy(self.average.state_dict())
        return {
            "epoch": self.epoch,
            "train_loss": sum(losses) / len(losses),
            **{f"val_{key}": value for key, value in found.items()},
            "rate": self.optimizer.param_groups[0]["lr"],
            "seconds": time.perf_counter() - started,
        }

    def _step(self, rows: Tensor, noise: float, generator: torch.Generator) -> float:
        self.network.train()
        father, mother = self.trios.father[rows], self.trios.mother[rows]
        if self.options.swap:
            swapped = (torch.rand(len(rows), generator=generator) < 0.5)[:, None, None]
            father, mother = torch.where(swapped, mother, father), torch.where(swapped, father, mother)
        if noise:
            father = father + noise * torch.randn(father.shape, generator=generator)
            mother = mother + noise * torch.randn(mother.shape, generator=generator)
        child = weighted_sum(father, mother, self.network(father, mother))
        loss = distance(self.bridge(child), self._targets(rows.tolist())).mean()
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        with torch.no_grad():
            for ours, theirs in zip(
                self.average.state_dict().values(), self.network.state_dict().values(), strict=True
            ):
                if ours.is_floating_point():
                    ours.lerp_(theirs, 1 - DECAY)
                else:
                    ours.copy_(theirs)
        return float(loss.detach())

    @torch.no_grad()
    def evaluate(self, part: str, blend: Callable[[Tensor, Tensor], Tensor] | None = None) -> dict[str, float]:
        """Mean loss and cosine over a part of the families. blend: codes of both parents → weights."""
        weigh = blend or self.average
        losses, cosines = [], []
        for rows in torch.tensor(self.parts[part]).split(self.options.batch):
            father, mother = self.trios.father[rows], self.trios.mother[rows]
            found = self.bridge(weighted_sum(father, mother, weigh(father, mother)))
            losses.append(distance(found, self._targets(rows.tolist())))
            cosines.append((found * self._targets(rows.tolist())).sum(1))
        return {"loss": float(torch.cat(losses).mean()), "cosine": float(torch.cat(cosines).mean())}

    def baselines(self) -> dict[str, dict[str, float]]:
        """The same figures for the parents themselves, their average and the network before training."""
        fixed: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
            "father": lambda f, m: torch.ones_like(f),
            "mother": lambda f, m: torch.zeros_like(f),
            "average": lambda f, m: torch.full_like(f, 0.5),
            "untrained": self.average,
        }
        return {name: self.evaluate("val", blend) for name, blend in fixed.items()}

    def counts(self) -> dict[str, int]:
        """How many trios each part has."""
        return {name: len(rows) for name, rows in self.parts.items()}

    def _targets(self, rows: Sequence[int]) -> Tensor:
        return self.target[[self.child_of[row] for row in rows]]

    def save(self, path: Path) -> None:
        """Everything but the optimiser's moments, which warm up again."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        tensors |= {f"best.{k}": v for k, v in self.best.items()}
        rate = self.optimizer.param_groups[0]["lr"]
        tensors["state"] = torch.tensor([self.epoch, self.waited, self.lowest, rate], dtype=torch.float64)
        part = path.with_name(path.name + ".part")
        save_file({name: tensor.clone() for name, tensor in tensors.items()}, part)
        part.replace(path)

    def load(self, path: Path) -> None:
        """Take up what `save` wrote."""
        tensors = load_file(path)

        def below(prefix: str) -> dict[str, Tensor]:
            return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}

        self.network.load_state_dict(below("network."))
        self.average.load_state_dict(below("average."))
        self.best = below("best.")
        epoch, waited, self.lowest, rate = tensors["state"].tolist()
        self.epoch, self.waited = int(epoch), int(waited)
        self.optimizer.param_groups[0]["lr"] = rate


def distance(one: Tensor, other: Tensor) -> Tensor:
    """(1 − cos) + 0.05 · squared distance, of unit embeddings [n, E]: [n]."""
    return 1 - (one * other).sum(1) + DISTANCE * (one - other).square().sum(1)


def _projection(trios: Trios) -> Projection:
    return Projection(trios.space.layers * trios.space.dim)
