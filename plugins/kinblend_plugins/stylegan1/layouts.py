"""How published StyleGANs name their tensors, and how they scale them.

Sources:

- rosinality/style-based-gan-pytorch, since July 2019 (`g_running`): layers for all sizes, of which some may never
  have been trained, one noise map for both layers of a size, and biases that are blurred where the size doubles.
- lernapparat/lernapparat: NVIDIA's weights for faces (`karras2019stylegan-ffhq-1024x1024.for_g_all.pt`).
- genforce/genforce: NVIDIA's weights and others' (`stylegan_ffhq1024.pth`), with noise maps and the latent average.
- genforce/interfacegan: the same as its code converts them from NVIDIA's files, under other names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

from kinblend.errors import CheckpointError
from kinblend_plugins.stylegan1.layers import Variant

# A tensor that all generators of a layout have, and none of another.
ROSINALITY = "generator.progression.0.conv1.input"
LERNAPPARAT = "g_synthesis.blocks.4x4.const"
GENFORCE = "synthesis.layer0.const"
INTERFACEGAN = "synthesis.layer0.first_layer"

Pair = tuple[str, str]  # the names of a weight and of its bias

FUSED_FROM = 128  # px: NVIDIA's generators reach these sizes by transposed convolutions


@dataclass(frozen=True)
class LayerNames:
    """The tensors of a layer; "" stands for none. fused: whether its weight is that of a transposed convolution."""

    weight: str
    bias: str
    noise_strength: str
    style: Pair
    fused: bool = False
    blur: str = ""
    noise: str = ""


@dataclass(frozen=True)
class Names:
    """The tensors of a generator. mapping, layers: of its layers, in order.

    optional: a pattern of what may stand beside them unused. note: what the user has to be told.
    """

    const: str
    mapping: list[Pair]
    layers: list[LayerNames]
    to_rgb: Pair
    optional: str
    note: str = ""


@dataclass(frozen=True)
class Layout:
    """A publisher's names and scales.

    names: of the tensors of one generator. mapping_rate: the learning-rate multiplier of the mapping network. gain:
    of the styles and the colours. gains_above: what is added to the gains that styles give. scaled_noise: whether the
    strength of noise is scaled as weights are. fused_order: where the weights of transposed convolutions have their
    inputs, outputs, rows and columns. fused_share: by what those weights are multiplied. shared_noise: whether both
    layers of a size add the same noise.
    """

    source: str
    variant: Variant
    names: Callable[[Mapping[str, Tensor]], Names]
    mapping_rate: float = 0.01
    gain: float = 1.0
    gains_above: float = 1.0
    scaled_noise: bool = False
    fused_order: tuple[int, int, int, int] = (1, 0, 2, 3)
    fused_share: float = 1.0
    shared_noise: bool = False


def _name_rosinality(tensors: Mapping[str, Tensor]) -> Names:
    """Raises `CheckpointError` for the layout before July 2019."""
    if any(re.fullmatch(r"generator\.progression\.\d+\.conv1\.conv\.weight_orig", name) for name in tensors):
        raise CheckpointError("is a StyleGAN of style-based-gan-pytorch before July 2019, which is built otherwise")
    blocks = numbers(tensors, r"generator\.progression\.(\d+)\.")
    if blocks != list(range(len(blocks))):
        raise CheckpointError("lacks blocks of its generator: its generator.progression.* are not 0, 1, …")
    steps = _trained(tensors, len(blocks))
    layers = [layer for step in range(steps) for layer in _rosinality_block(tensors, step)]
    trained = f"it was trained up to {4 * 2 ** (steps - 1)} px; its layers for larger pictures are left out"
    return Names(
        ROSINALITY,
        [_orig(f"style.{index}.linear") for index in numbers(tensors, r"style\.(\d+)\.linear\.")],
        layers,
        _orig(f"generator.to_rgb.{steps - 1}.conv"),
        r"generator\.to_rgb\.\d+\.|\.weight_flip$" + "".join(rf"|\.progression\.{n}\." for n in blocks[steps:]),
        trained if steps < len(blocks) else "",
    )


def _trained(tensors: Mapping[str, Tensor], blocks: int) -> int:
    """How many sizes were trained: those whose noise has a strength. A training begins at 8 px and doubles that."""
    noises = [tensors.get(f"generator.progression.{step}.noise2.weight_orig") for step in range(blocks)]
    trained = [step for step, noise in enumerate(noises) if noise is not None and bool(noise.any())]
    return max(trained, default=blocks - 1) + 1


def _rosinality_block(tensors: Mapping[str, Tensor], step: int) -> Iterable[LayerNames]:
    block = f"generator.progression.{step}."
    ends = [(f"{block}noise{part}.weight_orig", _orig(f"{block}adain{part}.style.linear")) for part in (1, 2)]
    if step == 0:
        yield LayerNames("", "", *ends[0])
    elif f"{block}conv1.0.weight" in tensors:
        yield LayerNames(*_plain(f"{block}conv1.0"), *ends[0], fused=True, blur=f"{block}conv1.1.weight")
    else:
        yield LayerNames(*_orig(f"{block}conv1.1.conv"), *ends[0], blur=f"{block}conv1.2.weight")
    yield LayerNames(*_orig(f"{block}conv2.conv"), *ends[1])


def _name_lernapparat(tensors: Mapping[str, Tensor]) -> Names:
    sizes = numbers(tensors, r"g_synthesis\.blocks\.(\d+)x\d+\.")
    if sizes != [4 * 2**step for step in range(len(sizes))]:
        raise CheckpointError("lacks blocks of its generator: its g_synthesis.blocks.* are not 4x4, 8x8, 16x16, …")
    layers = []
    for size in sizes:
        block = f"g_synthesis.blocks.{size}x{size}."
        first, second = (f"{block}conv0_up.", f"{block}conv1.") if size > 4 else (block, f"{block}conv.")
        ends = [
            (f"{block}epi{part}.top_epi.noise.weight", _plain(f"{block}epi{part}.style_mod.lin")) for part in (1, 2)
        ]
        weight, kernel = (f"{first}weight", f"{first}intermediate.kernel") if size > 4 else ("", "")
        layers.append(LayerNames(weight, f"{first}bias", *ends[0], fused=size >= FUSED_FROM, blur=kernel))
        layers.append(LayerNames(f"{second}weight", f"{second}bias", *ends[1]))
    mapping = [_plain(f"g_mapping.dense{index}") for index in numbers(tensors, r"g_mapping\.dense(\d+)\.")]
    return Names(LERNAPPARAT, mapping, layers, _plain("g_synthesis.torgb"), r"(^|\.)(avg_latent|latent_avg|w_avg)$")


def _name_genforce(tensors: Mapping[str, Tensor]) -> Names:
    """Raises `CheckpointError` for a network that is still growing."""

    def layer(index: int, doubling: bool, fused: bool) -> LayerNames:
        own = f"synthesis.layer{index}."
        return LayerNames(
            f"{own}weight" if index else "",
            f"{own}bias",
            f"{own}apply_noise.weight",
            _plain(f"{own}style"),
            fused=fused,
            blur=f"{own}blur.kernel" if doubling else "",
            noise=f"{own}apply_noise.noise",
        )

    layers = _doubled(tensors, layer)
    mapping = [_plain(f"mapping.dense{index}") for index in numbers(tensors, r"mapping\.dense(\d+)\.")]
    return Names(GENFORCE, mapping, layers, _plain(f"synthesis.output{len(layers) // 2 - 1}"), OUTPUTS)


def _name_interfacegan(tensors: Mapping[str, Tensor]) -> Names:
    """Raises `CheckpointError` for a network that is still growing."""

    def layer(index: int, doubling: bool, fused: bool) -> LayerNames:
        own, end = f"synthesis.layer{index}.", f"synthesis.layer{index}.epilogue."
        return LayerNames(
            "" if index == 0 else f"{own}weight" if fused else f"{own}conv.weight",
            f"{end}bias",
            f"{end}apply_noise.weight",
            _wscale(f"{end}style_mod.dense"),
            fused=fused,
            blur=f"{own}blur.kernel" if doubling else "",
            noise=f"{end}apply_noise.noise",
        )

    layers = _doubled(tensors, layer)
    mapping = [_wscale(f"mapping.dense{index}") for index in numbers(tensors, r"mapping\.dense(\d+)\.")]
    output = f"synthesis.output{len(layers) // 2 - 1}."
    return Names(INTERFACEGAN, mapping, layers, (f"{output}conv.weight", f"{output}bias"), OUTPUTS)


# Beside the last output those of smaller pictures, which training left behind.
OUTPUTS = r"^synthesis\.(output\d+\.|lod$)|(^|\.)w_avg$|^truncation\."


def _doubled(tensors: Mapping[str, Tensor], layer: Callable[[int, bool, bool], LayerNames]) -> list[LayerNames]:
    """Two layers for each size. layer: of an index, whether it doubles the size, and whether at once.

    Raises `CheckpointError` where one is missing, or the network is still growing.
    """
    if "synthesis.lod" in tensors and bool(tensors["synthesis.lod"].any()):
        raise CheckpointError("was saved while it grew (synthesis.lod is not 0); give one that is trained to the end")
    found = numbers(tensors, r"synthesis\.layer(\d+)\.")
    if found != list(range(len(found))) or len(found) % 2:
        raise CheckpointError("lacks layers of its generator: its synthesis.layer* are not two for each size")
    doubling = [index > 0 and index % 2 == 0 for index in found]
    return [layer(i, doubling[i], doubling[i] and 4 * 2 ** (i // 2) >= FUSED_FROM) for i in found]


def _plain(own: str) -> Pair:
    return f"{own}.weight", f"{own}.bias"


def _orig(own: str) -> Pair:
    return f"{own}.weight_orig", f"{own}.bias"


def _wscale(own: str) -> Pair:
    return f"{own}.linear.weight", f"{own}.wscale.bias"


LAYOUTS = {
    ROSINALITY: Layout(
        "style-based-gan-pytorch",
        Variant(1e-5, blurs_bias=True),
        _name_rosinality,
        mapping_rate=1.0,
        gain=math.sqrt(2),
        gains_above=0.0,
        scaled_noise=True,
        fused_order=(0, 1, 2, 3),
        fused_share=0.25,
        shared_noise=True,
    ),
    LERNAPPARAT: Layout("lernapparat", Variant(1e-5), _name_lernapparat),
    GENFORCE: Layout("GenForce", Variant(1e-8), _name_genforce),
    INTERFACEGAN: Layout("InterFaceGAN", Variant(1e-8), _name_interfacegan, fused_order=(2, 3, 0, 1)),
}


def numbers(tensors: Mapping[str, Tensor], pattern: str) -> list[int]:
    """The numbers in names that begin as the pattern does, in order."""
    return sorted({int(found[1]) for name in tensors if (found := re.match(pattern, name))})
