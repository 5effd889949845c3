"""One training that can be left and taken up again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from kinblend.blend import weighted_sum
from kinblend.datasets import Trios
from kinblend.training.checkpoint import Checkpoints
from kinblend.training.device import device_of
from kinblend.training.early_stopping import EarlyStopping
from kinblend.training.moving_average import averaged_copy, update_average
from kinblend.training.ranks import Ranks
from kinblend.training.shared_layers import shared_layers
from kinblend_plugins.blenders.bridge import Projection
from kinblend_plugins.blenders.displacement import DisplacementModel
from kinblend_plugins.blenders.learned import read_weights
from kinblend_plugins.blenders.proxy import Bridge
from kinblend_plugins.blenders.training.child import ChildModel
from kinblend_plugins.blenders.training.data import Batch, Families, People
from kinblend_plugins.blenders.training.loss import contrast, distance
from kinblend_plugins.blenders.training.options import TrainOptions
from kinblend_plugins.blenders.training.regression import fit

Blend = Callable[[Tensor, Tensor], Tensor]


class Session:
    """The network, its moving average, and the best of it so far.

    bridge: codes → unit embeddings, differentiable. mirrored: the same trios seen in a mirror, or None.
    steps: of the directions whose strengths are learned. drawn: further people to learn from. ranks: the processes
    that share each batch, and the device of what is learned; by default this one alone, on the device of the options.
    Families stay on the CPU.
    """

    def __init__(
        self,
        options: TrainOptions,
        trios: Trios,
        bridge: Bridge,
        mirrored: Trios | None = None,
        steps: Mapping[str, Tensor] | None = None,
        drawn: People | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        torch.manual_seed(options.seed)
        self.ranks = ranks or Ranks(device_of(options.device))
        self.options, self._trios, self.device = options, trios, self.ranks.device
        known = bridge if isinstance(bridge, Projection) else None
        self.families = Families(options, trios, mirrored, known, drawn)
        self.bridge = bridge.to(self.device) if isinstance(bridge, nn.Module) else bridge
        size = trios.embedding.shape[1]
        self.network = ChildModel(options, trios.space.layers, trios.space.dim, steps or {}, size)
        if options.start is not None:
            self.network.weights.load_state_dict(read_weights(options.start))
        self.network.to(self.device)
        self.average = averaged_copy(self.network)
        shared_layers(self.network, self.ranks)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=options.rate, weight_decay=options.weight_decay, fused=True
        )
        self.plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(self.optimizer, factor=0.5, patience=2)
        self.epoch, self.stopping = 0, EarlyStopping(options.patience)
        self.best = self.average.state()

    def fit(self, log: Callable[[str], None]) -> dict[str, float]:
        """Fit the head `displacement` without gradients (`regression.fit`), to the true children where they are the
        target. Epochs after it have to be better.

        Returns what the log gets; nothing for other heads or where there are weights to begin from.
        """
        network = self.network.weights
        if not isinstance(network, DisplacementModel) or self.options.start is not None:
            return {}
        self.network.eval().cpu()  # where the families are
        children = None if self.options.paired else self.families.child[: len(self._trios)]
        found = fit(network, self._trios, children, self.options.seed, lambda: self._auc(self.network), log)
        self.network.to(self.device)
        self.ranks.align(self.network)
        self.average.load_state_dict(self.network.state_dict())
        self._keep_best(self.evaluate("val"))
        return found

    def _auc(self, child: Blend) -> float:
        return self.evaluate("val", child)["auc"]

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
        with self.ranks.share(len(batch.target)) as share:
            own, batch = batch.rows(share.take).to(self.device), batch.to(self.device)
            found = self.bridge(self.network(own.father, own.mother)).to(self.device)
        loss = distance(found, own.target).mean()
        if ranked := self.options.contrast:
            unlike = contrast(found, batch.target, batch.families, share.rows)
            loss = (1 - ranked) * loss + ranked * unlike.mean()
        self.optimizer.zero_grad()
        share.part(loss).backward()
        self.ranks.reduce_gradients(self.network.parameters())
        if self.options.clip:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.options.clip)
        self.optimizer.step()
        update_average(self.average, self.network, self.options.average)
        return float(self.ranks.total({"loss": share.part(loss)})["loss"])

    @torch.no_grad()
    def evaluate(self, part: str, child: Blend | None = None) -> dict[str, float]:
        """Mean loss and cosine over a part of the families, and the AUC of the true children, whatever the target is.

        child: codes of both parents → the child's.
        """
        blend, batches = child or self.average, self.families.batches(part)
        found = torch.cat([self.seen(blend, batch.father, batch.mother) for batch in batches])
        target = torch.cat([batch.target for batch in batches])
        return {
            "loss": float(distance(found, target).mean()),
            "cosine": float((found * target).sum(1).mean()),
            "auc": self.families.auc(found, part),
        }

    @torch.no_grad()
    def seen(self, blend: Blend, father: Tensor, mother: Tensor) -> Tensor:
        """Unit embeddings [n, E] of children of codes [n, L, D], on the CPU; each process looks at its own rows."""
        share = self.ranks.share(len(father))
        children = self.blended(blend, share.take(father), share.take(mother))
        return share.gather(self.bridge(children).to(self.device)).cpu()

    def blended(self, blend: Blend, father: Tensor, mother: Tensor) -> Tensor:
        """Children of codes [n, L, D] by a network, or by any function, on this training's device."""
        at = next(blend.parameters()).device if isinstance(blend, nn.Module) else self.device
        return blend(father.to(at), mother.to(at)).to(self.device)

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
        return self.epoch >= self.options.epochs or self.stopping.over

    def save(self, checkpoints: Checkpoints) -> None:
        """Everything, the optimiser's moments too: taken up again it goes on as if it had not been left."""
        tensors = {f"network.{name}": value for name, value in self.network.state_dict().items()}
        tensors |= {f"average.{name}": value for name, value in self.average.state_dict().items()}
        tensors |= {f"best.{name}": value for name, value in self.best.items()}
        state = {
            "epoch": self.epoch,
            "rate": self.optimizer.param_groups[0]["lr"],
            "waited": self.stopping.waited,
            "lowest": self.stopping.best,
            "plateau": {"best": self.plateau.best, "num_bad_epochs": self.plateau.num_bad_epochs},
        }
        checkpoints.save(self.epoch, tensors, state, {"network": self.optimizer})

    def load(self, checkpoints: Checkpoints) -> bool:
        """Take up the latest checkpoint; False where there is none. Raises `UsageError` where the options were
        others, `PackError` where all are damaged."""
        found = checkpoints.load()
        if found is None:
            return False
        state = found.state
        self.network.load_state_dict(found.below("network"))
        self.average.load_state_dict(found.below("average"))
        self.best = found.below("best")
        self.epoch = int(state["epoch"])
        self.stopping.waited, self.stopping.best = int(state["waited"]), float(state["lowest"])
        self.plateau.best = state["plateau"]["best"]
        self.plateau.num_bad_epochs = state["plateau"]["num_bad_epochs"]
        found.restore({"network": self.optimizer})
        self.optimizer.param_groups[0]["lr"] = state["rate"]
        return True

    def _keep_best(self, found: Mapping[str, float]) -> None:
        score = found["loss"] if self.options.select == "loss" else -found["auc"]
        if self.stopping.better(score):
            self.best = self.average.state()

    def _drop(self, share: float) -> None:
        for module in self.network.modules():
            if isinstance(module, nn.Dropout):
                module.p = share
