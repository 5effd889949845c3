"""One training of an encoder that can be left and taken up again."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from kinblend import Projector
from kinblend.errors import UnsupportedError
from kinblend.identity.dlib_resnet import DlibResNet
from kinblend.interfaces import SamplesLatents
from kinblend.inversion import (
    Whitening,
    feature_distance,
    head_weight,
    identity_distance,
    identity_features,
    picture_distance,
    resized,
)
from kinblend.tensor_files import load_file
from kinblend.training.checkpoint import Checkpoints
from kinblend.training.moving_average import averaged_copy, update_average
from kinblend.training.ranks import Ranks
from kinblend.training.shared_layers import shared_layers
from kinblend_plugins.wplus.files import below
from kinblend_plugins.wplus.network import SIDE, EncoderNetwork
from kinblend_plugins.wplus.training.augment import augment
from kinblend_plugins.wplus.training.options import TrainOptions

MEASURED = 20_000  # samples of w that the whitening is measured on
AVERAGE = 0.998  # decay of the moving average of the weights
WARMUP = 100  # steps
CLIP = 2.0  # norm of the gradient
MAX_SD = 2.5  # whitened codes of samples moved along a direction may lie anywhere; further is not asked for


class Session:
    """Network, moving average, optimiser and how far they have come.

    projector: whose pictures are encoded. identity: dlib's network. files: samples, as `samples.prepare` writes them.
    photos: uint8 [n, 3, S, S] without codes, or None. ranks: the processes that share each batch, and the device.
    """

    def __init__(
        self,
        options: TrainOptions,
        projector: Projector,
        identity: DlibResNet,
        files: Sequence[Path],
        photos: Tensor | None,
        ranks: Ranks,
    ) -> None:
        torch.manual_seed(options.seed)
        device = ranks.device
        self.options, self.ranks, self.device, self.projector, self.photos = options, ranks, device, projector, photos
        space = projector.space
        if not isinstance(projector, SamplesLatents):
            raise UnsupportedError(f"{projector.title} has no mapping network to draw samples from")
        w = projector.map(torch.randn(MEASURED, space.dim, generator=torch.Generator().manual_seed(5)))[:, 0]
        self.space = Whitening(space.dim, w).to(device)
        self.network = EncoderNetwork(space.layers, space.dim).to(device)
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.average = averaged_copy(self.network)
        shared_layers(self.network, ranks)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=1.0, betas=(0.9, 0.98), weight_decay=0.02, fused=True
        )
        self.identity = identity.to(device)
        self.samples = [load_file(file) for file in files]
        self.side = min(options.picture_size, SIDE)
        self.draw = projector.preview(self.side)
        self.weight = head_weight(self.side).to(device)
        self.step, self.seconds = 0, 0.0
        self.mixed = options.precision == "bf16" or (options.precision == "auto" and _fast_bf16(device))

    @property
    def minutes(self) -> float:
        """How long it is to be in all."""
        return self.options.code_minutes + self.options.picture_minutes

    @property
    def done(self) -> bool:
        """Whether its time is over."""
        return self.seconds >= self.minutes * 60

    @property
    def through_picture(self) -> bool:
        """Whether codes have been learned long enough."""
        return self.seconds >= self.options.code_minutes * 60

    def start(self, tensors: Mapping[str, Tensor]) -> None:
        """Begin with the weights and the space of an encoder's file, as `tensors` gives them."""
        self.space.load_state_dict(below(tensors, "space."))
        self.network.load_state_dict(below(tensors, "network."))
        self.average = averaged_copy(self.network)

    def learn(self) -> dict[str, Tensor]:
        """One step. Returns its losses: scalars without gradient."""
        source = torch.Generator().manual_seed(self.options.seed * 1_000_003 + self.step)
        losses = self._picture_losses(source) if self.through_picture else self._code_losses(source)
        for group in self.optimizer.param_groups:
            group["lr"] = self._rate()
        self.optimizer.zero_grad(set_to_none=True)
        losses["loss"].backward()
        self.ranks.reduce_gradients(self.network.parameters())
        nn.utils.clip_grad_norm_(self.network.parameters(), CLIP)
        self.optimizer.step()
        self.step += 1
        update_average(self.average, self.network, min(AVERAGE, (self.step + 1) / (self.step + 20)))
        return self.ranks.total(losses)

    def encode(self, pictures: Tensor, network: EncoderNetwork | None = None) -> tuple[Tensor, Tensor]:
        """Whitened codes [n, D] and offsets [n, L, D] of pictures float32 [n, 3, 256, 256].

        network: in place of the one that learns.
        """
        network = network or self.network
        with torch.no_grad():
            features = identity_features(self.identity, pictures)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.mixed):
            whitened, offsets = network(pictures.contiguous(memory_format=torch.channels_last), features)
        return whitened.float(), offsets.float()

    def _code_losses(self, source: torch.Generator) -> dict[str, Tensor]:
        codes, pictures = self._batch(self.options.code_batch, source)
        with self.ranks.share(len(pictures)) as share:
            whitened, offsets = self.encode(share.take(augment(pictures, source)).to(self.device))
        losses = self._far(whitened, offsets, share.take(codes), 1.0)
        return {name: share.part(value) for name, value in losses.items()}

    def _picture_losses(self, source: torch.Generator) -> dict[str, Tensor]:
        codes: Tensor | None
        codes, pictures = self._batch(self.options.picture_batch, source)
        if self.photos is not None and torch.rand((), generator=source) < self.options.photo_share:
            codes, pictures = None, self._photos(self.options.picture_batch, source)
        with self.ranks.share(len(pictures)) as share:
            whitened, offsets = self.encode(share.take(augment(pictures, source)).to(self.device))
        pictures = share.take(pictures)
        losses = self._far(whitened, offsets, None if codes is None else share.take(codes), 0.25)
        truth = resized(pictures.to(self.device), self.side)
        shown = resized(self.draw(self.space.codes(whitened, offsets)), self.side).to(self.device)
        with torch.no_grad():
            theirs = identity_features(self.identity, truth)
        ours = identity_features(self.identity, shown)
        losses["identity"] = identity_distance(ours, theirs).mean()
        losses["features"] = feature_distance(ours, theirs).mean()
        losses["pixels"] = picture_distance(shown, truth, self.weight).mean()
        losses["loss"] = (
            losses["loss"] + self.options.identity * losses["identity"] + losses["features"] + losses["pixels"]
        )
        return {name: share.part(value) for name, value in losses.items()}

    def _far(self, whitened: Tensor, offsets: Tensor, codes: Tensor | None, share: float) -> dict[str, Tensor]:
        """Losses of codes; without the truth, of leaving the cloud of samples and of large offsets alone."""
        size = offsets.square().mean()
        if codes is None:
            prior = whitened.square().mean()
            return {"prior": prior, "loss": self.options.prior * prior + self.options.offsets * size}
        codes = codes.to(self.device)
        far = ((self.space.codes(whitened, offsets) - codes) / self.space.spread).square().mean()
        truth = self.space.to_u(codes.mean(1)).clamp(-MAX_SD, MAX_SD)
        prior = (whitened - truth).square().mean()
        weight = self.options.prior * (3 if share == 1 else 1)
        return {"code": far, "prior": prior, "loss": share * far + weight * prior + self.options.offsets * size}

    def _batch(self, count: int, source: torch.Generator) -> tuple[Tensor, Tensor]:
        files = torch.randint(
            1 if len(self.samples) > 1 else 0, len(self.samples), (count,), generator=source
        ).tolist()
        rows = torch.randint(len(self.samples[0]["codes"]), (count,), generator=source).tolist()
        chosen = [(self.samples[file], row) for file, row in zip(files, rows, strict=True)]
        codes = torch.stack([sample["codes"][row] for sample, row in chosen])
        return codes, _floats(torch.stack([sample["pictures"][row] for sample, row in chosen]))

    def _photos(self, count: int, source: torch.Generator) -> Tensor:
        assert self.photos is not None
        return _floats(self.photos[torch.randint(len(self.photos), (count,), generator=source)])

    def _rate(self) -> float:
        """Up over the first steps, then down along a cosine, for each half of the training."""
        options, half = self.options, self.through_picture
        length = (options.picture_minutes if half else options.code_minutes) * 60
        gone = self.seconds - (options.code_minutes * 60 if half else 0)
        rate = options.picture_rate if half else options.code_rate
        return rate * min(1.0, (self.step + 1) / WARMUP) * (0.5 + 0.5 * math.cos(math.pi * min(1.0, gone / length)))

    @torch.no_grad()
    def measure(self, count: int = 64) -> tuple[dict[str, float], Tensor]:
        """Of the moving average, on samples it did not learn from: R² of the codes, identity distance, and a picture
        [3, 2 S, n S] of the first eight, as drawn and as reconstructed."""
        held = self.samples[0]
        codes, pictures = held["codes"][:count].to(self.device), _floats(held["pictures"][:count]).to(self.device)
        found = self.space.codes(*self.encode(pictures, self.average))
        centre = self.space.to_w(torch.zeros_like(self.space.centre))
        unexplained = ((found - codes) / self.space.spread).square().mean()
        shown = torch.cat([resized(self.draw(code[None]), self.side).to(self.device) for code in found[:16]])
        pictures = resized(pictures, self.side)
        theirs, ours = (identity_features(self.identity, some[:16]) for some in (pictures, shown))
        far = (nn.functional.normalize(ours[-1]) - nn.functional.normalize(theirs[-1])).norm(dim=1).median()
        r2 = 1 - unexplained / ((centre - codes) / self.space.spread).square().mean()
        rows = [torch.cat(list(some[:8]), 2) for some in (pictures, shown)]
        return {"r2": float(r2), "identity": float(far)}, torch.cat(rows, 1).clamp(-1, 1).cpu()

    def tensors(self) -> dict[str, Tensor]:
        """What the encoder's file holds."""
        named = {f"network.{name}": tensor for name, tensor in self.average.state_dict().items()}
        return named | {f"space.{name}": tensor for name, tensor in self.space.state_dict().items()}

    def save(self, checkpoints: Checkpoints) -> None:
        """Write a checkpoint of everything, the optimiser's moments too."""
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {f"average.{name}": tensor for name, tensor in self.average.state_dict().items()}
        tensors |= {f"space.{name}": tensor for name, tensor in self.space.state_dict().items()}
        state = {"step": self.step, "seconds": self.seconds}
        checkpoints.save(self.step, tensors, state, {"encoder": self.optimizer})

    def load(self, checkpoints: Checkpoints) -> bool:
        """Take up the latest checkpoint; False where there is none. Raises `UsageError` where the options were
        others, `PackError` where all are damaged."""
        found = checkpoints.load()
        if found is None:
            return False
        self.network.load_state_dict(found.below("network"))
        self.average.load_state_dict(found.below("average"))
        self.space.load_state_dict(found.below("space"))
        self.step, self.seconds = int(found.state["step"]), float(found.state["seconds"])
        found.restore({"encoder": self.optimizer})
        return True


def _floats(pictures: Tensor) -> Tensor:
    return pictures.float() / 127.5 - 1


def _fast_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        result: bool = torch.cuda.is_bf16_supported()
        return result
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
