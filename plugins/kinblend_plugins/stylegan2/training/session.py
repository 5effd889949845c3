"""One training step after the other, from a seed: discriminator, then generator and encoder together.

The generator's and the discriminator's losses follow Karras et al., "Analyzing and Improving the Image Quality of
StyleGAN" (2020), section 3; reconstruction and steps between layers Tov et al., "Designing an Encoder for StyleGAN
Image Manipulation" (2021), sections 4.1 and 4.2. Both learn at once, and the discriminator sees blends as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from kinblend.training.checkpoint import Checkpoints
from kinblend.training.ranks import Ranks, Share
from kinblend_plugins.stylegan2.training import blends, faces, identity_loss, losses
from kinblend_plugins.stylegan2.training.augment import Probability, augment
from kinblend_plugins.stylegan2.training.draws import generator
from kinblend_plugins.stylegan2.training.networks import Networks, noises
from kinblend_plugins.stylegan2.training.recipe import Recipe

BETAS = {"generator": (0.0, 0.99), "encoder": (0.9, 0.99), "discriminator": (0.0, 0.99)}
PATH_FOLLOW = 0.01  # share by which the mean path length follows each penalty


@dataclass
class Progress:
    """Where a training stands. step: done. seen: faces so far. age: steps since the optimisers began.
    seconds: of all runs."""

    step: int = 0
    seen: int = 0
    age: int = 0
    seconds: float = 0.0
    path_mean: float = 0.0


@dataclass(frozen=True)
class Fakes:
    """What the generator made in a step. pictures: reconstructions, then blends, then samples, [m, 3, R, R]."""

    pictures: Tensor
    offsets: Tensor


class Session:
    """A training that goes step by step. pixels: training faces, uint8 [n, 3, R, R].

    ranks: the processes that share each batch, and the device.
    Its `networks`, `optimizers`, `probability` and `progress` are all it knows; each step draws its random numbers
    from seed and step, so that restoring these four gives the same further steps.
    """

    def __init__(self, recipe: Recipe, pixels: Tensor, ranks: Ranks) -> None:
        device = ranks.device
        self.recipe, self.pixels, self.ranks, self.device = recipe, pixels, ranks, device
        self.dtype = dtype_of(recipe.precision, device)
        self.networks = Networks(recipe).to(device)
        self.networks.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.identity = identity_loss.find(recipe, device)
        self.progress = Progress()
        self.probability = Probability(recipe.ada_target, recipe.ada_images)
        self.optimizers = {
            name: torch.optim.Adam(getattr(self.networks, name).parameters(), lr=recipe.rate, betas=betas, eps=1e-8)
            for name, betas in BETAS.items()
        }

    def step(self) -> dict[str, Tensor]:
        """Learn from one batch. Returns the losses, scalars without gradient."""
        recipe, progress = self.recipe, self.progress
        real = faces.batch(self.pixels, progress.seen, recipe.batch, recipe.seed, recipe.mirror, self.device)
        real = self.shown.take(real).contiguous(memory_format=torch.channels_last)
        self._warm_up()
        with self.autocast():
            fakes = self.make(real)
        found = self._teach_discriminator(real, fakes.pictures.detach())
        found |= self._teach_generator(real, fakes)
        progress.step += 1
        progress.seen += recipe.batch
        progress.age += 1
        self.networks.update_averages(recipe.batch, progress.seen, recipe.average_images)
        return self.ranks.total(found)

    @property
    def shown(self) -> Share:
        """This process's rows of the faces in a step."""
        return self.ranks.share(self.recipe.batch)

    @property
    def made(self) -> Share:
        """This process's rows of what all processes make in a step: reconstructions, blends, samples."""
        batch = self.recipe.batch
        return self.ranks.share(batch, round(self.recipe.blends * batch), round(self.recipe.samples * batch))

    def make(self, real: Tensor) -> Fakes:
        """Reconstructions of `real`, blends of pairs of the whole batch, and samples; of each this process's rows."""
        recipe, networks, share = self.recipe, self.networks, self.made
        codes, offsets = networks.encoder(real, recipe.steps_allowed(self.progress.seen))
        wanted = [codes]
        if count := round(recipe.blends * recipe.batch):
            couples = blends.draw(recipe.batch, count, recipe.layers, recipe.dim, self.source("blends"))
            wanted.append(couples.rows(share.parts[1]).to(self.device).children(self.shown.gather(codes)))
        if count := round(recipe.samples * recipe.batch):
            z = torch.randn(count, recipe.dim, generator=self.source("samples"))[share.parts[2]].to(self.device)
            w = networks.generator.mapping(z).float()
            wanted.append(w[:, None].expand(-1, recipe.layers, -1))
        maps = noises(networks.generator, share.total, self.source("noise", self.device))
        return Fakes(networks.generator(torch.cat(wanted), [share.take(noise) for noise in maps]).float(), offsets)

    def save(self, checkpoints: Checkpoints) -> Path:
        """Write a checkpoint; without the optimisers' moments where the recipe says so. Returns its folder."""
        state = {
            "progress": asdict(self.progress),
            "probability": asdict(self.probability),
            "recipe": self.recipe.record(),
        }
        optimizers = self.optimizers if self.recipe.moments else {}
        return checkpoints.save(self.progress.step, self.networks.state_dict(), state, optimizers)

    def load(self, checkpoints: Checkpoints) -> bool:
        """Take up the latest checkpoint; False where there is none at all.

        Weights, averages, augmentation and position are as they were. So are the optimisers if their moments are
        there; without them they start afresh and the rate rises again over the recipe's `warmup` steps.
        Raises `UsageError` where the recipe's architecture is another, `PackError` where all are damaged.
        """
        found = checkpoints.load()
        if found is None:
            return False
        self.networks.load_state_dict(found.tensors)
        self.probability = Probability(**found.state["probability"])
        self.progress = Progress(**found.state["progress"])
        if not found.restore(self.optimizers):
            self.progress.age = 0
        return True

    def source(self, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
        """Random numbers of this step for one purpose."""
        return generator(self.recipe.seed, self.progress.step, purpose, device)

    @contextmanager
    def autocast(self) -> Iterator[None]:
        """Mixed precision, where it is wanted."""
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            yield

    def _teach_discriminator(self, real: Tensor, fake: Tensor) -> dict[str, Tensor]:
        recipe, judge = self.recipe, self.networks.discriminator.requires_grad_(True)
        ours, theirs = self.shown, self.made
        shown = augment(real, self.probability.value, self.source("real"), ours)
        with self.autocast():
            on_real = judge(shown, ours)
            on_fake = judge(augment(fake, self.probability.value, self.source("fake"), theirs), theirs)
        on_real_loss, on_fake_loss = losses.discriminator_losses(on_real, on_fake)
        loss = ours.part(on_real_loss) + theirs.part(on_fake_loss)
        found = {"discriminator": loss}
        if recipe.r1 and self.progress.step % recipe.r1_every == 0:
            # In float32 and on the augmented picture: no second derivative of the augmentation is needed.
            found["r1"] = ours.part(losses.r1(partial(judge, share=ours), shown))
            loss = loss + recipe.r1 * recipe.r1_every * found["r1"]
        self._descend(loss, "discriminator")
        self.probability.update(ours.gather(on_real.detach()))
        return found

    def _teach_generator(self, real: Tensor, fakes: Fakes) -> dict[str, Tensor]:
        recipe, judge = self.recipe, self.networks.discriminator.requires_grad_(False)
        again, ours, theirs = fakes.pictures[: len(real)], self.shown, self.made
        with self.autocast():
            on_fake = judge(augment(fakes.pictures, self.probability.value, self.source("fake"), theirs), theirs)
        found = {
            "adversarial": theirs.part(losses.generator_loss(on_fake)),
            "pixel": ours.part(losses.pixels(again, real)),
            "delta": ours.part(losses.offset_size(fakes.offsets)),
        }
        loss = sum(getattr(recipe, name) * value for name, value in found.items())
        if self.identity is not None and self.progress.step % recipe.identity_every == 0:
            with self.autocast():
                found["identity"] = ours.part(identity_loss.distance(self.identity, again, real).square().mean())
            loss = loss + recipe.identity_weight * found["identity"]
        if recipe.path_length and self.progress.step % recipe.path_every == 0:
            found["path"] = self._path_penalty(max(1, recipe.batch // 2))
            loss = loss + recipe.path_length * recipe.path_every * found["path"]
        self._descend(loss, "generator", "encoder")
        return found

    def _path_penalty(self, count: int) -> Tensor:
        recipe, network, source = self.recipe, self.networks.generator, self.source("path", self.device)
        share = self.ranks.share(count)
        z = share.take(torch.randn(count, recipe.dim, generator=source, device=self.device))
        codes = network.mapping(z)[:, None].repeat(1, recipe.layers, 1)
        pictures = network(codes, [share.take(noise) for noise in noises(network, count, source)])
        noise = torch.randn((count, *pictures.shape[1:]), generator=source, device=self.device)
        lengths = losses.path_lengths(pictures, codes, share.take(noise))
        mean = self.progress.path_mean
        self.progress.path_mean = mean + PATH_FOLLOW * (float(share.gather(lengths.detach()).mean()) - mean)
        return share.part((lengths - self.progress.path_mean).square().mean())

    def _descend(self, loss: Tensor, *names: str) -> None:
        for name in names:
            self.optimizers[name].zero_grad(set_to_none=True)
        loss.backward()
        for name in names:
            self.ranks.reduce_gradients(getattr(self.networks, name).parameters())
            self.optimizers[name].step()

    def _warm_up(self) -> None:
        share = min(1.0, (self.progress.age + 1) / self.recipe.warmup)
        for optimizer in self.optimizers.values():
            for entry in optimizer.param_groups:
                entry["lr"] = self.recipe.rate * share


def dtype_of(precision: str, device: torch.device) -> torch.dtype:
    """What matrices are multiplied in: "auto" is bfloat16 on a CUDA device that has it, else float32."""
    if precision == "auto":
        fast = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if fast else torch.float32
    return torch.bfloat16 if precision == "bf16" else torch.float32
