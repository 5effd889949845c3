"""Writes networks in OpenVINO's intermediate representation, and computes them slowly while it does.

Every step that is added is computed at once with plain PyTorch operations, so what a file must give is known without
reading it. `mobilestylegan` adds the steps of a MobileStyleGAN of a few channels, as the model optimizer wrote the
published one.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

DIM, DEPTH, WIDTHS = 8, 2, (16, 8, 8)
WHEEL = "random_face-2021.7.21.1-py3-none-any.whl"
INFO = "random_face-2021.7.21.1.dist-info"
TYPES = {torch.float32: "f32", torch.int64: "i64", torch.int32: "i32"}
HAAR = 0.70710677


class Value(NamedTuple):
    """One output of a layer: the layer, its port, and the value it has."""

    layer: int
    port: int
    tensor: Tensor


class Network:
    """An XML and its weights, in the making. `xml` and `weights` are what a file holds."""

    def __init__(self, name: str) -> None:
        self.name, self.weights = name, bytearray()
        self._layers: list[str] = []
        self._edges: list[str] = []

    @property
    def xml(self) -> str:
        layers, edges = "".join(self._layers), "".join(self._edges)
        return (
            f'<?xml version="1.0" ?><net name="{self.name}" version="10"><layers>{layers}</layers>'
            f'<edges>{edges}</edges><meta_data><cli_parameters><k value="DIR"/></cli_parameters></meta_data></net>'
        )

    def add(self, kind: str, inputs: list[Value], outputs: list[Tensor], **attributes: object) -> list[Value]:
        """A layer, with its edges."""
        number = len(self._layers)
        words = " ".join(f'{key}="{value}"' for key, value in attributes.items())
        into = "".join(f'<port id="{port}"/>' for port in range(len(inputs)))
        out = "".join(
            f'<port id="{len(inputs) + k}">{"".join(f"<dim>{d}</dim>" for d in tensor.shape)}</port>'
            for k, tensor in enumerate(outputs)
        )
        self._layers.append(
            f'<layer id="{number}" name="{kind}_{number}" type="{kind}" version="opset1"><data {words}/>'
            f"<input>{into}</input><output>{out}</output></layer>"
        )
        self._edges += [
            f'<edge from-layer="{value.layer}" from-port="{value.port}" to-layer="{number}" to-port="{port}"/>'
            for port, value in enumerate(inputs)
        ]
        return [Value(number, len(inputs) + k, tensor) for k, tensor in enumerate(outputs)]

    def constant(self, tensor: Tensor) -> Value:
        data = tensor.contiguous().numpy().tobytes()
        offset = len(self.weights)
        self.weights += data
        shape = ", ".join(map(str, tensor.shape))
        place = {"offset": offset, "size": len(data)}
        return self.add("Const", [], [tensor], element_type=TYPES[tensor.dtype], shape=shape, **place)[0]

    def numbers(self, *values: float) -> Value:
        return self.constant(torch.tensor(values))

    def step(self, kind: str, value: Callable[..., Tensor], *inputs: Value, **attributes: object) -> Value:
        """A layer with one output, which `value` computes of the inputs."""
        return self.add(kind, list(inputs), [value(*(i.tensor for i in inputs))], **attributes)[0]

    def plus(self, first: Value, second: Value) -> Value:
        return self.step("Add", torch.add, first, second, auto_broadcast="numpy")

    def times(self, first: Value, second: Value) -> Value:
        return self.step("Multiply", torch.mul, first, second, auto_broadcast="numpy")

    def power(self, value: Value, exponent: float) -> Value:
        return self.step("Power", torch.pow, value, self.numbers(exponent))

    def leaky(self, value: Value, slope: float = 0.2) -> Value:
        return self.step("PReLU", lambda x, s: torch.where(x >= 0, x, x * s), value, self.numbers(slope))

    def linear(self, value: Value, weight: Tensor, actual: Tensor | None = None) -> Value:
        """x · Wᵀ. actual: computed with this in place of x."""
        words = {"transpose_a": "false", "transpose_b": "true"}
        return self.step(
            "MatMul",
            lambda x, w: (x if actual is None else actual) @ w.T,
            value,
            self.constant(weight),
            **words,
        )

    def dimension(self, value: Value, axis: int) -> Value:
        """A dimension of a value, as a shape of one."""
        shape = self.step("ShapeOf", lambda x: torch.tensor(x.shape), value, output_type="i64")
        index, zero = self.constant(torch.tensor(axis, dtype=torch.int32)), self.constant(torch.tensor(0))
        one = self.step("Gather", lambda s, i, _: s[int(i)], shape, index, zero, batch_dims="0")
        return self.step("Unsqueeze", lambda s, _: s.reshape(1), one, self.numbers(0))

    def shape(self, *parts: Value | int) -> Value:
        """A shape of constants and of dimensions."""
        values = [self.numbers(part) if isinstance(part, int) else part for part in parts]
        return self.step("Concat", lambda *p: torch.cat(p), *values, axis="0")

    def reshape(self, value: Value, shape: Value) -> Value:
        return self.step("Reshape", lambda x, s: x.reshape(s.tolist()), value, shape, special_zero="true")

    def split(self, value: Value, axis: int, *sizes: int) -> list[Value]:
        inputs = [value, self.constant(torch.tensor(axis)), self.numbers(*sizes)]
        return self.add("VariadicSplit", inputs, list(torch.split(value.tensor, sizes, axis)))

    def convolution(self, value: Value, weight: Tensor, groups: int = 1) -> Value:
        """weight: [outputs, inputs, k, k]; of a convolution in groups, the groups go first."""
        pad = weight.shape[-1] // 2
        stored = weight.unsqueeze(1) if groups > 1 else weight
        words = {"strides": "1, 1", "dilations": "1, 1", "auto_pad": "explicit"}
        words |= {"pads_begin": f"{pad}, {pad}", "pads_end": f"{pad}, {pad}"}
        return self.step(
            "GroupConvolution" if groups > 1 else "Convolution",
            lambda x, _: F.conv2d(x, weight, padding=pad, groups=groups),
            value,
            self.constant(stored),
            **words,
        )

    def interleave(self, value: Value, size: tuple[int, int], sign: int) -> Value:
        """A transposed convolution of size and stride 2 × 1 or 1 × 2."""
        channels = value.tensor.shape[1]
        weight = torch.tensor([HAAR, sign * HAAR]).reshape(1, 1, *size).repeat(channels, 1, 1, 1)
        words = {"strides": "{}, {}".format(*size), "pads_begin": "0, 0", "pads_end": "0, 0"}
        words |= {"dilations": "1, 1", "output_padding": "0, 0", "auto_pad": "explicit"}
        return self.step(
            "GroupConvolutionBackpropData",
            lambda x, _: F.conv_transpose2d(x, weight, stride=size, groups=channels),
            value,
            self.constant(weight.unsqueeze(1)),
            **words,
        )

    def wavelet(self, value: Value) -> Value:
        """The inverse Haar transform of [average, three details by turns]."""
        width = value.tensor.shape[1] // 4
        average, rest = self.split(value, 1, width, 3 * width)
        sides = [self.dimension(value, axis) for axis in (0, 2, 3)]
        details = self.reshape(rest, self.shape(sides[0], width, 3, sides[1], sides[2]))
        parts = self.split(details, 2, 1, 1, 1)
        bands = [self.step("Squeeze", lambda x, _: x.squeeze(2), part, self.numbers(2)) for part in parts]
        low = self.plus(self.interleave(average, (2, 1), 1), self.interleave(bands[0], (2, 1), -1))
        high = self.plus(self.interleave(bands[1], (2, 1), 1), self.interleave(bands[2], (2, 1), -1))
        return self.plus(self.interleave(low, (1, 2), 1), self.interleave(high, (1, 2), -1))


class Synthesis:
    """Adds a synthesis network to `network`; the weights are drawn from a seed.

    codes: [L, D], one for each style, from which the values are computed.
    """

    def __init__(self, codes: Tensor) -> None:
        self.network, self._codes = Network("SynthesisNetwork"), iter(codes[:, None])
        self._source = torch.Generator().manual_seed(3)
        self._style = self.network.add("Parameter", [], [torch.zeros(1, DIM)], shape=f"1, {DIM}")[0]
        picture = self._picture()
        self.picture = picture.tensor
        self.network.add("Result", [picture], [])

    def _picture(self) -> Value:
        net, x = self.network, self._first()
        for size, width in enumerate(WIDTHS[1:]):
            x = net.wavelet(self._modulated(x))
            for _ in range(2):
                x = self._separable(x, width, 8 << size)
        weight = self._drawn(12, x.tensor.shape[1], 1, 1)
        x = net.convolution(self._modulated(x, 0.5), weight)
        return net.wavelet(net.plus(x, net.constant(self._drawn(1, 12, 1, 1))))

    def _first(self) -> Value:
        net, width = self.network, WIDTHS[0]
        constant, one = net.constant(self._drawn(1, width, 4, 4)), net.numbers(1)
        four = net.step("ShapeOf", lambda x: torch.tensor(x.shape), net.shape(net.dimension(self._style, 0), 1, 1, 1))
        ones = net.step("Broadcast", lambda x, n: x.expand(int(n)), one, four, mode="numpy")
        grown = net.step("Broadcast", lambda x, _: x, constant, ones, mode="bidirectional")
        repeats = net.shape(net.dimension(self._style, 0), 1, 1, 1)
        tiled = net.step("Tile", lambda x, n: x.repeat(n.tolist()), grown, repeats)
        x = net.convolution(self._modulated(tiled, 0.25), self._drawn(width, width, 3, 3) * 0.3)
        return self._finished(x, 4)

    def _separable(self, x: Value, outputs: int, size: int) -> Value:
        inputs = x.tensor.shape[1]
        x = self.network.convolution(self._modulated(x, 0.25), self._drawn(inputs, 1, 3, 3) * 0.5, inputs)
        return self._finished(self.network.convolution(x, self._drawn(outputs, inputs, 1, 1)), size)

    def _finished(self, x: Value, size: int) -> Value:
        """With noise, bias and leaky ReLU."""
        net = self.network
        x = net.plus(x, net.constant(self._drawn(1, 1, size, size) * 0.3))
        return net.leaky(net.plus(x, net.constant(self._drawn(1, x.tensor.shape[1], 1, 1))))

    def _modulated(self, x: Value, scale: float | None = None) -> Value:
        net, channels = self.network, x.tensor.shape[1]
        style = net.linear(self._style, self._drawn(channels, DIM) * 0.5, next(self._codes))
        style = net.plus(style, net.constant(self._drawn(1, channels) * 0.2 + 1))
        style = net.reshape(style, net.shape(net.dimension(self._style, 0), -1, 1, 1))
        if scale is not None:
            style = net.times(style, net.constant(torch.full((1, 1, 1, 1), scale)))
        return net.times(style, x)

    def _drawn(self, *shape: int) -> Tensor:
        return torch.randn(*shape, generator=self._source)


def mapping(z: Tensor) -> tuple[Network, Tensor]:
    """A mapping network, its weights drawn from a seed, and w of z, both [1, D]."""
    net, source = Network("MappingNetwork"), torch.Generator().manual_seed(4)
    x = net.add("Parameter", [], [z], shape=f"1, {DIM}")[0]
    squares = net.power(x, 2.0)
    mean = net.step("ReduceMean", lambda s, _: s.mean(1, keepdim=True), squares, net.numbers(1), keep_dims="true")
    root = net.power(net.plus(mean, net.numbers(1e-8)), 0.5)
    x = net.times(x, net.times(net.numbers(1.0), net.power(root, -1.0)))
    for _ in range(DEPTH):
        weight, bias = (torch.randn(*shape, generator=source) * 0.4 for shape in ((DIM, DIM), (DIM,)))
        product = net.linear(x, weight)
        row = net.reshape(net.constant(bias), net.shape(1, net.dimension(product, 1)))
        x = net.times(net.leaky(net.plus(product, row)), net.numbers(1.4142135))
    net.add("Result", [x], [])
    return net, x.tensor


LAYERS = 3 * (len(WIDTHS) - 1) + 2


def write_wheel(path: Path, **changed: bytes | str) -> Path:
    """A wheel of made-up networks. changed: other contents of its files ("SynthesisNetwork_xml")."""
    synthesis, (mapped, _) = Synthesis(torch.zeros(LAYERS, DIM)).network, mapping(torch.ones(1, DIM))
    files: dict[str, bytes | str] = {}
    for network in (mapped, synthesis):
        files |= {f"{network.name}_xml": network.xml, f"{network.name}_bin": bytes(network.weights)}
    write_files(path, files | changed)
    return path


def write_files(path: Path, files: Mapping[str, bytes | str]) -> None:
    """The zip, with what pip wants to see in a wheel."""
    metadata = "Metadata-Version: 2.1\nName: random-face\nVersion: 2021.7.21.1\n"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("random_face/__init__.py", "raise RuntimeError('executed')\n")
        for name, content in files.items():
            archive.writestr(f"random_face/data/{name.replace('_', '.')}", content)
        archive.writestr(f"{INFO}/METADATA", metadata)
        archive.writestr(f"{INFO}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{INFO}/RECORD", "")
