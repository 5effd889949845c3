"""A ResNet-50 that gives codes, with the StyleGAN2 whose codes they are → a model pack for the encoder `resnet`.

The network in torchvision's names, with a linear layer `fc` of L · D outputs, in one file with its generator. The
Keras files of pbaylies/stylegan-encoder and rolux/stylegan2encoder, which go before, are not read.
"""

from __future__ import annotations

import re
from pathlib import Path

from torch import Tensor

from kinblend.checkpoints import Contents, read_contents, validate_tensors
from kinblend.errors import CheckpointError
from kinblend_plugins.importers.averages import find_average, mean_w
from kinblend_plugins.importers.contents import LINEAR
from kinblend_plugins.importers.pack import Imported, write_pack
from kinblend_plugins.importers.stylegan2 import (
    encoder_prefix,
    find_decoder,
    keep_average,
    read_generator,
    resnet_prefix,
    starts_from_average,
)

NAMES = ("resnet", "resnet50")  # of `opts.encoder_type`, in small letters and without dashes
FEATURES = 2048  # that the linear layer takes


def import_resnet(checkpoint: Path, out: Path, name: str) -> Path | None:
    """A ResNet-50 with a linear head and its generator → a pack; None where there is no such network.

    Codes are whole unless the file's options say `start_from_latent_avg`. Raises `CheckpointError` where the options
    name another encoder, the head is of other codes, or the generator or that average lacks.
    """
    contents = read_contents(checkpoint)
    prefix = resnet_prefix(contents) if contents else None
    if contents is None or prefix is None or encoder_prefix(contents) is not None:
        return None
    _check_type(contents)
    found = find_decoder(contents, prefix)
    if found is None:
        raise CheckpointError(
            f"{checkpoint} holds a ResNet ({prefix}{LINEAR} …) and no generator; give a file that holds both, the "
            "generator's tensors as decoder.*"
        )
    made = read_generator(contents, *found)
    tensors = contents.below(prefix)
    _check_head(contents, tensors[LINEAR], made)
    average = find_average(contents, made.layers, made.dim)
    made.average, made.encoder, made.source = mean_w(average), "resnet", "stylegan-encoder's kind"
    keep_average(made)
    if starts_from_average(contents):
        if average is None:
            raise CheckpointError(
                f"{checkpoint} lacks latent_avg, the mean code that its opts say its encoder starts from "
                "(start_from_latent_avg); put it beside the tensors"
            )
        tensors["latent_avg"] = average
    made.parts["resnet"] = tensors
    return write_pack(checkpoint, out, name, made)


def _check_type(contents: Contents) -> None:
    """Raise `CheckpointError` where the options name another encoder than the tensors show."""
    named = contents.setting("encoder_type")
    if named is not None and re.sub(r"[^a-z0-9]", "", str(named).lower()) not in NAMES:
        raise CheckpointError(
            f"{contents.path} has an encoder of the type {str(named)[:60]!r} with the tensors of a ResNet-50; "
            "kinblend runs it as ResNet50 alone, one linear layer after the network"
        )


def _check_head(contents: Contents, head: Tensor, made: Imported) -> None:
    """Raise `CheckpointError` for a head of other codes than the generator's."""
    validate_tensors(contents.path, {LINEAR: head})
    wanted = [made.layers * made.dim, FEATURES]
    if list(head.shape) != wanted:
        raise CheckpointError(
            f"{contents.path}: its encoder's {LINEAR} has shape {list(head.shape)}; codes of its generator are "
            f"[{made.layers}, {made.dim}], for which {wanted} is needed"
        )
