"""The XML half of OpenVINO's intermediate representation: layers and edges, read without expanding entities."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple
from xml.parsers import expat

from kinblend.errors import CheckpointError

VERSIONS = ("10", "11")
MAX_XML = 16 * 2**20  # bytes; a network of a thousand layers has 0.5
MAX_LAYERS, MAX_EDGES, MAX_PORTS = 20_000, 80_000, 64
MAX_DEPTH = 16  # of elements; the format has six


@dataclass
class Layer:
    """A layer as the XML has it. inputs, outputs: the ids of its ports, in the order they are written."""

    id: int
    type: str
    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    inputs: list[int] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)


class Edge(NamedTuple):
    """From an output port to an input port: layer, port, layer, port."""

    source: int
    source_port: int
    target: int
    target_port: int


class XmlReader:
    """The handlers of an XML parser that collects layers and edges and passes over every other element."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._path: list[str] = []
        self._layers: dict[int, Layer] = {}
        self._edges: list[Edge] = []
        self._layer: Layer | None = None
        self._elements = {
            ("net",): self._net,
            ("net", "layers", "layer"): self._begin_layer,
            ("net", "layers", "layer", "data"): self._data,
            ("net", "layers", "layer", "input", "port"): self._input,
            ("net", "layers", "layer", "output", "port"): self._output,
            ("net", "edges", "edge"): self._edge,
        }

    def read(self, xml: bytes) -> tuple[list[Layer], list[Edge]]:
        """Its layers and edges, in the order of the file. Raises `CheckpointError`."""
        if len(xml) > MAX_XML:
            raise self._refused(f"has {len(xml)} bytes; at most {MAX_XML} are read")
        parser = expat.ParserCreate("utf-8")
        parser.StartDoctypeDeclHandler = self._doctype
        parser.EntityDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        try:
            parser.Parse(xml, True)
        except (expat.ExpatError, ValueError) as error:
            raise self._refused(f"is no well-formed XML: {error}") from error
        if not self._layers:
            raise self._refused("holds no layers; it is no OpenVINO network")
        return list(self._layers.values()), self._edges

    def _doctype(self, *_: object) -> None:
        raise self._refused("has a document type or entities, which no network needs")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._path.append(tag)
        if len(self._path) > MAX_DEPTH:
            raise self._refused(f"nests elements deeper than {MAX_DEPTH}")
        if self._path[0] != "net":
            raise self._refused(f"begins with {quoted(tag)}, not with net; it is no OpenVINO network")
        if handler := self._elements.get(tuple(self._path)):
            handler(attributes)

    def _end(self, tag: str) -> None:
        self._path.pop()

    def _net(self, attributes: dict[str, str]) -> None:
        version = attributes.get("version", "")
        if version not in VERSIONS:
            raise self._refused(f"has IR version {quoted(version)}; {' and '.join(VERSIONS)} are read")

    def _begin_layer(self, attributes: dict[str, str]) -> None:
        number = self._number(attributes, "id")
        if number in self._layers:
            raise self._refused(f"has two layers {number}")
        if len(self._layers) >= MAX_LAYERS:
            raise self._refused(f"has more than {MAX_LAYERS} layers")
        self._layer = Layer(number, attributes.get("type", ""), attributes.get("name", ""))
        self._layers[number] = self._layer

    def _data(self, attributes: dict[str, str]) -> None:
        assert self._layer is not None
        self._layer.attributes = attributes

    def _input(self, attributes: dict[str, str]) -> None:
        assert self._layer is not None
        self._add_port(self._layer.inputs, attributes)

    def _output(self, attributes: dict[str, str]) -> None:
        assert self._layer is not None
        self._add_port(self._layer.outputs, attributes)

    def _add_port(self, ports: list[int], attributes: dict[str, str]) -> None:
        port = self._number(attributes, "id")
        if port in ports:
            raise self._refused(f"has a layer with two ports {port}")
        if len(ports) >= MAX_PORTS:
            raise self._refused(f"has a layer with more than {MAX_PORTS} ports")
        ports.append(port)

    def _edge(self, attributes: dict[str, str]) -> None:
        if len(self._edges) >= MAX_EDGES:
            raise self._refused(f"has more than {MAX_EDGES} edges")
        names = ("from-layer", "from-port", "to-layer", "to-port")
        self._edges.append(Edge(*(self._number(attributes, name) for name in names)))

    def _number(self, attributes: dict[str, str], name: str) -> int:
        number = natural(attributes.get(name, ""))
        if number is None:
            raise self._refused(f"has a {name} that is no number: {quoted(attributes.get(name, ''))}")
        return number

    def _refused(self, why: str) -> CheckpointError:
        return CheckpointError(f"{self._where} {why}")


def natural(text: str) -> int | None:
    """A number of at most 15 digits; None for any other text."""
    return int(text) if re.fullmatch(r"[0-9]{1,15}", text) else None


def quoted(text: str) -> str:
    """Text from the file, short and on one line."""
    return repr(text if len(text) <= 40 else text[:37] + "…")
