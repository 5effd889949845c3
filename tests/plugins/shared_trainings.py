"""A few steps of each trainer, for `test_shared_training.py`: what processes do that share a batch, or one alone."""

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from toy_faces import pixels, tiny

from kinblend import LatentSpace, load_backbone
from kinblend.datasets import Trios
from kinblend.identity.dlib_resnet import read_network, weights_file
from kinblend.training.ranks import Ranks
from kinblend_plugins.blenders.bridge import Projection
from kinblend_plugins.blenders.training import session as blender
from kinblend_plugins.blenders.training.options import TrainOptions as BlenderOptions
from kinblend_plugins.stylegan2.training import session as backbone
from kinblend_plugins.wplus.network import SIDE
from kinblend_plugins.wplus.training import session as encoder
from kinblend_plugins.wplus.training.options import TrainOptions as EncoderOptions

Found = dict[str, Tensor]


def all_steps(pack: Path, out: Path, progress: Callable[[str], None] | None, ranks: Ranks) -> Path:
    """Gradients, losses and weights after steps of all three, in a file for each trainer and process."""
    for name, steps in {
        "backbone": lambda: backbone_steps(ranks),
        "encoder": lambda: encoder_steps(pack, out, ranks),
        "blender": lambda: blender_steps(ranks),
    }.items():
        save_file(
            {key: value.contiguous() for key, value in steps().items()}, out / f"{name}-{ranks.rank}.safetensors"
        )
    return out


def backbone_steps(ranks: Ranks) -> Found:
    """Steps of a StyleGAN2 with every loss that compares pictures: groups of the batch's spread, couples and the mean
    path lie across processes."""
    recipe = tiny(batch=6, r1_every=1, path_length=1.0, path_every=1, delta_start=0, delta_every=1)
    training = backbone.Session(recipe, pixels(16), ranks)
    training.probability.value = 0.7
    found: Found = {}
    for number in range(2):
        losses = training.step()
        found |= {f"loss {number} {name}": value for name, value in losses.items()}
        found |= gradients(number, training.networks)
    found["path mean"] = torch.tensor(training.progress.path_mean)
    found["signs"] = torch.tensor(training.probability.signs)
    return found | weights(training.networks)


def encoder_steps(pack: Path, out: Path, ranks: Ranks) -> Found:
    """A step of codes and one through the picture."""
    options = EncoderOptions(
        backbone=str(pack), code_batch=3, picture_batch=2, code_minutes=1, picture_size=32, precision="fp32"
    )
    source = torch.Generator().manual_seed(1)
    projector = load_backbone(pack).projector
    space = projector.space
    samples = {
        "codes": torch.randn(8, space.layers, space.dim, generator=source) * 0.3,
        "pictures": torch.randint(0, 256, (8, 3, SIDE, SIDE), generator=source, dtype=torch.uint8),
    }
    file = out / f"samples-{ranks.rank}.safetensors"
    save_file(samples, file)
    training = encoder.Session(options, projector, read_network(weights_file()), [file], None, ranks)
    found: Found = {}
    for number, seconds in enumerate((0, 61)):
        training.seconds = float(seconds)
        found |= {f"loss {number} {name}": value for name, value in training.learn().items()}
        found |= gradients(number, training.network)
    return found | weights(training.network)


def blender_steps(ranks: Ranks) -> Found:
    """A step and an epoch of the student report's network, with batch norm, dropout and ranking loss."""
    space = LatentSpace("test", 2, 32, "ab" * 32)
    options = BlenderOptions(trios=Path("-"), bridge="projection", batch=7, contrast=0.5, noise=0.1, edits=("smile",))
    source = torch.Generator().manual_seed(2)
    father, mother, child = torch.randn(3, 40, 2, 32, generator=source)
    embedding = F.normalize(torch.randn(40, 128, generator=source), dim=1)
    trios = Trios(father, mother, child, embedding, [f"F{row // 2}" for row in range(40)], space)
    step = {"smile": torch.randn(2, 32, generator=source)}
    training = blender.Session(options, trios, Projection(64), None, step, ranks=ranks)
    found: Found = {}
    found["loss"] = torch.tensor(training.step(training.families.batches("train")[0]))
    found |= gradients(0, training.network)
    record = training.run_epoch()
    found |= {f"loss {name}": torch.tensor(record[name]) for name in ("train_loss", "val_loss", "val_auc")}
    return found | weights(training.network)


def gradients(number: int, network: nn.Module) -> Found:
    return {
        f"gradient {number} {name}": one.grad.clone()
        for name, one in network.named_parameters()
        if one.grad is not None
    }


def weights(network: nn.Module) -> Found:
    return {f"weight {name}": value.clone() for name, value in network.state_dict().items()}
