"""What every blender must keep."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

from kinblend.backbone import load_backbone, make_plugin
from kinblend.blend import Blend
from kinblend.interfaces import Blender, Context
from kinblend.plugins import load_plugins
from kinblend.types import LatentSpace

if TYPE_CHECKING:
    from torch import Tensor


class BlenderContract:
    """The laws of a blender; derive from it, name the blender, and pytest does the rest.

    name: the registered name.
    blender: a class that is not registered, in the place of a name, such as one in a notebook; it gets no options.
    options: options to test it under.
    share_options: share → the options that give the father (1.0) and the mother (0.0) whole; leave it empty where
        the strategy has no such options.
    mirror_options: options under which swapping the parents must mirror the child; None where it need not.
    sizes: latent spaces to try, (layers, dim).
    backbone: of a strategy that looks at pictures, the name or folder of the one to try it with; then `sizes` does
        not count.
    """

    name: ClassVar[str] = ""
    blender: ClassVar[type[Blender] | None] = None
    options: ClassVar[Mapping[str, Any]] = {}
    share_options: ClassVar[Mapping[float, Mapping[str, Any]]] = {}
    mirror_options: ClassVar[Mapping[str, Any] | None] = None
    sizes: ClassVar[tuple[tuple[int, int], ...]] = ((4, 512), (10, 512), (18, 512))
    backbone: ClassVar[str | Path | None] = None

    @property
    def _title(self) -> str:
        return self.name if self.blender is None else self.blender.__qualname__

    def test_the_options_survive_a_round_trip(self) -> None:
        import pytest

        if self.blender is not None:
            pytest.skip(f"{self._title} is not registered, and has no options")
        spec = load_plugins()["blender"].get(self.name)
        options = spec.parse_options(self.options)
        assert spec.parse_options(options.model_dump(mode="json")) == options

    def test_shares_one_and_zero_give_a_parent_exactly(self) -> None:
        import pytest
        import torch

        if not self.share_options:
            pytest.skip(f"{self._title} has no share: `share_options` is empty")
        for share, options in self.share_options.items():
            for father, mother, context in self._parents():
                child = self._blend(father, mother, context, options).code
                assert torch.equal(child, father if share == 1.0 else mother), f"share {share}"

    def test_the_same_seed_gives_the_same_bytes(self) -> None:
        import torch

        for father, mother, context in self._parents():
            first, second = (self._blend(father, mother, context, self.options, seed=11) for _ in range(2))
            assert torch.equal(first.code, second.code)

    def test_the_seed_changes_the_child_where_the_class_says_so(self) -> None:
        import torch

        kind = self.blender or load_plugins()["blender"].get(self.name).load()
        stochastic = cast("type[Blender]", kind).stochastic
        for father, mother, context in self._parents():
            codes = [self._blend(father, mother, context, self.options, seed=seed).code for seed in range(8)]
            assert stochastic is not all(torch.equal(codes[0], other) for other in codes[1:])

    def test_a_weighted_sum_stays_between_the_parents(self) -> None:
        import pytest
        import torch

        for father, mother, context in self._parents():
            blend = self._blend(father, mother, context, self.options)
            if blend.weights is None:
                pytest.skip(f"{self._title} gives no weighted sum")
            between = blend.code if blend.offset is None else blend.code - blend.offset
            slack = 0.0 if blend.offset is None else 1e-5
            assert bool((between >= torch.minimum(father, mother) - slack).all())
            assert bool((between <= torch.maximum(father, mother) + slack).all())

    def test_swapping_the_parents_mirrors_the_child(self) -> None:
        import pytest
        import torch

        if self.mirror_options is None:
            pytest.skip(f"{self._title} need not mirror: `mirror_options` is None")
        for father, mother, context in self._parents():
            one = self._blend(father, mother, context, self.mirror_options).code
            other = self._blend(mother, father, context, self.mirror_options).code
            torch.testing.assert_close(one + other, father + mother, atol=1e-5, rtol=0)

    def test_the_child_has_the_shape_and_dtype_of_a_code(self) -> None:
        import torch

        for father, mother, context in self._parents():
            code = self._blend(father, mother, context, self.options).code
            assert code.shape == father.shape
            assert code.dtype == torch.float32
            assert bool(torch.isfinite(code).all())

    def _blend(
        self, father: Tensor, mother: Tensor, context: Context, options: Mapping[str, Any], seed: int = 0
    ) -> Blend:
        if self.blender is not None:
            blender = self.blender(cast(Any, None), context)
        else:
            blender = cast(Blender, make_plugin("blender", self.name, context, dict(options)))
        blend = blender.blend(father, mother, seed)
        assert isinstance(blend, Blend), f"`blend` gives a kinblend.Blend, not a {type(blend).__name__}"
        return blend

    def _parents(self) -> list[tuple[Tensor, Tensor, Context]]:
        import torch

        generator = torch.Generator().manual_seed(3)
        if self.backbone is None:
            contexts = [Context(LatentSpace("contract", layers, dim, "0" * 64)) for layers, dim in self.sizes]
        else:
            contexts = [load_backbone(self.backbone).context]
        shapes = [(context.space.layers, context.space.dim) for context in contexts]
        return [
            (torch.randn(shape, generator=generator), torch.randn(shape, generator=generator), context)
            for shape, context in zip(shapes, contexts, strict=True)
        ]
