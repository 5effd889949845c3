"""Hostile and damaged networks in OpenVINO's format get one sentence each, at once; honest ones are read."""

import math
import resource
import time

import pytest
import torch
from hostile.networks import HOSTILE, honest
from openvino_files import Network

from kinblend.errors import CheckpointError
from kinblend.storage.openvino import read_openvino


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
