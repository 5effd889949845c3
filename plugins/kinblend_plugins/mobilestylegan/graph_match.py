"""Follows a graph from its result towards its parameter and refuses what is not expected there."""

from __future__ import annotations

import re

from torch import Tensor

from kinblend.checkpoints import Graph, Node, Output
from kinblend.errors import CheckpointError

TOLERANCE = 1e-6  # of scalars in the graph, relative to what they must be


class Walk:
    """A graph that is asked about one node after the other. Its methods raise `CheckpointError`, naming the node.

    An `Output` is what flows into a node: which node made it, and which of its outputs it is.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def result(self) -> Output:
        """What the graph computes."""
        results = self.graph.of_type("Result")
        if len(results) != 1 or len(results[0].inputs) != 1:
            raise CheckpointError(
                f"{self.graph.where} is no MobileStyleGAN: it has not one result, but {len(results)}"
            )
        return results[0].inputs[0]

    def expect(self, output: Output, kind: str, inputs: int) -> Node:
        """The node that makes `output`, its only one: of that type, with so many inputs."""
        node = output.node
        if node.type != kind or len(node.inputs) != inputs or output.port:
            raise self.refused(node, f"{kind} with {inputs} inputs")
        return node

    def constant(self, output: Output) -> Tensor:
        """A constant's values, floats as float32."""
        if output.node.type != "Const":
            raise self.refused(output.node, "constant")
        values = self.graph.tensor(output.node)
        return values.float() if values.is_floating_point() else values

    def integers(self, output: Output) -> list[int]:
        """The values of a short constant of integers."""
        node = output.node
        if node.type != "Const" or len(self.graph.shape(node)) > 1 or sum(self.graph.shape(node)) > 8:
            raise self.refused(node, "short constant")
        values = self.graph.tensor(node)
        if values.is_floating_point():
            raise self.refused(node, "constant of integers")
        return [int(value) for value in values.flatten()]

    def scalar(self, output: Output) -> float:
        """A constant of one value."""
        values = self.constant(output)
        if values.numel() != 1:
            raise self.refused(output.node, "constant of one value")
        return float(values)

    def require(self, output: Output, value: float) -> None:
        """The constant must have that one value."""
        if abs(self.scalar(output) - value) > TOLERANCE * abs(value):
            raise self.refused(output.node, f"constant {value:.8g}")

    def operands(self, output: Output, kind: str, *kinds: str) -> tuple[Output, Output]:
        """Both inputs of a node whose order does not matter, the one of type `kinds[0]` first, the other of one of
        the other types."""
        first, second = self.expect(output, kind, 2).inputs
        if first.node.type != kinds[0] or second.node.type not in kinds[1:]:
            first, second = second, first
        if first.node.type != kinds[0] or second.node.type not in kinds[1:]:
            raise self.refused(output.node, f"{kind} of {kinds[0]} and {' or '.join(kinds[1:])}")
        return first, second

    def beside_constant(self, output: Output, kind: str) -> tuple[Output, Output]:
        """Both inputs of a node whose order does not matter: what is computed, and a constant."""
        first, second = self.expect(output, kind, 2).inputs
        if first.node.type == "Const":
            first, second = second, first
        if first.node.type == "Const" or second.node.type != "Const":
            raise self.refused(output.node, f"{kind} with one constant")
        return first, second

    def same_as(self, node: Node, **expected: tuple[int, ...] | str) -> None:
        """Attributes of a node: numbers, or words."""
        for name, value in expected.items():
            text = node.attributes.get(name, "")
            found = text if isinstance(value, str) else tuple(int(word) for word in re.findall(r"-?\d{1,9}", text))
            if found != value:
                raise self.refused(node, f"{node.type} with {name} {value}")

    def target(self, output: Output) -> list[int | None]:
        """The shape given to a Reshape or Tile, put together of constants and of other shapes (None)."""
        node = output.node
        if node.type == "Const":
            return list(self.integers(output))
        if node.type != "Concat" or output.port:
            raise self.refused(node, "shape")
        parts: list[int | None] = []
        for part in node.inputs:
            if part.node.type == "Const":
                parts += self.integers(part)
            else:
                self._expect_size_of_another(part)
                parts.append(None)
        return parts

    def split(self, output: Output, index: int, axis: int, parts: int) -> Node:
        """The VariadicSplit of which `output` is the part of that index."""
        node = output.node
        if node.type != "VariadicSplit" or len(node.inputs) != 3 or output.port != index:
            raise self.refused(node, f"VariadicSplit, its part {index}")
        if self.integers(node.inputs[1]) != [axis] or len(self.integers(node.inputs[2])) != parts:
            raise self.refused(node, f"VariadicSplit of axis {axis} into {parts}")
        return node

    def squeezed(self, output: Output, axis: int) -> Output:
        """What a Squeeze of that axis takes."""
        node = self.expect(output, "Squeeze", 2)
        if self.integers(node.inputs[1]) != [axis]:
            raise self.refused(node, f"Squeeze of axis {axis}")
        return node.inputs[0]

    def _expect_size_of_another(self, output: Output) -> None:
        gather = self.expect(self.expect(output, "Unsqueeze", 2).inputs[0], "Gather", 3)
        self.expect(gather.inputs[0], "ShapeOf", 1)

    def refused(self, node: Node, expected: str) -> CheckpointError:
        """The error for a node that is not what it should be."""
        return CheckpointError(f"{self.graph.where} is no MobileStyleGAN: {node} should be a {expected}")
