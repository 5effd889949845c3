"""One training that can be left and taken up again."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from kinblend.datasets import Trios
from kinblend.errors import UsageError
from kinblend.files import replacing
from kinblend.interfaces import weighted_sum
from kinblend.tensor_files import load_file, safe_open
from kinblend_plugins.blenders.bridge import Projection
from kinblend_plugins.blenders.learned import read_weights
from kinblend_plugins.blenders.proxy import Bridge
from kinblend_plugins.blenders.training.child import ChildModel
from kinblend_plugins.blenders.training.data import Batch, Families
from kinblend_plugins.blenders.training.loss import contrast, distance
from kinblend_plugins.blenders.training.options import TrainOptions

Blend = Callable[[Tensor, Tensor], Tensor]


class Session:
    """The network, its running average, and the best of it so far.

    bridge: codes → unit embeddings, differentiable. mirrored: the same trios seen in a mirror, or None.
    steps: of the directions whose strengths are learned.
    """

    def __init__(
        self,
        options: TrainOptions,
        trios: Trios,
        bridge: Bridge,
        mirrored: Trios | None = None,
        steps: Mapping[str, Tensor] | None = None,
    ) -> None:
        torch.manual_seed(options.seed)
        self.options, self.bridge = options, bridge
        self.families = Families(options, trios, mirrored, bridge if isinstance(bridge, Projection) else None)
        self.network = ChildModel(options, trios.space.layers, trios.space.dim, steps or {})
        if options.start is not None:
            self.network.weights.load_state_dict(read_weights(options.start))
        self.average = copy.deepcopy(self.network).eval()
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=options.rate, weight_decay=options.weight_decay, fused=True
        )
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(self.optimizer, factor=0.5, patience=2)
        self.epoch, self.waited, self.lowest = 0, 0, float("inf")
        self.best = self.average.state()

    def run_epoch(self) -> dict[str, float]:
        """One pass over the training families, then the validation. Returns what the log gets."""
        started = time.perf_counter()
        options = self.options
        torch.manual_seed(options.seed * 1000 + self.epoch)  # dropout's, the same when taken up again
        generator = torch.Generator().manual_seed(options.seed * 1000 + self.epoch)
        through = self.epoch / max(options.epochs - 1, 1)
        self._drop(options.dropout[0] + (options.dropout[1] - options.dropout[0]) * through)
        batches = self.families.epoch(generator, options.noise * (1 - through))
        losses = [self.step(batch) for batch in batches]
        found = self.evaluate("val")
        if options.plateau:
            self.plateau.step(found["loss"])
        self.epoch += 1
        self._keep_best(found)
        return {
            "epoch": self.epoch,
            "train_loss": sum(losses) / len(losses),
            **{f"val_{key}": value for key, value in found.items()},
            "rate": self.optimizer.param_groups[0]["lr"],
            "seconds": time.perf_counter() - started,
        }

    def step(self, batch: Batch) -> float:
        """Learn from one batch; its loss."""
        self.network.train()
        found = self.bridge(self.network(batch.father, batch.mother))
        loss = distance(found, batch.target).mean()
        if share := self.options.contrast:
            loss = (1 - share) * loss + share * contrast(found, batch.target, batch.families).mean()
        self.optimizer.zero_grad()
        loss.backward()
        if self.options.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.options.clip)
        self.optimizer.step()
        self.follow()
        return float(loss.detach())

    @torch.no_grad()
    def follow(self) -> None:
        """The running average goes a step towards the network."""
        ours, theirs = self.average.state_dict(), self.network.state_dict()
        for name, tensor in ours.items():
            if tensor.is_floating_point():
                tensor.lerp_(theirs[name], 1 - self.options.average)
            else:
                tensor.copy_(theirs[name])

    @torch.no_grad()
    def evaluate(self, part: str, child: Blend | None = None) -> dict[str, float]:
        """Mean loss and cosine over a part of the families, and the AUC of the true children, whatever the target is.

        child: codes of both parents → the child's.
        """
        born, batches = child or self.average, self.families.batches(part)
        found = torch.cat([self.bridge(born(batch.father, batch.mother)) for batch in batches])
        target = torch.cat([batch.target for batch in batches])
        return {
            "loss": float(distance(found, target).mean()),
            "cosine": float((found * target).sum(1).mean()),
            "auc": self.families.auc(found, part),
        }

    def baselines(self) -> dict[str, dict[str, float]]:
        """The same figures for the parents themselves, their average and the network before training."""
        fixed: dict[str, Blend] = {
            "father": lambda f, m: f,
            "mother": lambda f, m: m,
            "average": lambda f, m: weighted_sum(f, m, torch.full_like(f, 0.5)),
            "untrained": self.average,
        }
        return {name: self.evaluate("val", child) for name, child in fixed.items()}

    @property
    def done(self) -> bool:
        """Whether there is nothing left to learn."""
        return self.epoch >= self.options.epochs or self.waited >= self.options.patience

    def save(self, path: Path) -> None:
        """Everything, the optimiser's moments too: taken up again it goes on as if it had not been left."""
        tensors = {f"network.{k}": v for k, v in self.network.state_dict().items()}
        tensors |= {f"average.{k}": v for k, v in self.average.state_dict().items()}
        tensors |= {f"best.{k}": v for k, v in self.best.items()}
        for number, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"moments.{number}.{name}": value for name, value in moments.items()}
        numbers = [self.epoch, self.waited, self.lowest, self.optimizer.param_groups[0]["lr"]]
        plateau = [self.plateau.best, self.plateau.num_bad_epochs]
        tensors["state"] = torch.tensor([*numbers, *plateau], dtype=torch.float64)
        with replacing(path) as part:
            save_file({name: tensor.clone() for name, tensor in tensors.items()}, part, {"options": self._told()})

    def load(self, path: Path) -> None:
        """Take up what `save` wrote. Raises `UsageError` where the options were others."""
        with safe_open(path, framework="pt") as file:
            if (file.metadata() or {}).get("options") != self._told():
                raise UsageError(
                    f"{path} was left by a training with other options; delete it, or name another --out"
                )
        tensors = load_file(path)
        self.network.load_state_dict(_below(tensors, "network."))
        self.average.load_state_dict(_below(tensors, "average."))
        self.best = _below(tensors, "best.")
        epoch, waited, self.lowest, rate, lowest, bad = tensors["state"].tolist()
        self.epoch, self.waited = int(epoch), int(waited)
        self.plateau.best, self.plateau.num_bad_epochs = lowest, int(bad)
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in _below(tensors, "moments.").items():
            number, key = name.split(".")
            moments.setdefault(int(number), {})[key] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": moments, "param_groups": groups})
        self.optimizer.param_groups[0]["lr"] = rate

    def _told(self) -> str:
        """The options that a training can't change on the way."""
        return self.options.model_dump_json(exclude={"epochs", "patience"})

    def _keep_best(self, found: Mapping[str, float]) -> None:
        score = found["loss"] if self.options.select == "loss" else -found["auc"]
        better = score < self.lowest
        self.waited = 0 if better else self.waited + 1
        if better:
            self.lowest, self.best = score, self.average.state()

    def _drop(self, share: float) -> None:
        for module in self.network.modules():
            if isinstance(module, nn.Dropout):
                module.p = share


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
