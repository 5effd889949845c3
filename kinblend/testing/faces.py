"""What every detector, landmarker, identity network and upscaler must keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from kinblend.plugins import load_component

if TYPE_CHECKING:
    from PIL.Image import Image


class _Contract:
    """name: of the plugin. faces: square RGB crops in FFHQ geometry of different people; at least two."""

    kind: ClassVar[str]
    name: ClassVar[str]
    faces: ClassVar[list[Image]]

    @classmethod
    def made(cls) -> Any:
        """The plugin, made once. Raises what its constructor does."""
        return load_component(cls.kind, cls.name)


class DetectorContract(_Contract):
    """The laws of a face detector."""

    kind = "detector"

    def test_it_finds_the_face_of_a_crop(self) -> None:
        for image, found in zip(self.faces, self.made().detect(self.faces), strict=True):
            assert len(found) == 1, f"{len(found)} faces were found in a crop of one"
            left, top, right, bottom = found[0].box
            assert 0.3 < (left + right) / 2 / image.width < 0.7
            assert 0.3 < (top + bottom) / 2 / image.height < 0.8
            assert 0.2 < (right - left) / image.width < 1
            assert 0 <= found[0].probability <= 1
            assert found[0].points.shape == (5, 2)

    def test_a_plain_picture_has_none(self) -> None:
        from PIL import Image as pil

        assert self.made().detect([pil.new("RGB", (128, 96), "grey")] * 2) == [[], []]

    def test_no_picture_is_changed(self) -> None:
        before = [face.tobytes() for face in self.faces]
        self.made().detect(self.faces)
        assert [face.tobytes() for face in self.faces] == before


class LandmarkerContract(_Contract):
    """The laws of a landmarker."""

    kind = "landmarker"

    def test_it_gives_68_points_inside_the_crop(self) -> None:
        import numpy as np

        for face in self.faces:
            points = self.made().predict_in_crop(face)
            assert points.shape == (68, 2)
            assert points.dtype == np.float64
            assert bool(np.isfinite(points).all())
            assert points.min() > 0
            assert points.max() < face.width

    def test_eyes_are_above_the_mouth_and_the_left_eye_is_left(self) -> None:
        for face in self.faces:
            points = self.made().predict_in_crop(face)
            left, right, mouth = points[36:42].mean(0), points[42:48].mean(0), points[48:].mean(0)
            assert left[0] < mouth[0] < right[0]
            assert max(left[1], right[1]) < mouth[1]

    def test_a_box_gives_about_the_same_points(self) -> None:
        import numpy as np

        face = self.faces[0]
        points = self.made().predict_in_crop(face)
        box = (*points.min(0), *points.max(0))
        assert float(np.abs(self.made().predict(face, box) - points).mean()) < 0.1 * face.width


class IdentityNetworkContract(_Contract):
    """The laws of an identity network."""

    kind = "identity-network"

    def pictures(self) -> Any:
        """The faces as it takes them: float32 [n, 3, S, S] in [−1, 1]."""
        from kinblend.imaging import to_batch

        return to_batch(self.faces, self.made().input_side)

    def test_embeddings_are_float32_of_the_size_it_names(self) -> None:
        import torch

        network = self.made()
        for found in (network.embed_faces(self.faces), network.embed_pictures(self.pictures()).detach()):
            assert tuple(found.shape) == (len(self.faces), network.embedding_size)
            assert found.dtype == torch.float32
            assert bool(torch.isfinite(found).all())

    def test_different_people_have_different_embeddings_and_the_same_picture_the_same(self) -> None:
        import torch
        from torch.nn.functional import cosine_similarity

        first, second, *_ = self.made().embed_faces(self.faces)
        again = self.made().embed_faces(self.faces[:1])[0]
        torch.testing.assert_close(first, again, atol=1e-4, rtol=1e-3)
        assert float(cosine_similarity(first, second, 0)) < float(cosine_similarity(first, again, 0)) - 1e-3

    def test_gradients_reach_the_pictures(self) -> None:
        import torch

        pictures = self.pictures().requires_grad_()
        [gradient] = torch.autograd.grad(self.made().embed_pictures(pictures).square().sum(), pictures)
        assert float(gradient.abs().sum()) > 0


class UpscalerContract(_Contract):
    """The laws of an upscaler."""

    kind = "upscaler"

    def test_pictures_become_larger_and_stay_the_same(self) -> None:
        import numpy as np

        small = [face.resize((48, 40)) for face in self.faces]
        factor = self.made().factor
        for before, after in zip(small, self.made().upscale(small), strict=True):
            assert (after.mode, after.size) == ("RGB", (48 * factor, 40 * factor))
            back = np.asarray(after.resize(before.size), dtype=float)
            assert np.abs(back - np.asarray(before)).mean() < 12

    def test_no_picture_gives_none(self) -> None:
        assert self.made().upscale([]) == []
