"""Published StyleGAN2 generators, and encoders for them. Names inside the packs stay as published.

Sources of the layouts: omertov/encoder4editing and eladrich/pixel2style2pixel (`state_dict`, `latent_avg`, `opts`),
rosinality/stylegan2-pytorch (`g_ema`, `latent_avg`), XPixelGroup/BasicSR (`params_ema`), NVlabs/stylegan2-ada-pytorch
(`G_ema`). How a file wraps them does not matter: `contents` finds them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kinblend.checkpoints import AVERAGES, Contents, read_contents, validate_tensors
from kinblend.errors import CheckpointError
from kinblend_plugins.importers.averages import find_average, mean_w
from kinblend_plugins.importers.contents import (
    BASICSR,
    BOTTLENECK,
    ENCODER,
    GENERATORS,
    LINEAR,
    NVIDIA,
    ROSINALITY,
)
from kinblend_plugins.importers.names import check_nvidia, check_rosinality, from_basicsr, shown
from kinblend_plugins.importers.pack import Imported, write_pack

# Which encoder of kinblend runs what `opts.encoder_type` names. Their tensors have the same names and shapes.
ENCODERS = {"Encoder4Editing": "e4e", "GradualStyleEncoder": "psp"}
SHORT = {"e4e": "e4e", "psp": "psp"}
# The same of ReStyle, whose networks look at six channels; and whether their heads give offsets, as e4e's do.
RESTYLE = {
    "BackboneEncoder": False,
    "ResNetBackboneEncoder": False,
    "GradualStyleEncoder": False,
    "ProgressiveBackboneEncoder": True,
    "ResNetProgressiveBackboneEncoder": True,
}
RESTYLE_CHANNELS = 6
HYPERNETWORK = "shared_weight_hypernet.w1"
MAX_PASSES = 50
HEAD, RESNET = "styles.0.linear.weight", "conv1.weight"  # the first head's; of an encoder on ResNet-34
ENCODER_DIM = 512
NO = ("", "0", "false", "no", "none")  # how a text says that a switch is off

# Networks that are not read here, by a name that only they have.
RELATIVES = (
    (r"(^|\.)(fc0\.weight|style\.1\.weight)$", "a mapping network without the synthesis network of its generator"),
    (r"(^|\.)(final_linear\.1\.weight|final_conv\.\d\.weight|b4\.out\.weight)$", "a discriminator and no generator"),
)
# StyleGANs of other years: what is wrong with one of them is said by the importer that reads them.
OTHERS = r"(^|\.)(L\d+_\d+_\d+|input\.freqs|progression\.\d+|g_synthesis|g_mapping|synthesis\.layer\d+)(\.|$)"


def import_e4e(checkpoint: Path, out: Path, name: str) -> Path | None:
    """An encoder of encoder4editing or pixel2style2pixel with its generator → a pack; None where there is no encoder.

    Raises `CheckpointError` for encoders of their relatives, by name, and where the generator or the average lacks.
    """
    contents = read_contents(checkpoint)
    prefix = encoder_prefix(contents) if contents else None
    if contents is None or prefix is None or contents.prefixes(HYPERNETWORK):
        return None
    tensors = contents.below(prefix)
    iterative = _channels(tensors) == RESTYLE_CHANNELS
    kind, note = ("restyle", "") if iterative else _encoder_kind(contents)
    found = find_decoder(contents, prefix)
    if found is None:
        raise CheckpointError(
            f"{checkpoint} holds an encoder ({prefix}{ENCODER} …) and no generator: decoder.{ROSINALITY} and all "
            "else of decoder.* are missing; give the checkpoint that has both"
        )
    made = read_generator(contents, *found)
    if made.dim != ENCODER_DIM:
        raise CheckpointError(
            f"{checkpoint}: its generator has codes of {made.dim} dimensions; {kind} encodes into {ENCODER_DIM}"
        )
    made.parts["encoder"], made.encoder, made.note, made.source = tensors, kind, note, _SOURCES[kind]
    if iterative:
        made.settings |= _restyle_settings(contents)
    add_average(contents, made)
    return write_pack(checkpoint, out, name, made)


def import_rosinality(checkpoint: Path, out: Path, name: str) -> Path | None:
    """A generator as rosinality or BasicSR names it → a pack; None where there is none, or an encoder beside it.

    A latent average stored beside it goes into the pack.
    """
    return _import_generator(checkpoint, out, name, (ROSINALITY, BASICSR))


def import_nvidia(checkpoint: Path, out: Path, name: str) -> Path | None:
    """A generator named as NVIDIA names it, of a `.pkl` or a state dict → a pack; None where there is none.

    Raises `CheckpointError` for a conditional generator and, by name, for what else is known and can't be used.
    """
    return _import_generator(checkpoint, out, name, (NVIDIA,), refuse=True)


_SOURCES = {
    "e4e": "encoder4editing",
    "psp": "pixel2style2pixel",
    "restyle": "ReStyle",
}


def _import_generator(
    checkpoint: Path, out: Path, name: str, kinds: tuple[str, ...], refuse: bool = False
) -> Path | None:
    contents = read_contents(checkpoint)
    if contents is None or encoder_prefix(contents) is not None or resnet_prefix(contents) is not None:
        return None
    if contents.prefixes(HYPERNETWORK):
        return None
    found = contents.find_generator(GENERATORS)
    if found is None and refuse:
        _refuse_relatives(contents)
    if found is None or found[0] not in kinds:
        return None
    made = read_generator(contents, *found)
    made.average = mean_w(find_average(contents, made.layers, made.dim, found[1]))
    keep_average(made)
    return write_pack(checkpoint, out, name, made)


def _refuse_relatives(contents: Contents) -> None:
    if any(re.search(OTHERS, name) for name in contents.tensors):
        return
    for pattern, what in RELATIVES:
        if names := [name for name in contents.tensors if re.search(pattern, name)]:
            raise CheckpointError(f"{contents.path} holds {what} (its tensors: {shown(names)})")


def encoder_prefix(contents: Contents) -> str | None:
    """What stands before the names of the encoder's tensors; None where there is none."""
    prefixes = contents.prefixes(ENCODER)
    prefixes += [prefix for prefix in contents.prefixes(HEAD) if f"{prefix}{RESNET}" in contents.tensors]
    return min(prefixes, key=lambda prefix: (not prefix.endswith("encoder."), len(prefix))) if prefixes else None


def resnet_prefix(contents: Contents) -> str | None:
    """As `encoder_prefix`, of a ResNet-50 or a deeper one in torchvision's names that has a linear head."""
    prefixes = [prefix for prefix in contents.prefixes(BOTTLENECK) if f"{prefix}{LINEAR}" in contents.tensors]
    return min(prefixes, key=lambda prefix: (not prefix.endswith("encoder."), len(prefix))) if prefixes else None


def find_decoder(contents: Contents, encoder: str) -> tuple[str, str] | None:
    """The generator beside an encoder; where there is none, any other."""
    beside = encoder.removesuffix("encoder.") + "decoder."
    return (
        (ROSINALITY, beside) if f"{beside}{ROSINALITY}" in contents.tensors else contents.find_generator(GENERATORS)
    )


def _channels(encoder: Mapping[str, Tensor]) -> int:
    """Of the images that an encoder looks at."""
    first = encoder.get(ENCODER, encoder.get(RESNET))
    return int(first.shape[1]) if first is not None and first.ndim == 4 else 0


def _restyle_settings(contents: Contents) -> dict[str, Any]:
    """How an encoder of ReStyle is to be run. Raises `CheckpointError` where nothing tells which kind it is."""
    named = str(contents.setting("encoder_type"))
    if named not in RESTYLE:
        raise CheckpointError(
            f"{contents.path} has an encoder that looks at six channels, as ReStyle's do, and its opts name "
            f"{f'the encoder_type {named[:60]!r}' if named != 'None' else 'no encoder_type'}: one of "
            f"{', '.join(RESTYLE)} is needed, because their tensors look the same and mean different things"
        )
    settings: dict[str, Any] = {"offsets": RESTYLE[named]}
    passes = contents.setting("n_iters_per_batch")
    return settings | ({"passes": passes} if isinstance(passes, int) and 1 <= passes <= MAX_PASSES else {})


def _encoder_kind(contents: Contents) -> tuple[str, str]:
    """Which encoder of kinblend runs that of a file, and what there is to say of it.

    The tensors of e4e and pSp have the same names and shapes and mean different things: `opts.encoder_type` tells.
    """
    named = contents.setting("encoder_type")
    if named is None:
        return (
            "e4e",
            "its opts name no encoder_type; taken for e4e, though pSp looks the same: see docs/checkpoints.md",
        )
    known = ENCODERS.get(str(named)) or SHORT.get(str(named).lower())
    if known is None:
        raise CheckpointError(
            f"{contents.path} has an encoder of the type {str(named)[:60]!r}, which kinblend does not run; it runs "
            f"{', '.join(f'{theirs} ({ours})' for theirs, ours in ENCODERS.items())} and ReStyle's of six channels"
        )
    return known, ""


def add_average(contents: Contents, made: Imported) -> None:
    """Give the encoder what its codes start from. Raises `CheckpointError` where that lacks."""
    average = find_average(contents, made.layers, made.dim)
    made.average = mean_w(average)
    if starts_from_average(contents) is False:
        made.settings["start_from_latent_avg"] = False
        keep_average(made)
    elif average is None:
        raise CheckpointError(
            f"{contents.path} lacks latent_avg, the mean code that its encoder starts from, and its opts don't say "
            "that it starts from nothing (start_from_latent_avg); give the checkpoint as it was published"
        )
    else:
        made.parts["encoder"]["latent_avg"] = average


def keep_average(made: Imported) -> None:
    """Put the mean w beside a generator that has none."""
    name = "mapping.w_avg" if "synthesis.b4.const" in made.generator else "latent_avg"
    if made.average is not None and name not in made.generator:
        made.generator[name] = made.average


def starts_from_average(contents: Contents) -> bool | None:
    """Whether the encoder's codes are offsets from the latent average; None where the options don't say."""
    said = contents.setting("start_from_latent_avg")
    if isinstance(said, str):
        return said.strip().lower() not in NO
    return None if said is None else bool(said)


def read_generator(contents: Contents, kind: str, prefix: str) -> Imported:
    """The generator of that kind and prefix, complete. Raises `CheckpointError`."""
    settings: dict[str, Any] = {}
    if kind == NVIDIA:
        tensors = _nvidia_tensors(contents, prefix)
        settings["conv_clamp"] = _clamp(contents)
    else:
        tensors = contents.below(prefix)
        tensors = from_basicsr(tensors) if kind == BASICSR else tensors
        tensors = {key: tensor for key, tensor in tensors.items() if key not in AVERAGES}
    wrong = check_nvidia(tensors) if kind == NVIDIA else check_rosinality(tensors)
    if wrong:
        raise CheckpointError(f"{contents.path} {wrong}")
    # Before anything is made of them: a tensor may claim any size.
    validate_tensors(contents.path, tensors)
    steps = sum(bool(re.search(r"(torgb|to_rgb1|to_rgbs\.\d+)\.bias$", key)) for key in tensors)
    made = Imported({"generator": tensors}, 4 * 2 ** (steps - 1), _dim(contents, tensors, kind), settings)
    made.source = {NVIDIA: "stylegan2-ada-pytorch", ROSINALITY: "stylegan2-pytorch", BASICSR: "BasicSR"}[kind]
    _draw_noises(tensors, made.resolution, kind)
    return made


def _nvidia_tensors(contents: Contents, prefix: str) -> dict[str, Tensor]:
    """A generator's tensors with `synthesis.` and `mapping.` before them, which some state dicts lack."""
    root = prefix.removesuffix("synthesis.")
    tensors = contents.below(root)
    if any(key.startswith(("mapping.embed.", "embed.")) for key in tensors):
        raise CheckpointError(
            f"{contents.path} is a conditional generator (c_dim > 0); kinblend needs one without labels"
        )
    if root == prefix:  # b4.const …, of the synthesis network alone or with the mapping network's beside it
        return {_full_name(key): tensor for key, tensor in tensors.items()}
    return tensors


def _full_name(name: str) -> str:
    part = "synthesis." if re.match(r"b\d+\.", name) else "mapping." if re.match(r"fc\d+\.|w_avg$", name) else ""
    return part + name


def _dim(contents: Contents, tensors: Mapping[str, Tensor], kind: str) -> int:
    """Dimensions of z and w, which have to be the same."""
    weight = tensors["mapping.fc0.weight" if kind == NVIDIA else "style.1.weight"]
    if weight.ndim != 2 or weight.shape[0] != weight.shape[1]:
        raise CheckpointError(
            f"{contents.path} maps z to w by a first layer of shape {list(weight.shape)}; kinblend needs z and w "
            "of as many dimensions"
        )
    return int(weight.shape[0])


def _draw_noises(tensors: dict[str, Tensor], resolution: int, kind: str) -> None:
    """Older files hold no noise maps, because those were drawn when a network was made; here they are drawn once."""
    if any(key.startswith("noises.") or key.endswith("noise_const") for key in tensors):
        return
    source = torch.Generator().manual_seed(0)
    for index in range(2 * int(math.log2(resolution)) - 3):
        side = 2 ** ((index + 5) // 2)
        drawn = torch.randn(1, 1, side, side, generator=source)
        if kind == NVIDIA:
            tensors[f"synthesis.b{side}.conv{1 - index % 2}.noise_const"] = drawn[0, 0]
        else:
            tensors[f"noises.noise_{index}"] = drawn


def _clamp(contents: Contents) -> float | None:
    """Where the generator cuts the values after each layer; None for nowhere."""
    found = {value for key, value in contents.settings.items() if key.endswith(".conv_clamp")}
    if len(found) > 1 or any(isinstance(value, str) for value in found):
        raise CheckpointError(
            f"{contents.path} clamps its layers at different values ({found}), which kinblend can't"
        )
    [clamp] = found or {None}
    return float(clamp) if isinstance(clamp, (int, float)) else None
