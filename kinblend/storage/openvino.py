"""Reads a network in OpenVINO's intermediate representation: an XML of layers and edges beside a file of constants.

Nothing is executed, and nothing is allocated before its size was checked against the file that holds it. Layout: the
"OpenVINO IR format" page of OpenVINO's documentation, IR versions 10 and 11.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from kinblend.errors import CheckpointError
from kinblend.storage.openvino_xml import Edge, Layer, XmlReader, natural, quoted

if TYPE_CHECKING:
    from torch import Tensor

MAX_WEIGHTS = 2**30  # bytes
MAX_DIMS = 8
MAX_SHARED = 2**20  # bytes that constants may have in all beyond their file's size: small ones share a place

_NUMPY = {"f64": "<f8", "f32": "<f4", "f16": "<f2", "i64": "<i8", "i32": "<i4"}
_SIZES = {"f64": 8, "f32": 4, "f16": 2, "i64": 8, "i32": 4}


class Output(NamedTuple):
    """One output of a node. port: which of its outputs, counted from 0."""

    node: Node
    port: int


@dataclass(eq=False)
class Node:
    """One layer of the graph.

    type: "Convolution", "Const". attributes: of its data element, as they are written. inputs: what feeds it, in the
    order of its input ports. consumers: the nodes it feeds, in the order of the file's edges.
    """

    id: int
    type: str
    name: str
    attributes: Mapping[str, str] = field(repr=False)
    inputs: tuple[Output, ...] = field(default=(), repr=False)
    consumers: tuple[Node, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return f"layer {self.id} ({self.type} {quoted(self.name)})"


class Graph:
    """A network that was read: `nodes` by their id, and the values of its constants.

    where: the file's name, for messages.
    """

    def __init__(self, nodes: Mapping[int, Node], weights: bytes, where: str) -> None:
        self.nodes, self.where, self._weights = nodes, where, weights

    def of_type(self, kind: str) -> list[Node]:
        """The nodes of a type, in the order of the file."""
        return [node for node in self.nodes.values() if node.type == kind]

    def shape(self, node: Node) -> tuple[int, ...]:
        """The shape of a constant. Raises `CheckpointError` where the node is none."""
        return self._constant(node).shape

    def tensor(self, node: Node) -> Tensor:
        """A copy of a constant's values, in its own dtype and shape, on the CPU.

        Raises `CheckpointError` where the node is no constant, or holds NaN or infinity.
        """
        import numpy as np
        import torch

        constant = self._constant(node)
        values = np.frombuffer(self._weights, _NUMPY[constant.dtype], math.prod(constant.shape), constant.offset)
        if not np.isfinite(values).all():
            raise CheckpointError(f"{self.where}: {node} holds NaN or infinity")
        native = values.astype(values.dtype.newbyteorder("="), copy=True)
        return torch.from_numpy(native.reshape(constant.shape))

    def _constant(self, node: Node) -> _Constant:
        if node.type != "Const":
            raise CheckpointError(f"{self.where}: {node} is no constant")
        return _constant(node, self.where)


def read_openvino(xml: bytes, weights: bytes, where: str) -> Graph:
    """The graph of a network.

    xml, weights: what the two files hold. where: the XML's name, for messages.
    Raises `CheckpointError` where the XML has a document type or entities, is nested deeply, too large or malformed;
    where an edge leads nowhere, an input is missing or fed twice, or the graph has a cycle; and where a constant's
    place, shape and dtype disagree, lie outside of the weights or overlap another's.
    """
    if len(weights) > MAX_WEIGHTS:
        raise CheckpointError(f"{where}: its weights have {len(weights)} bytes; at most {MAX_WEIGHTS} are read")
    layers, edges = XmlReader(where).read(xml)
    nodes = {layer.id: Node(layer.id, layer.type, layer.name, layer.attributes) for layer in layers}
    _connect(nodes, {layer.id: layer for layer in layers}, edges, where)
    _refuse_cycles(nodes, where)
    _check_constants(nodes, len(weights), where)
    return Graph(nodes, weights, where)


def _connect(nodes: Mapping[int, Node], layers: Mapping[int, Layer], edges: list[Edge], where: str) -> None:
    """Give every node its inputs and consumers. Raises `CheckpointError`."""
    feeds: dict[tuple[int, int], Output] = {}
    consumers: dict[int, list[Node]] = {number: [] for number in nodes}
    for edge in edges:
        if edge.source not in nodes or edge.target not in nodes:
            raise CheckpointError(f"{where} has an edge from {edge.source} to {edge.target}, but no such layers")
        outputs, inputs = layers[edge.source].outputs, layers[edge.target].inputs
        if edge.source_port not in outputs or edge.target_port not in inputs:
            raise CheckpointError(
                f"{where} has an edge from port {edge.source_port} of layer {edge.source} to port "
                f"{edge.target_port} of layer {edge.target}, but no such ports"
            )
        if (edge.target, edge.target_port) in feeds:
            raise CheckpointError(f"{where}: port {edge.target_port} of {nodes[edge.target]} is fed twice")
        feeds[edge.target, edge.target_port] = Output(nodes[edge.source], outputs.index(edge.source_port))
        consumers[edge.source].append(nodes[edge.target])
    for number, node in nodes.items():
        missing = [port for port in layers[number].inputs if (number, port) not in feeds]
        if missing:
            raise CheckpointError(f"{where}: nothing feeds port {missing[0]} of {node}")
        node.inputs = tuple(feeds[number, port] for port in sorted(layers[number].inputs))
        node.consumers = tuple(consumers[number])


def _refuse_cycles(nodes: Mapping[int, Node], where: str) -> None:
    """Raise `CheckpointError` where a layer depends on itself: Kahn's topological sort leaves it over."""
    waiting = {number: len(node.inputs) for number, node in nodes.items()}
    ready = [node for node in nodes.values() if not node.inputs]
    done = 0
    while ready:
        node = ready.pop()
        done += 1
        for consumer in node.consumers:
            waiting[consumer.id] -= 1
            if not waiting[consumer.id]:
                ready.append(consumer)
    if done < len(nodes):
        first = next(node for node in nodes.values() if waiting[node.id])
        raise CheckpointError(f"{where} has a cycle: {first} depends on itself")


@dataclass(frozen=True)
class _Constant:
    """What a constant states of itself. offset: of its first byte. size: in bytes."""

    dtype: str
    shape: tuple[int, ...]
    offset: int
    size: int


def _constant(node: Node, where: str) -> _Constant:
    """A constant's own words. Raises `CheckpointError` where they disagree."""
    stated = node.attributes
    dtype, dims = stated.get("element_type", ""), [word.strip() for word in stated.get("shape", "?").split(",")]
    shape = [natural(word) for word in dims if dims != [""]]
    offset, size = natural(stated.get("offset", "")), natural(stated.get("size", ""))
    if dtype not in _SIZES:
        raise CheckpointError(f"{where}: {node} has the dtype {quoted(dtype)}; {', '.join(_SIZES)} are read")
    if len(shape) > MAX_DIMS or not all(shape):
        raise CheckpointError(f"{where}: {node} has the shape {quoted(stated.get('shape', ''))}")
    if offset is None or size is None:
        raise CheckpointError(f"{where}: {node} lacks the place of its values, or it is no number")
    exact = tuple(dim for dim in shape if dim)
    if math.prod(exact) * _SIZES[dtype] != size:
        raise CheckpointError(f"{where}: {node} has {size} bytes, which do not make the shape {list(exact)}")
    return _Constant(dtype, exact, offset, size)


def _check_constants(nodes: Mapping[int, Node], held: int, where: str) -> None:
    """Every constant lies within the weights; those that share a place share all of it. Raises `CheckpointError`."""
    constants = [(node, _constant(node, where)) for node in nodes.values() if node.type == "Const"]
    for node, constant in constants:
        if constant.offset + constant.size > held:
            raise CheckpointError(
                f"{where}: {node} ends at byte {constant.offset + constant.size}, but its weights have {held}"
            )
    if sum(constant.size for _, constant in constants) > held + MAX_SHARED:
        raise CheckpointError(f"{where}: its constants claim more than its weights hold")
    places = sorted({(constant.offset, constant.size) for _, constant in constants})
    for (offset, size), (following, _) in pairwise(places):
        if offset + size > following:
            raise CheckpointError(f"{where}: two constants overlap at byte {following} of its weights")
