"""What every encoder must keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from kinblend.testing.pack import PackContract

if TYPE_CHECKING:
    from PIL.Image import Image


class EncoderContract(PackContract):
    """The laws of an encoder, over a model pack that uses it.

    backbone: the pack's name or folder. faces: aligned crops to test it with, PIL pictures in RGB; at least two.
    """

    faces: ClassVar[list[Image]]

    def test_encode_gives_a_float32_code_for_each_face(self) -> None:
        import torch

        from kinblend.imaging import to_batch

        encoder = self.opened().encoder
        codes = encoder.encode(to_batch(self.faces, encoder.input_size))
        assert tuple(codes.shape) == (len(self.faces), encoder.space.layers, encoder.space.dim)
        assert (codes.dtype, codes.device.type) == (torch.float32, "cpu")
        assert bool(torch.isfinite(codes).all())

    def test_a_code_does_not_depend_on_its_neighbours(self) -> None:
        import torch

        backbone = self.opened()
        together = backbone.encode(self.faces)
        alone = [backbone.encode([face])[0] for face in self.faces]
        for one, other in zip(together, alone, strict=True):
            torch.testing.assert_close(one.code, other.code, atol=1e-3, rtol=1e-3)

    def test_different_faces_have_different_codes(self) -> None:
        import torch

        first, second, *_ = self.opened().encode(self.faces)
        assert not torch.allclose(first.code, second.code)

    def test_latents_belong_to_the_backbones_space(self) -> None:
        backbone = self.opened()
        assert all(latent.space == backbone.space for latent in backbone.encode(self.faces))

    def test_images_of_another_shape_are_refused(self) -> None:
        import torch

        from kinblend.errors import KinblendError

        encoder = self.opened().encoder
        size = encoder.input_size
        for shape in ((3, size, size), (1, 1, size, size), (1, 3, size, size + 1)):
            try:
                encoder.encode(torch.zeros(shape))
            except KinblendError:
                continue
            raise AssertionError(f"images of shape {list(shape)} were accepted")
