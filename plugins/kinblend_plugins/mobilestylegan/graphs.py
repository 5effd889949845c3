"""OpenVINO graphs of MobileStyleGAN → the tensors of `generator.py`.

Sources: the graphs of the package random-face 2021.7.21.1, and Belousov, "MobileStyleGAN" (2021), for what they are.
Each function follows the graph backwards: it takes the output of a part and returns what flows into that part.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from kinblend.checkpoints import Graph, Output
from kinblend.errors import CheckpointError
from kinblend_plugins.mobilestylegan.graph_match import TOLERANCE, Walk
from kinblend_plugins.mobilestylegan.layers import BANDS, SLOPE, SMALLEST

MAX_DEPTH = 16  # layers of the mapping network
HAAR = 0.5**0.5
UP, ACROSS = (2, 1), (1, 2)  # sizes of the wavelet's transposed convolutions

Tensors = dict[str, Tensor]


def read_mapping(graph: Graph) -> Tensors:
    """z → w: `layers.N.weight` [D, D], `layers.N.bias` [D]. Raises `CheckpointError` for another graph."""
    walk = Walk(graph)
    at, layers = walk.result(), list[tuple[Tensor, Tensor]]()
    while any(operand.node.type == "PReLU" for operand in walk.expect(at, "Multiply", 2).inputs):
        if len(layers) == MAX_DEPTH:
            raise walk.refused(at.node, f"part of at most {MAX_DEPTH} layers")
        at, weight, bias = _dense(walk, at)
        layers.insert(0, (weight, bias))
    _normalisation(walk, at)
    if not layers:
        raise walk.refused(at.node, "linear layer")
    named = {"weight": 0, "bias": 1}
    return {f"layers.{i}.{name}": pair[k] for i, pair in enumerate(layers) for name, k in named.items()}


def read_synthesis(graph: Graph) -> Tensors:
    """Codes → picture: all tensors of the generator but those of the mapping network.

    A wavelet takes channels whose three bands of detail alternate; ours lie one after the other, so the channels that
    feed one are sorted anew. Raises `CheckpointError` for another graph.
    """
    walk = Walk(graph)
    picture, at = _picture(walk, walk.result())
    layer, levels = _layer(walk, at), list[Tensors]()
    size = layer.size
    while layer.separable and size > SMALLEST:
        level, at = _level(walk, layer, size)
        levels.insert(0, level)
        layer, size = _layer(walk, at), size // 2
    if layer.separable or layer.size != SMALLEST:
        raise walk.refused(at.node, f"layer of {SMALLEST} px")
    tensors = _prefixed("first", layer.tensors) | {"constant": _learned_constant(walk, layer.below)}
    for number, level in enumerate(levels):
        _sort_bands(tensors, "first" if number == 0 else f"levels.{number - 1}.second")
        tensors |= _prefixed(f"levels.{number}", level)
    return tensors | _prefixed("picture", picture)


@dataclass(frozen=True)
class _Layer:
    """A convolution with its modulation, noise and bias. below: what feeds it. size: in pixels."""

    tensors: Tensors
    below: Output
    separable: bool

    @property
    def size(self) -> int:
        return len(self.tensors["noise"])


def _dense(walk: Walk, at: Output) -> tuple[Output, Tensor, Tensor]:
    """√2 · leaky ReLU of a linear layer: what feeds it, its weight and its bias."""
    at, gain = walk.beside_constant(at, "Multiply")
    walk.require(gain, 2**0.5)
    product, shaped = walk.operands(_activated(walk, at), "Add", "MatMul", "Reshape")
    vector, target = walk.expect(shaped, "Reshape", 2).inputs
    bias = walk.constant(vector)
    if bias.ndim != 1 or walk.target(target) not in ([1, None], [1, -1], [1, len(bias)]):
        raise walk.refused(shaped.node, "bias of one row")
    below, weight = _matrix(walk, product)
    return below, weight, bias


def _matrix(walk: Walk, at: Output) -> tuple[Output, Tensor]:
    """x · Wᵀ: x, W."""
    node = walk.expect(at, "MatMul", 2)
    walk.same_as(node, transpose_a="false", transpose_b="true")
    weight = walk.constant(node.inputs[1])
    if weight.ndim != 2:
        raise walk.refused(node.inputs[1].node, "matrix")
    return node.inputs[0], weight


def _normalisation(walk: Walk, at: Output) -> None:
    """z · (1 · ((mean z² + ε)^½)^−1), where the mapping network begins."""
    parameter, scale = walk.operands(at, "Multiply", "Parameter", "Multiply")
    at, one = walk.beside_constant(scale, "Multiply")
    walk.require(one, 1.0)
    at, epsilon = walk.beside_constant(_base(walk, _base(walk, at, -1.0), 0.5), "Add")
    walk.require(epsilon, 1e-8)
    mean = walk.expect(at, "ReduceMean", 2)
    walk.same_as(mean, keep_dims="true")
    if walk.integers(mean.inputs[1]) not in ([1], [-1]) or _base(walk, mean.inputs[0], 2.0) != parameter:
        raise walk.refused(mean, "mean of the parameter's squares")


def _base(walk: Walk, at: Output, exponent: float) -> Output:
    """x of x^exponent."""
    node = walk.expect(at, "Power", 2)
    walk.require(node.inputs[1], exponent)
    return node.inputs[0]


def _activated(walk: Walk, at: Output) -> Output:
    """x of leaky ReLU(x)."""
    node = walk.expect(at, "PReLU", 2)
    walk.require(node.inputs[1], SLOPE)
    return node.inputs[0]


def _picture(walk: Walk, at: Output) -> tuple[Tensors, Output]:
    """The last layer: modulated pointwise convolution, bias, wavelet."""
    at, bias = walk.beside_constant(_bands(walk, at), "Add")
    at, weight = _convolution(walk, at, "Convolution", 0)
    modulation, below = _modulated(walk, at)
    return {**modulation, "weight": _by_bands(weight), "bias": _by_bands(_per_channel(walk, bias))}, below


def _level(walk: Walk, second: _Layer, size: int) -> tuple[Tensors, Output]:
    """Modulation, wavelet and two separable convolutions at `size` px; what feeds it."""
    first = _layer(walk, second.below)
    if not first.separable or {first.size, second.size} != {size}:
        raise walk.refused(second.below.node, f"separable convolution at {size} px")
    modulation, below = _modulated(walk, _bands(walk, first.below))
    tensors = {name: _by_bands(tensor) for name, tensor in modulation.items()}
    return {**tensors, **_prefixed("first", first.tensors), **_prefixed("second", second.tensors)}, below


def _layer(walk: Walk, at: Output) -> _Layer:
    """Leaky ReLU of a modulated convolution, full or separable, with noise and bias."""
    at, bias = walk.beside_constant(_activated(walk, at), "Add")
    at, noise = walk.beside_constant(at, "Add")
    tensors = {"bias": _per_channel(walk, bias), "noise": _noise(walk, noise)}
    separable = walk.expect(at, "Convolution", 2).inputs[0].node.type == "GroupConvolution"
    if separable:
        at, tensors["pointwise"] = _convolution(walk, at, "Convolution", 0)
        at, depthwise = _convolution(walk, at, "GroupConvolution", 1)
        tensors["depthwise"] = depthwise.flatten(1, 2)
    else:
        at, tensors["weight"] = _convolution(walk, at, "Convolution", 1)
    modulation, below = _modulated(walk, at)
    return _Layer(tensors | modulation, below, separable)


def _convolution(walk: Walk, at: Output, kind: str, padding: int) -> tuple[Output, Tensor]:
    """What feeds a convolution of 1 × 1 or, with padding 1, 3 × 3; its weight."""
    node = walk.expect(at, kind, 2)
    pads = (padding, padding)
    walk.same_as(node, strides=(1, 1), dilations=(1, 1), pads_begin=pads, pads_end=pads, auto_pad="explicit")
    weight, side = walk.constant(node.inputs[1]), 2 * padding + 1
    dims = 5 if kind == "GroupConvolution" else 4
    if weight.ndim != dims or tuple(weight.shape[-2:]) != (side, side):
        raise walk.refused(node.inputs[1].node, f"weight of {side} × {side}")
    return node.inputs[0], weight


def _modulated(walk: Walk, at: Output) -> tuple[Tensors, Output]:
    """A feature map times a style: the style's linear layer, its scale folded in, and the feature map."""
    features, style = walk.expect(at, "Multiply", 2).inputs
    if features.node.type in ("Reshape", "Multiply"):
        features, style = style, features
    scale = 1.0
    if style.node.type == "Multiply":
        style, factor = walk.beside_constant(style, "Multiply")
        scale = walk.scalar(factor)
    node = walk.expect(style, "Reshape", 2)
    at, bias = walk.beside_constant(node.inputs[0], "Add")
    parameter, weight = _matrix(walk, at)
    walk.expect(parameter, "Parameter", 0)
    vector = walk.constant(bias).flatten()
    if len(vector) != len(weight) or walk.target(node.inputs[1])[1:] not in ([-1, 1, 1], [len(vector), 1, 1]):
        raise walk.refused(node, "style with one factor for each channel")
    return {"modulation.weight": weight * scale, "modulation.bias": vector * scale}, features


def _bands(walk: Walk, at: Output) -> Output:
    """What feeds an inverse Haar transform: its bands are split off, put side by side and interleaved."""
    low, high = _interleaved(walk, at, ACROSS)
    (average, down), (across, diagonal) = (_interleaved(walk, half, UP) for half in (low, high))
    halved = walk.split(average, 0, 1, 2)
    details = [walk.split(walk.squeezed(band, 2), k, 2, 3) for k, band in enumerate((down, across, diagonal))]
    reshape = walk.expect(details[0].inputs[0], "Reshape", 2)
    source, target = reshape.inputs
    channels = walk.integers(halved.inputs[2])
    if {detail.id for detail in details} != {details[0].id} or source != Output(halved, 1):
        raise walk.refused(at.node, "wavelet of one feature map")
    if walk.target(target) != [None, channels[0], 3, None, None] or channels[1] not in (3 * channels[0], -1):
        raise walk.refused(reshape, "reshape to three bands")
    if walk.integers(details[0].inputs[2]) != [1, 1, 1]:
        raise walk.refused(details[0], "split into three bands")
    return halved.inputs[0]


def _interleaved(walk: Walk, at: Output, size: tuple[int, int]) -> tuple[Output, Output]:
    """The sum of a low and a high band at twice the height or width: both bands, the low one first."""
    found = {}
    for output in walk.expect(at, "Add", 2).inputs:
        node = walk.expect(output, "GroupConvolutionBackpropData", 2)
        none = {"pads_begin": (0, 0), "pads_end": (0, 0), "dilations": (1, 1), "output_padding": (0, 0)}
        walk.same_as(node, strides=size, auto_pad="explicit", **none)
        found[_sign(walk, node.inputs[1], size)] = node.inputs[0]
    if len(found) != 2:
        raise walk.refused(at.node, "sum of a low and a high band")
    return found[1], found[-1]


def _sign(walk: Walk, output: Output, size: tuple[int, int]) -> int:
    """1 for the low band's pair of weights, [√½, √½] for every channel, −1 for the high band's, [√½, −√½]."""
    weight = walk.constant(output)
    if tuple(weight.shape[1:]) == (1, 1, *size):
        pairs = weight.reshape(-1, 2)
        sign = 1 if float(pairs[0, 1]) > 0 else -1
        if float((pairs - torch.tensor([HAAR, sign * HAAR])).abs().max()) <= TOLERANCE:
            return sign
    raise walk.refused(output.node, f"Haar wavelet's weight ±{HAAR:.7f}")


def _learned_constant(walk: Walk, at: Output) -> Tensor:
    """The first feature map, [C, 4, 4]: a constant, expanded by ones and repeated for each code."""
    tile = walk.expect(at, "Tile", 2)
    expanded = walk.expect(tile.inputs[0], "Broadcast", 2)
    ones = walk.expect(expanded.inputs[1], "Broadcast", 2)
    walk.require(ones.inputs[0], 1.0)
    constant = walk.constant(expanded.inputs[0])
    if walk.target(tile.inputs[1]) != [None, 1, 1, 1] or constant.ndim != 4 or len(constant) != 1:
        raise walk.refused(tile, "constant repeated for each code")
    return constant[0]


def _per_channel(walk: Walk, output: Output) -> Tensor:
    values = walk.constant(output)
    if values.ndim != 4 or values.numel() != values.shape[1]:
        raise walk.refused(output.node, "bias for each channel")
    return values.flatten()


def _noise(walk: Walk, output: Output) -> Tensor:
    values = walk.constant(output)
    if values.ndim != 4 or tuple(values.shape[:2]) != (1, 1) or values.shape[2] != values.shape[3]:
        raise walk.refused(output.node, "square noise")
    return values[0, 0]


def _by_bands(tensor: Tensor) -> Tensor:
    """A tensor's rows, of which the graph has those of the average first and then the details' by turns, as we have
    them: all of a band one after the other."""
    width, rest = divmod(len(tensor), BANDS)
    if rest:
        raise CheckpointError(
            f"this is no MobileStyleGAN: a wavelet takes {len(tensor)} channels, no multiple of {BANDS}"
        )
    details = [torch.arange(width) * (BANDS - 1) + width + k for k in range(BANDS - 1)]
    return tensor[torch.cat([torch.arange(width), *details])]


def _sort_bands(tensors: Tensors, layer: str) -> None:
    """Sort the channels that a layer gives to a wavelet."""
    for name in (f"{layer}.weight", f"{layer}.pointwise", f"{layer}.bias"):
        if name in tensors:
            tensors[name] = _by_bands(tensors[name])


def _prefixed(prefix: str, tensors: Tensors) -> Tensors:
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}
