"""The morphable backbone and the pack it ships."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import kinblend
import kinblend.interfaces
import kinblend.packs
import kinblend_plugins.morphable as plugin
from kinblend import AlignedFace, Context, Latent, WeightMap
from kinblend.imaging import to_pictures
from kinblend_plugins.morphable import geometry, regions
from kinblend_plugins.morphable.components import components
from kinblend_plugins.morphable.encoder import MorphableEncoder
from kinblend_plugins.morphable.options import EncoderOptions, ProjectorOptions
from kinblend_plugins.morphable.projector import MorphableProjector


@pytest.fixture(scope="module")
def backbone():
    pack = kinblend.packs.open_pack(Path(plugin.__file__).parent / "pack")
    context = Context(pack.space, pack.files, pack.settings)
    return SimpleNamespace(
        pack=pack,
        space=pack.space,
        encoder=MorphableEncoder(EncoderOptions(), context),
        projector=MorphableProjector(ProjectorOptions(), context),
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
        shape = backbone.projector.model.shape(code)[0].numpy().astype(np.float64) * 512 - 0.5
    inner = [shape[60], shape[61], shape[62], shape[54]]  # closed lips: upper and lower points fall together
    landmarks = np.concatenate([shape[:60], [shape[48], *inner, *inner[2::-1]]])
    return AlignedFace(to_pictures(picture)[0], landmarks)


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


def test_the_child_of_somebody_and_themselves_has_their_skin(backbone, parents):
    father, _ = parents
    same = child(backbone, father, father, 0.5)
    before, after = (latent.detail["residual"].float() for latent in (father, same))
    assert float((after - before).abs().max()) < 0.02 * float(before.abs().max())


def child(backbone, father, mother, share):
    weights = WeightMap(torch.full((backbone.space.layers, backbone.space.dim), share), backbone.space)
    code = kinblend.interfaces.weighted_sum(father.code, mother.code, weights.values)
    return Latent(code, backbone.space, backbone.projector.blend_detail(father, mother, weights, ProjectorOptions()))


def test_the_shipped_pack_verifies_and_is_small(backbone):
    backbone.pack.verify()
    assert sum(path.stat().st_size for path in backbone.pack.files.values()) < 48_000_000
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
    assert {"age", "gender", "smile", "width", "skin", "hair"} <= set(directions)
    for direction in directions.values():
        assert direction.shape[-2:] == (backbone.space.layers, backbone.space.dim)
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


def test_the_background_comes_from_the_parent_with_the_larger_share(backbone, parents):
    father, mother = parents
    for share, background_source in [(0.6, father), (0.5, mother), (0.4, mother)]:
        assert torch.equal(
            child(backbone, father, mother, share).detail["background"], background_source.detail["background"]
        )


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
        kinblend.load_backbone("morphable").project(faces[0].image)


def test_a_spline_keeps_affine_maps_exactly():
    points = geometry.control_points(
        torch.rand(geometry.POINTS, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    )
    matrix, shift = torch.tensor([[1.1, 0.2], [-0.1, 0.9]], dtype=torch.float64), torch.tensor([0.05, -0.02])
    moved = geometry.spline(points, points @ matrix + shift, geometry.nodes())
    torch.testing.assert_close(moved, geometry.nodes() @ matrix + shift, atol=1e-6, rtol=0)


def test_components_are_symmetric_or_antisymmetric_and_find_what_was_planted():
    generator = torch.Generator().manual_seed(0)
    planted = torch.linalg.qr(torch.randn(16, 3, generator=generator))[0].T.view(3, 2, 2, 4)
    planted = planted + planted.flip(-1)
    codes = torch.randn(400, 3, generator=generator) * torch.tensor([3.0, 2.0, 1.0])
    vectors = torch.einsum("nk,kchw->nchw", codes, planted) + 0.01 * torch.randn(400, 2, 2, 4, generator=generator)
    basis, deviations = components(vectors, 3, lambda v: v.flip(-1))
    torch.testing.assert_close(basis @ basis.T, torch.eye(3), atol=1e-4, rtol=0)
    axes = basis.view(3, 2, 2, 4)
    torch.testing.assert_close(axes, axes.flip(-1), atol=1e-3, rtol=0)
    assert list(deviations) == sorted(deviations, reverse=True)
    rest = planted.flatten(1) - planted.flatten(1) @ basis.T @ basis
    assert float(rest.norm()) < 0.02


def test_windows_of_the_parts_sum_to_one_and_are_symmetric(backbone):
    model = backbone.projector.model
    windows = model.part_windows
    torch.testing.assert_close(windows.sum(0), torch.ones(windows.shape[1:]))
    torch.testing.assert_close(windows, windows.flip(-1), atol=1e-5, rtol=0)
    assert len(windows) == len(regions.NAMES)


def test_mirrored_twice_is_the_same_shape(backbone):
    shape = backbone.projector.model.mean_shape
    torch.testing.assert_close(geometry.mirrored(geometry.mirrored(shape)), shape)
    torch.testing.assert_close(geometry.mirrored(shape), shape, atol=1e-6, rtol=0)  # the mean is symmetric


def test_an_open_mouth_is_no_matter_of_shape():
    landmarks = torch.rand(68, 2, generator=torch.Generator().manual_seed(3))
    wider = landmarks.clone()
    wider[[61, 62, 63], 1] -= 0.02
    wider[[67, 66, 65], 1] += 0.02
    torch.testing.assert_close(geometry.shape_of(landmarks), geometry.shape_of(wider))


def test_the_parts_of_a_code_move_their_part_of_the_face(backbone):
    model, zero = backbone.projector.model, torch.zeros(1, backbone.space.layers, backbone.space.dim)
    for number, part in enumerate(p for p in model.parts if p.layer == backbone.space.layers - 1):
        code = zero.clone()
        code[0, part.layer, part.first] = 3
        change = (model.texture(code) - model.texture(zero)).abs().sum(1, keepdim=True)
        where = torch.nn.functional.interpolate(model.part_windows[None, number : number + 1], size=change.shape[-1])
        assert float((change * (where > 0)).sum() / change.sum()) > 0.95, regions.NAMES[number]


def test_a_layer_of_the_father_gives_his_shape_and_her_texture(backbone, parents):
    father, mother = parents
    weights = torch.zeros(backbone.space.layers, backbone.space.dim)
    weights[0] = 1
    code = kinblend.interfaces.weighted_sum(father.code, mother.code, weights)[None]
    model = backbone.projector.model
    torch.testing.assert_close(model.shape(code), model.shape(father.code[None]))
    torch.testing.assert_close(model.texture(code), model.texture(mother.code[None]))


def test_hair_over_the_forehead_is_taken_from_the_texture_and_kept_in_the_picture(backbone, faces):
    face = faces[0]
    pixels = np.array(face.image)
    top = int(face.landmarks[17:27, 1].min()) - 25
    pixels[:top] = (20, 12, 8)  # a fringe
    latent = backbone.encoder.encode_faces([AlignedFace(kinblend_picture(pixels), face.landmarks)])[0]
    model = backbone.projector.model
    texture = model.texture(latent.code[None], 448) + latent.detail["residual"].float()
    inside = torch.nn.functional.interpolate(model.window, size=texture.shape[-1])[0, 0] > 0.9
    upper = texture[0, :, :100][:, inside[:100]]
    assert float(upper.mean()) > -0.6  # the fringe itself is at −0.9
    shown = np.asarray(backbone.projector.render([latent])[0]).astype(int)
    assert np.abs(shown[top - 40 : top - 20, 200:312] - (20, 12, 8)).mean() < 12


def test_where_hair_covers_one_parent_the_other_ones_skin_counts(backbone, parents):
    father, mother = parents
    hair = torch.zeros(112, 112, dtype=torch.uint8)
    hair[:20] = 255
    covered = Latent(father.code, father.space, {**father.detail, "hair": hair})
    half = torch.full((backbone.space.layers, backbone.space.dim), 0.5)
    mixed = backbone.projector.blend_detail(covered, mother, WeightMap(half, backbone.space), ProjectorOptions())[
        "residual"
    ].float()
    hers, his = mother.detail["residual"].float(), father.detail["residual"].float()
    upper, lower = slice(20, 60), slice(300, 340)
    assert (mixed - hers)[:, upper].abs().mean() < 0.35 * (his - hers)[:, upper].abs().mean()
    assert (mixed - hers)[:, lower].abs().mean() > 0.4 * (his - hers)[:, lower].abs().mean()


def kinblend_picture(pixels):
    from PIL import Image

    return Image.fromarray(pixels)


@pytest.mark.parametrize("wanted", ["father", "mother"])
def test_the_background_can_be_chosen(backbone, parents, wanted):
    weights = WeightMap(torch.full((backbone.space.layers, backbone.space.dim), 0.5), backbone.space)
    detail = backbone.projector.blend_detail(*parents, weights, ProjectorOptions(background=wanted))
    background_source = parents[["father", "mother"].index(wanted)]
    assert torch.equal(detail["background"], background_source.detail["background"])


def test_a_plain_background_is_grey(backbone, parents):
    weights = WeightMap(torch.ones(backbone.space.layers, backbone.space.dim), backbone.space)
    detail = backbone.projector.blend_detail(*parents, weights, ProjectorOptions(background="plain"))
    [child] = backbone.projector.render([Latent(parents[0].code, backbone.space, detail)])
    assert child.size == backbone.projector.render(parents[:1])[0].size
    picture = np.asarray(child)
    assert np.abs(picture[:8].astype(int) - 128).max() <= 1


def test_a_darker_face_gets_a_darker_neck_and_the_background_stays(backbone, parents):
    model, latent = backbone.projector.model, parents[0]
    skin = torch.zeros(192, 192, dtype=torch.uint8)
    skin[170:, 70:120] = 255  # a neck
    marked = Latent(latent.code, latent.space, {**latent.detail, "skin": skin})
    darker = {**marked.detail, "residual": (marked.detail["residual"].float() - 0.4).half()}
    before, after = (
        np.asarray(p).astype(int)
        for p in backbone.projector.render([marked, Latent(latent.code, latent.space, darker)])
    )
    assert (after - before)[490:, 210:300].mean() < -25
    assert np.abs(after - before)[:60].mean() < 1
    assert model.window.shape[-1] == latent.detail["residual"].shape[-1]


def test_codes_far_from_every_face_are_brought_back_and_faces_left_alone(backbone, parents):
    projector, codes = backbone.projector, torch.stack([parent.code for parent in parents])
    assert torch.equal(projector.project_to_prior(codes, codes), codes)
    wild = codes[:1].clone()
    wild[0, 1, 0] = 50.0
    kept = projector.project_to_prior(wild, codes)
    assert float(kept[0, 1, 0]) <= max(4.0, float(codes[:, 1, 0].max()))
    loud = codes[:1] * 5
    assert (
        float(projector._radius(projector.project_to_prior(loud, codes)).max())
        < float(projector._radius(loud).max()) / 2
    )


def test_the_residual_follows_what_the_code_lets_expect(backbone, parents):
    from safetensors.torch import load_file

    older = load_file(backbone.pack.files["directions.safetensors"])["age"] * 2
    strengths = []
    for sign in (-1, 1):
        detail = backbone.projector.edit_detail(parents[0], parents[0].code + sign * older)
        strengths.append(float(detail["residual"].float().square().mean()))
    assert strengths[0] < float(parents[0].detail["residual"].float().square().mean()) < strengths[1]


def test_smaller_pictures_show_the_same(backbone, parents):
    from PIL import Image

    large, small = (backbone.projector.render(parents[:1], size=size)[0] for size in (512, 256))
    assert small.size == (256, 256)
    assert psnr(large.resize((256, 256), Image.Resampling.BOX), small) > 28


def test_siblings_rendered_together_look_as_they_do_alone(backbone, parents):
    born = [child(backbone, *parents, share) for share in (0.2, 0.5, 0.8)]
    bare = Latent(born[0].code, backbone.space)
    family = [*born, bare, parents[0]]  # of three sources' backgrounds, and one without any
    for latent, picture in zip(family, backbone.projector.render(family), strict=True):
        [alone] = backbone.projector.render([latent])
        assert np.abs(np.asarray(picture).astype(int) - np.asarray(alone)).max() <= 1


@pytest.fixture(scope="module")
def large(backbone, faces):
    """Both parents photographed twice as large, with a line finer than 512 px can show across each face."""
    encoder = MorphableEncoder(EncoderOptions(size=1024), backbone.encoder.context)
    pictures = [np.asarray(face.image.resize((1024, 1024))).copy() for face in faces]
    for picture in pictures:
        picture[600, 400:600] = 255
    marks = [(face.landmarks + 0.5) * 2 - 0.5 for face in faces]
    made = [AlignedFace(to_image(picture), points) for picture, points in zip(pictures, marks, strict=True)]
    return made, encoder.encode_faces(made)


def to_image(pixels):
    from PIL import Image

    return Image.fromarray(pixels)


def test_larger_photographs_give_larger_pictures_of_the_same_codes(backbone, parents, large):
    faces, latents = large
    for small, latent, face in zip(parents, latents, faces, strict=True):
        assert (latent.code - small.code).square().mean().sqrt() < 0.05 < small.code.square().mean().sqrt()
        [picture] = backbone.projector.render([latent])
        assert picture.size == (1024, 1024)
        assert psnr(face.image, picture) > 28
        row = np.asarray(picture)[598:603, 450:550].mean((1, 2))
        assert row[2] > row[[0, 4]].max() + 20  # the line, one pixel wide


def test_a_child_of_a_large_and_a_small_photograph_is_as_large_as_its_background(backbone, parents, large):
    _, [father, _] = large
    for share, size in ((0.8, 1024), (0.2, 512)):
        born = child(backbone, father, parents[1], share)
        assert born.detail["residual"].shape == (3, 896, 896)
        [picture] = backbone.projector.render([born])
        assert picture.size == (size, size)


def test_uneven_dimensions_are_those_a_mirror_turns_round(backbone, parents):
    model, code = backbone.projector.model, parents[0].code[None]
    mirrored = torch.where(model.uneven, -code, code)
    assert (model.texture(code) - model.texture(code).flip(-1)).abs().max() > 0.1
    torch.testing.assert_close(model.texture(mirrored), model.texture(code).flip(-1), atol=0.03, rtol=0)


def test_light_from_one_side_is_taken_away_and_nothing_else(backbone, parents):
    projector, model = backbone.projector, backbone.projector.model
    code = parents[0].code[None].clone()
    assert torch.equal(projector.remove_lighting(torch.zeros_like(code)), torch.zeros_like(code))
    code[0, 1][model.uneven[1]] = 2.0
    lit = projector.remove_lighting(code)
    assert torch.equal(lit[:, ~model.uneven], code[:, ~model.uneven])
    torch.testing.assert_close(lit[0, 1][model.uneven[1]], torch.full_like(lit[0, 1][model.uneven[1]], 0.5))
    torch.testing.assert_close(projector.remove_lighting(lit), lit)
