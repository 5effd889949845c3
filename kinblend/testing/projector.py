"""What every projector must keep."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from kinblend.errors import KinblendError, UnsupportedError, UsageError
from kinblend.interfaces import BlendsRegions, KeepsDetail, Noise, Region
from kinblend.testing.pack import PackContract
from kinblend.types import Latent, WeightMap

if TYPE_CHECKING:
    from torch import Tensor


class ProjectorContract(PackContract):
    """The laws of a projector, over a model pack that uses it.

    backbone: the pack's name or folder.
    """

    def codes(self, count: int = 2) -> Tensor:
        """Codes to test it with, float32 [n, L, D]; override where normal numbers are no plausible codes."""
        import torch

        space = self.opened().space
        return torch.randn(count, space.layers, space.dim, generator=torch.Generator().manual_seed(5)) * 0.3

    def test_synthesize_gives_a_float32_picture_for_each_code(self) -> None:
        import torch

        projector = self.opened().projector
        with torch.inference_mode():
            pictures = projector.synthesize(self.codes())
        assert tuple(pictures.shape) == (2, 3, projector.resolution, projector.resolution)
        assert pictures.dtype == torch.float32
        assert bool(torch.isfinite(pictures).all())

    def test_a_smaller_size_gives_pictures_that_are_large_enough(self) -> None:
        import torch

        projector = self.opened().projector
        with torch.inference_mode():
            pictures = projector.synthesize(self.codes(1), size=projector.resolution // 4)
        assert projector.resolution // 4 <= pictures.shape[-1] <= projector.resolution

    def test_every_kind_of_noise_it_names_is_repeatable(self) -> None:
        import torch

        projector = self.opened().projector
        for noise in projector.noise_kinds:
            with torch.inference_mode():
                first, second = (projector.synthesize(self.codes(1), noise=noise, seed=3) for _ in range(2))
            assert torch.equal(first, second), noise

    def test_noise_left_out_is_the_first_of_its_kinds(self) -> None:
        import torch

        projector, first = self.opened().projector, self.opened().projector.noise_kinds[0]
        with torch.inference_mode():
            named = projector.synthesize(self.codes(1), noise=first)
            assert torch.equal(projector.synthesize(self.codes(1), noise=None), named)
            assert torch.equal(projector.synthesize(self.codes(1)), named)

    def test_noise_that_it_does_not_name_is_refused(self) -> None:
        backbone = self.opened()
        projector, codes = backbone.projector, self.codes(1)
        latents = [Latent(code, backbone.space) for code in codes]
        wrong: Any
        for wrong in {*get_args(Noise), "no such noise"} - {*projector.noise_kinds}:
            for accept in (partial(projector.synthesize, codes), partial(projector.render, latents)):
                try:
                    accept(noise=wrong)
                except UsageError as error:
                    assert all(kind in str(error) for kind in projector.noise_kinds), f"{error} names no kinds"
                    continue
                raise AssertionError(f"noise {wrong!r} was accepted, and noise_kinds is {projector.noise_kinds}")

    def test_codes_of_another_shape_are_refused(self) -> None:
        import torch

        projector, codes = self.opened().projector, self.codes(1)
        for wrong in (codes[0], torch.zeros(1, codes.shape[1] + 1, codes.shape[2]), codes[:, :, 1:]):
            try:
                projector.synthesize(wrong)
            except KinblendError:
                continue
            raise AssertionError(f"codes of shape {list(wrong.shape)} were accepted")

    def test_gradients_reach_the_codes(self) -> None:
        import torch

        codes = self.codes(1).requires_grad_()
        loss = self.opened().projector.synthesize(codes).square().mean()
        [gradient] = torch.autograd.grad(loss, codes)
        assert float(gradient.abs().sum()) > 0

    def test_render_gives_square_pictures(self) -> None:
        backbone = self.opened()
        pictures = backbone.render([Latent(code, backbone.space) for code in self.codes()])
        assert [picture.mode for picture in pictures] == ["RGB", "RGB"]
        assert {picture.width for picture in pictures} == {picture.height for picture in pictures}

    def test_detail_of_latents_without_any_is_empty(self) -> None:
        import pytest
        import torch

        backbone = self.opened()
        first, second = (Latent(code, backbone.space) for code in self.codes())
        half = WeightMap(torch.full_like(first.code, 0.5), backbone.space)
        projector = backbone.projector
        if not isinstance(projector, KeepsDetail):
            pytest.skip(f"{projector.title} keeps no detail")
        assert not projector.blend_detail(first, second, half, projector.options)
        assert not projector.edit_detail(first, first.code)

    def test_a_region_that_is_nowhere_changes_nothing_and_one_of_another_does(self) -> None:
        import numpy as np
        import pytest
        import torch

        backbone = self.opened()
        if not isinstance(backbone.projector, BlendsRegions):
            pytest.skip(f"{backbone.projector.title} blends no regions")
        child, other = (Latent(code, backbone.space) for code in self.codes())
        nowhere, everywhere = torch.zeros(32, 32), torch.ones(32, 32)
        regions = [Region("father", places, places) for places in (nowhere, everywhere)]
        made = [backbone.projector.blend_regions(child.copy(), [(other, region)]) for region in regions]
        pictures = [np.asarray(one, int) for one in backbone.render([child, *made])]
        assert np.abs(pictures[1] - pictures[0]).max() <= 2, "grey levels, by rounding"
        assert np.abs(pictures[2] - pictures[0]).mean() > np.abs(pictures[1] - pictures[0]).mean()
        own = backbone.projector.blend_regions(child.copy(), [(child, regions[1])])
        assert np.abs(np.asarray(backbone.render([own])[0], int) - pictures[0]).max() <= 2

    def test_project_improves_or_says_that_it_is_unsupported(self) -> None:
        import pytest

        backbone = self.opened()
        start = Latent(self.codes(1)[0], backbone.space)
        picture = backbone.render([start])[0]
        try:
            losses: list[float] = []
            backbone.project(picture, steps=5, progress=lambda now: losses.append(now.loss))
        except UnsupportedError as error:
            pytest.skip(str(error))
        assert 1 <= len(losses) <= 5
        assert min(losses) < losses[0] or len(losses) == 1
