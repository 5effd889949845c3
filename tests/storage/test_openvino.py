"""Hostile and damaged networks in OpenVINO's format get one sentence each, at once; honest ones are read."""

import math
import resource
import time

import pytest
import torch
from openvino_files import Network

from kinblend.errors import CheckpointError
from kinblend.storage.openvino import read_openvino


def honest() -> Network:
    """Two products of a constant matrix, and their sum."""
    net = Network("Small")
    x = net.add("Parameter", [], [torch.ones(1, 3)], shape="1, 3")[0]
    first, second = (net.linear(x, torch.arange(6.0).reshape(2, 3) + k) for k in (0, 1))
    net.add("Result", [net.plus(first, second)], [])
    return net


def test_an_honest_network() -> None:
    net = honest()
    graph = read_openvino(net.xml.encode(), bytes(net.weights), "small.xml")
    [add] = graph.of_type("Add")
    left, right = (output.node for output in add.inputs)
    assert (left.type, left.attributes["transpose_b"]) == ("MatMul", "true")
    parameter, weight = (output.node for output in right.inputs)
    assert parameter.consumers == (left, right)
    assert graph.shape(weight) == (2, 3)
    assert torch.equal(graph.tensor(weight), torch.arange(6.0).reshape(2, 3) + 1)
    assert [node.type for node in graph.nodes.values()] == [
        *("Parameter", "Const", "MatMul", "Const", "MatMul", "Add", "Result")
    ]
    with pytest.raises(CheckpointError, match=r"small\.xml: layer 0 \(Parameter 'Parameter_0'\) is no constant"):
        graph.tensor(parameter)


def test_outputs_are_told_apart_and_inputs_come_in_the_order_of_their_ports() -> None:
    net = Network("Split")
    parts = net.split(net.numbers(1.0, 2.0, 3.0), 0, 1, 2)
    net.step("Concat", lambda *x: torch.cat(x), parts[1], parts[0], axis=0)
    xml = net.xml.replace('<port id="0"/><port id="1"/></input>', '<port id="1"/><port id="0"/></input>')
    assert xml != net.xml
    [node] = read_openvino(xml.encode(), bytes(net.weights), "x").of_type("Concat")
    assert [output.port for output in node.inputs] == [1, 0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.int32])
def test_dtypes_and_scalars(dtype: torch.dtype) -> None:
    net = Network("Constants")
    values = [torch.tensor(3, dtype=dtype), torch.tensor([[1, 2]], dtype=dtype)]
    constants = [net.constant(value).layer for value in values]
    graph = read_openvino(net.xml.encode(), bytes(net.weights), "x")
    for number, value in zip(constants, values, strict=True):
        found = graph.tensor(graph.nodes[number])
        assert found.dtype == dtype
        assert torch.equal(found, value)


def test_constants_may_share_a_whole_place() -> None:
    net = honest()
    shared = net.xml.replace('offset="24"', 'offset="0"')
    read_openvino(shared.encode(), bytes(net.weights), "x")


ENTITIES = "".join(f'<!ENTITY e{k} "{f"&e{k - 1};" * 10 if k else "ha"}">' for k in range(20))


def changed(old: str, new: str, count: int = 1) -> str:
    xml = honest().xml
    assert old in xml
    return xml.replace(old, new, count)


HOSTILE = {
    "doctype": lambda: '<!DOCTYPE net><net version="10"/>',
    "entity bomb": lambda: f"<!DOCTYPE net [{ENTITIES}]>" + changed('name="Small"', 'name="&e19;"'),
    "external entity": lambda: '<!DOCTYPE net [<!ENTITY x SYSTEM "file:///etc/passwd">]><net version="10">&x;</net>',
    "undefined entity": lambda: changed('name="Small"', 'name="&none;"'),
    "deep nesting": lambda: "<net>" * 1_000_000,
    "deep nesting in a layer": lambda: changed("<input>", "<input>" * 30),
    "too long": lambda: honest().xml + " " * (16 * 2**20),
    "too many layers": lambda: changed(
        "<layers>", "<layers>" + "".join(f'<layer id="{k}" type="A"/>' for k in range(100, 25_000))
    ),
    "too many edges": lambda: changed(
        "<edges>", "<edges>" + '<edge from-layer="0" from-port="0" to-layer="2" to-port="0"/>' * 90_000
    ),
    "too many ports": lambda: changed("<input>", "<input>" + "".join(f'<port id="{k}"/>' for k in range(1000, 1100))),
    "empty": lambda: "",
    "text": lambda: "not a network",
    "unfinished": lambda: honest().xml[:-30],
    "binary": lambda: "\0\1\2",
    "another root": lambda: "<svg/>",
    "another version": lambda: changed('version="10"', 'version="7"'),
    "no layers": lambda: '<net version="10"><layers/></net>',
    "two layers of one id": lambda: changed('<layer id="1"', '<layer id="0"'),
    "an id that is no number": lambda: changed('<layer id="1"', '<layer id="one"'),
    "a huge id": lambda: changed('<layer id="1"', f'<layer id="{"9" * 5000}"'),
    "edge from nowhere": lambda: changed('from-layer="0"', 'from-layer="77"'),
    "edge to nowhere": lambda: changed('to-layer="2"', 'to-layer="77"'),
    "wrong port": lambda: changed('from-port="0"', 'from-port="5"'),
    "wrong input port": lambda: changed('to-port="1"', 'to-port="9"'),
    "edge without a port": lambda: changed(' to-port="1"', ""),
    "fed twice": lambda: changed('to-port="1"', 'to-port="0"'),
    "not fed": lambda: changed('<edge from-layer="0" from-port="0" to-layer="2" to-port="0"/>', ""),
    "missing node": lambda: changed('<layer id="3"', '<layer id="99"'),
    "cycle": lambda: changed(
        'from-layer="0" from-port="0" to-layer="2"', 'from-layer="5" from-port="2" to-layer="2"'
    ),
    "feeds itself": lambda: changed(
        'from-layer="0" from-port="0" to-layer="2"', 'from-layer="2" from-port="2" to-layer="2"'
    ),
    "huge shape": lambda: changed('shape="2, 3"', 'shape="900000000, 900000000, 900000000"'),
    "huge shape and size": lambda: changed(
        'shape="2, 3" offset="0" size="24"', f'shape="{2**40}" offset="0" size="{2**42}"'
    ),
    "many dimensions": lambda: changed('shape="2, 3"', f'shape="2, 3{", 1" * 100_000}"'),
    "negative shape": lambda: changed('shape="2, 3"', 'shape="-2, -3"'),
    "zero shape": lambda: changed('shape="2, 3"', 'shape="0, 3"'),
    "no shape": lambda: changed('shape="2, 3"', ""),
    "negative offset": lambda: changed('offset="0"', 'offset="-8"'),
    "no offset": lambda: changed('offset="0"', ""),
    "outside of the file": lambda: changed('offset="24"', 'offset="32"'),
    "far outside": lambda: changed('offset="24"', f'offset="{10**14}"'),
    "overlap": lambda: changed('offset="24"', 'offset="8"'),
    "a size that is not the shape's": lambda: changed('size="24"', 'size="20"'),
    "negative size": lambda: changed('size="24"', 'size="-24"'),
    "unknown dtype": lambda: changed('element_type="f32"', 'element_type="string"'),
    "another dtype": lambda: changed('element_type="f32"', 'element_type="i64"'),
    "constant without data": lambda: changed('<data element_type="f32"', '<nothing element_type="f32"'),
    "a name with line breaks": lambda: changed('element_type="f32"', 'element_type="a&#10;b"'),
    "a long name": lambda: changed('element_type="f32"', f'element_type="{"x" * 100_000}"'),
}


@pytest.mark.parametrize("what", sorted(HOSTILE))
def test_a_hostile_file_is_refused_at_once_and_in_one_sentence(what: str) -> None:
    xml, weights = HOSTILE[what]().encode(), bytes(honest().weights)
    begun, before = time.thread_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CheckpointError) as caught:
        read_openvino(xml, weights, "small.xml")
    assert time.thread_time() - begun < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB
    assert str(caught.value).startswith("small.xml")
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_truncated_weights() -> None:
    net = honest()
    for held in range(0, len(net.weights), 7):
        with pytest.raises(CheckpointError, match=f"its weights have {held}$"):
            read_openvino(net.xml.encode(), bytes(net.weights[:held]), "small.xml")


def test_constants_that_all_name_one_large_place() -> None:
    net = Network("Shared")
    net.constant(torch.zeros(2**18))
    layer = next(part for part in net.xml.split("<layer ") if part.startswith('id="0"')).removesuffix("</layers>")
    copies = "".join(f"<layer {layer.split('</layer>')[0]}</layer>".replace('id="0" name', f'id="{k}" name')
                     for k in range(1, 1000))  # fmt: skip
    xml = net.xml.replace("</layers>", f"{copies}</layers>")
    with pytest.raises(CheckpointError, match="claim more than its weights hold"):
        read_openvino(xml.encode(), bytes(net.weights), "small.xml")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite(value: float) -> None:
    net = Network("Bad")
    number = net.constant(torch.tensor([1.0, value])).layer
    graph = read_openvino(net.xml.encode(), bytes(net.weights), "small.xml")
    with pytest.raises(CheckpointError, match="holds NaN or infinity"):
        graph.tensor(graph.nodes[number])
