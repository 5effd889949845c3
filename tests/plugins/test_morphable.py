"""The morphable backbone and the pack it ships."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import kinblend
import kinblend_plugins.morphable as plugin
from kinblend import AlignedFace, Context, Latent, WeightMap
from kinblend.imaging import to_pictures
from kinblend_plugins.morphable import geometry
from kinblend_plugins.morphable.encoder import MorphableEncoder
from kinblend_plugins.morphable.projector import MorphableProjector


@pytest.fixture(scope="module")
def backbone():
    pack = kinblend.open_pack(Path(plugin.__file__).parent / "pack")
    context = Context(pack.space, pack.files, pack.settings)
    return SimpleNamespace(
        pack=pack,
        space=pack.space,
        encoder=MorphableEncoder(SimpleNamespace(), context),
        projector=MorphableProjector(SimpleNamespace(), context),
    )


def a_face(backbone, seed):
    """A face no one has, from a random code, with freckles the components don't know; and its landmarks."""
    generator = torch.Generator().manual_seed(seed)
    code = torch.zeros(1, backbone.space.layers, backbone.space.dim)
    code[0, 0, :12] = 0.6 * torch.randn(12, generator=generator)
    code[0, 1:, :40] = 0.6 * torch.randn(backbone.space.layers - 1, 40, generator=generator)
    with torch.inference_mode():
        picture = backbone.projector.synthesize(code)
        picture = picture + 0.1 * torch.randn(1, 1, 64, 64, generator=generator).repeat_interleave(
            8, 2
        ).repeat_interleave(8, 3)
        landmarks = backbone.projector.model.landmarks(code)[0]
    return AlignedFace(to_pictures(picture)[0], landmarks.numpy().astype(np.float64) * 512 - 0.5)


@pytest.fixture(scope="module")
def faces(backbone):
    return [a_face(backbone, seed) for seed in (1, 2)]


@pytest.fixture(scope="module")
def parents(backbone, faces):
    return backbone.encoder.encode_faces(faces)


def inside(face):
    """Where the face is, well within the feather: bool [512, 512]."""
    from PIL import Image, ImageDraw

    mask = Image.new("L", face.image.size)
    jaw_and_brows = [*face.landmarks[:17], *face.landmarks[17:27][::-1]]
    ImageDraw.Draw(mask).polygon([tuple(point) for point in jaw_and_brows], fill=1)
    return np.asarray(mask, dtype=bool)


def psnr(a, b, where=...):
    difference = (np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64))[where]
    return 10 * np.log10(255**2 / np.square(difference).mean())


def child(backbone, father, mother, share):
    weights = WeightMap(torch.full((backbone.space.layers, backbone.space.dim), share), backbone.space)
    code = kinblend.weighted_sum(father.code, mother.code, weights.values)
    return Latent(code, backbone.space, backbone.projector.blend_detail(father, mother, weights))


def test_the_shipped_pack_verifies_and_is_small(backbone):
    backbone.pack.verify()
    assert sum(path.stat().st_size for path in backbone.pack.files.values()) < 20_000_000
    assert (backbone.pack.name, backbone.space.dim) == ("morphable", 512)


def test_every_registered_target_can_be_imported():
    specs = []
    for hook in ("encoders", "projectors", "trainers"):
        getattr(plugin, f"kinblend_register_{hook}")(specs.append)
    assert [spec.load().__name__ for spec in specs] == ["MorphableEncoder", "MorphableProjector", "train"]
    assert "faces" in specs[2].options_model().model_fields


def test_directions_are_finite_and_of_the_space(backbone):
    from safetensors.torch import load_file

    directions = load_file(backbone.pack.files["directions.safetensors"])
    assert set(directions) == {"age", "gender", "smile"}
    for direction in directions.values():
        assert direction.shape == (backbone.space.layers, backbone.space.dim)
        assert torch.isfinite(direction).all() and direction.norm() > 0


def test_code_and_detail_reconstruct_the_face(backbone, faces, parents):
    for face, picture in zip(faces, backbone.projector.render(parents), strict=True):
        assert psnr(face.image, picture, inside(face)) > 30
        assert psnr(face.image, picture) > 28


def test_the_code_alone_reconstructs_the_face(backbone, faces, parents):
    codes = torch.stack([latent.code for latent in parents])
    with torch.inference_mode():
        pictures = to_pictures(backbone.projector.synthesize(codes))
    for face, picture in zip(faces, pictures, strict=True):
        assert psnr(face.image, picture, inside(face)) > 20


@pytest.mark.parametrize(("share", "parent"), [(1.0, 0), (0.0, 1)])
def test_a_whole_share_gives_that_parents_picture(backbone, parents, share, parent):
    picture, own = backbone.projector.render([child(backbone, *parents, share), parents[parent]])
    assert picture.tobytes() == own.tobytes()


def test_the_surround_comes_from_the_parent_with_the_larger_share(backbone, parents):
    father, mother = parents
    for share, host in [(0.6, father), (0.5, mother), (0.4, mother)]:
        assert torch.equal(child(backbone, father, mother, share).detail["surround"], host.detail["surround"])


def test_the_same_latent_gives_the_same_bytes(backbone, faces, parents):
    again = backbone.encoder.encode_faces(faces)
    first, second = (backbone.projector.render([child(backbone, *pair, 0.5)])[0] for pair in (parents, again))
    assert first.tobytes() == second.tobytes()


def test_synthesis_is_differentiable_in_every_layer(backbone, parents):
    codes = torch.stack([latent.code for latent in parents]).requires_grad_()
    pictures = backbone.projector.synthesize(codes)
    assert pictures.shape == (2, 3, 512, 512)
    pictures.square().mean().backward()
    assert torch.isfinite(codes.grad).all()
    assert (codes.grad.abs().amax(dim=(0, 2)) > 0).all()


def test_a_latent_without_detail_renders_as_its_code(backbone, parents):
    bare = Latent(parents[0].code, backbone.space)
    with torch.inference_mode():
        expected = to_pictures(backbone.projector.synthesize(bare.code[None]))[0]
    assert backbone.projector.render([bare])[0].tobytes() == expected.tobytes()


def test_projection_of_images_is_refused_by_name(backbone, faces):
    with pytest.raises(kinblend.KinblendError, match="use encode"):
        backbone.projector.project(faces[0].image)


def test_a_spline_keeps_affine_maps_exactly():
    points = geometry.control_points(
        torch.rand(68, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    )
    matrix, shift = torch.tensor([[1.1, 0.2], [-0.1, 0.9]], dtype=torch.float64), torch.tensor([0.05, -0.02])
    moved = geometry.spline(points, points @ matrix + shift, geometry.nodes())
    torch.testing.assert_close(moved, geometry.nodes() @ matrix + shift, atol=1e-6, rtol=0)
