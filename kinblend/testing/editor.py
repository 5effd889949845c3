"""What every editor must keep."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, cast

from kinblend.backbone import make_plugin
from kinblend.errors import UsageError
from kinblend.interfaces import Context, Editor
from kinblend.types import LatentSpace

if TYPE_CHECKING:
    from torch import Tensor


class EditorContract:
    """The laws of an editor.

    name: the registered name. options: under which it knows at least one attribute.
    context: the world it is made for; by default a space of ten layers without a pack.
    """

    name: ClassVar[str]
    options: ClassVar[Mapping[str, Any]] = {}
    context: ClassVar[Context] = Context(LatentSpace("contract", 10, 512, "0" * 64))

    def test_it_names_its_attributes(self) -> None:
        assert self._editor().attributes()
        assert all(isinstance(note, str) for note in self._editor().attributes().values())

    def test_strength_zero_and_no_edit_change_nothing(self) -> None:
        import torch

        editor, codes = self._editor(), self._codes()
        for strengths in ({}, dict.fromkeys(editor.attributes(), 0.0)):
            torch.testing.assert_close(editor.edit(codes, strengths), codes, atol=1e-6, rtol=0)

    def test_every_attribute_moves_the_code_and_leaves_the_input(self) -> None:
        import torch

        editor, codes = self._editor(), self._codes()
        for name in editor.attributes():
            before = codes.clone()
            moved = editor.edit(codes, {name: 1.0})
            assert not torch.equal(moved, codes), name
            assert torch.equal(before, codes), f"{name}: the input was changed"
            assert moved.shape == codes.shape
            assert moved.dtype == torch.float32

    def test_opposite_strengths_move_opposite_ways(self) -> None:
        editor, codes = self._editor(), self._codes()
        for name in editor.attributes():
            up, down = (editor.edit(codes, {name: sign}) - codes for sign in (1.0, -1.0))
            assert float((up * down).sum()) < 0, name

    def test_an_unknown_attribute_is_a_usage_error(self) -> None:
        try:
            self._editor().edit(self._codes(), {"no such attribute": 1.0})
        except UsageError:
            return
        raise AssertionError("an unknown attribute was accepted")

    def test_targets_are_of_attributes_that_it_names(self) -> None:
        editor, code = self._editor(), self._codes()[0]
        assert set(editor.targets()) <= set(editor.attributes())
        assert dict(editor.strengths_for_targets(code, {})) == {}
        for name in editor.attributes():
            with suppress(UsageError):
                editor.strength_for_target(code, name, "no such target", "")
                raise AssertionError(f"{name}: an unknown target was accepted")

    def _editor(self) -> Editor:
        return cast(Editor, make_plugin("editor", self.name, self.context, dict(self.options)))

    def _codes(self) -> Tensor:
        import torch

        space = self.context.space
        return torch.randn(2, space.layers, space.dim, generator=torch.Generator().manual_seed(4))
