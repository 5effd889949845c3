"""The parts of the training do what their papers say."""

import torch
from torch import nn
from torch.nn import functional as F
from toy_faces import pixels

from kinblend.training.ranks import Ranks
from kinblend_plugins.stylegan2.training import blends, losses
from kinblend_plugins.stylegan2.training.augment import Probability, augment, colours, recolour, translate
from kinblend_plugins.stylegan2.training.discriminator import Discriminator, with_spread
from kinblend_plugins.stylegan2.training.faces import batch


def source(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_r1_is_half_the_squared_gradient_by_finite_differences() -> None:
    torch.manual_seed(0)
    judge, pictures, step = Discriminator([4, 6]), torch.randn(2, 3, 8, 8, generator=source()), 1e-2
    total = 0.0
    with torch.no_grad():
        for pixel in torch.eye(pictures.numel()):
            move = step * pixel.view_as(pictures)
            slope = (judge(pictures + move) - judge(pictures - move)).sum() / (2 * step)
            total += float(slope.square())
    torch.testing.assert_close(float(losses.r1(judge, pictures).detach()), total / 2 / 2, rtol=0.02, atol=0)


def test_the_gradient_of_r1_agrees_with_finite_differences() -> None:
    # A smooth judge in float64: the penalty of one with kinks has jumps that no gradient knows of.
    torch.manual_seed(0)
    judge = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Tanh(), nn.Flatten(), nn.Linear(5 * 36, 1)).double()
    pictures = torch.randn(2, 3, 8, 8, generator=source()).double()
    for weight in (judge[0].weight, judge[0].bias, judge[3].weight):
        [gradient] = torch.autograd.grad(losses.r1(judge, pictures), weight)
        direction, kept = gradient / gradient.norm(), weight.detach().clone()
        ends = []
        for sign in (1, -1):
            weight.data = kept + sign * 1e-4 * direction
            ends.append(float(losses.r1(judge, pictures).detach()))
        weight.data = kept
        torch.testing.assert_close((ends[0] - ends[1]) / 2e-4, float(gradient.norm()), rtol=1e-5, atol=0)


def test_path_lengths_are_the_lengths_of_the_gradient() -> None:
    matrix = torch.randn(3 * 4 * 4, 6 * 5, generator=source(1))
    codes = torch.randn(2, 6, 5, generator=source(2), requires_grad=True)
    pictures = (codes.flatten(1) @ matrix.T).view(2, 3, 4, 4)
    noise = torch.randn(pictures.shape, generator=source(3))
    found = losses.path_lengths(pictures, codes, noise)
    by_hand = (noise.flatten(1) @ matrix).view(2, 6, 5) / 4
    torch.testing.assert_close(found, by_hand.square().sum(2).mean(1).sqrt())


def test_reconstruction_is_compared_at_every_scale() -> None:
    wanted = torch.zeros(1, 3, 32, 32)
    checks = torch.ones(32, 32)
    checks[::2, ::2] = checks[1::2, 1::2] = -1
    fine, coarse = checks.expand(1, 3, -1, -1) * 0.5, torch.full_like(wanted, 0.5)
    assert float(losses.pixels(wanted, wanted)) == 0
    torch.testing.assert_close(losses.pixels(coarse, wanted), torch.tensor(0.75))
    torch.testing.assert_close(losses.pixels(fine, wanted), torch.tensor(0.75 / 3))  # gone at 16 and at 8 px


def test_offsets_of_zero_have_no_size_and_a_finite_gradient() -> None:
    offsets = torch.zeros(2, 5, 8, requires_grad=True)
    size = losses.offset_size(offsets)
    size.backward()
    assert float(size.detach()) == 0
    assert bool(torch.isfinite(offsets.grad).all())
    torch.testing.assert_close(losses.offset_size(torch.full((2, 5, 16), 0.25)), torch.tensor(5.0))


def test_blends_are_weighted_sums_of_two_different_parents() -> None:
    codes = torch.randn(6, 10, 16, generator=source())
    couples = blends.draw(6, 300, 10, 16, source(1))
    assert not bool((couples.fathers == couples.mothers).any())
    assert set(couples.fathers.tolist()) == set(couples.mothers.tolist()) == set(range(6))
    w = couples.weights
    assert 0 <= float(w.min()) <= float(w.max()) <= 1
    children = codes[couples.fathers] * w + codes[couples.mothers] * (1 - w)
    torch.testing.assert_close(couples.children(codes), children)
    whole = (w == w[:, :1, :1]).all(2).all(1)
    layered = (w == w[:, :, :1]).all(2).all(1) & ~whole
    masked = ((w == 0) | (w == 1)).all(2).all(1)
    assert bool((whole | layered | masked).all())
    assert all(60 < int(kind.sum()) < 140 for kind in (whole, layered, masked))


def test_the_spread_of_a_batch_tells_variety_from_repetition() -> None:
    one = torch.randn(1, 3, 4, 4, generator=source())
    same, different = one.repeat(8, 1, 1, 1), torch.randn(8, 3, 4, 4, generator=source(1))
    assert with_spread(same).shape == (8, 4, 4, 4)
    assert float(with_spread(same)[:, 3].max()) < 1e-3
    assert float(with_spread(different)[:, 3].min()) > 0.5
    assert with_spread(different[:7]).shape == (7, 4, 4, 4)


def test_the_probability_rises_while_real_faces_are_known_and_falls_otherwise() -> None:
    chance = Probability(target=0.6, images=64)
    sure, unsure = torch.ones(4, 1), torch.tensor([[1.0], [-1], [1], [-1]])
    for _ in range(8):
        chance.update(sure)
    assert chance.value == 0.5  # 32 of 64 faces, all of them in steps of four updates
    assert chance.mean == 1
    for _ in range(100):
        chance.update(sure)
    assert chance.value == 1
    for _ in range(100):
        chance.update(unsure)
    assert chance.value == 0
    assert chance.mean == 0


def test_augmentation_leaves_and_changes_pictures_as_often_as_it_should() -> None:
    faces = torch.rand(1, 3, 16, 16, generator=source()).repeat(400, 1, 1, 1) * 2 - 1
    alone = Ranks(torch.device("cpu"))
    assert augment(faces, 0.0, source(), alone.share(400)) is faces
    shown = augment(faces, 0.2, source(), alone.share(400))
    untouched = (shown - faces).abs().amax(dim=(1, 2, 3)) < 1e-5
    # Flip (half of its times), translation (nearly always some) and four changes of colour.
    assert abs(float(untouched.float().mean()) - 0.9 * 0.8**5) < 0.07
    assert bool(torch.isfinite(shown).all())
    leaf = faces[:4].clone().requires_grad_()
    augment(leaf, 1.0, source(), alone.share(4)).sum().backward()
    assert float(leaf.grad.abs().sum()) > 0


def test_translations_move_whole_pixels_and_reflect() -> None:
    face = torch.arange(16.0).view(1, 1, 4, 4).repeat(2, 1, 1, 1)
    moved = translate(face, [[1, 0], [0, -2]])
    torch.testing.assert_close(moved[0, :, 1:], face[0, :, :3])
    torch.testing.assert_close(moved[0, :, 0], face[0, :, 1])
    torch.testing.assert_close(moved[1, :, :, :2], face[1, :, :, 2:])


def test_hue_and_saturation_leave_grey_as_it_is() -> None:
    grey = torch.linspace(-1, 1, 16).view(1, 1, 4, 4).expand(64, 3, -1, -1)
    drawn = iter([False, False, True, True])  # brightness, contrast, saturation, hue
    matrices, offsets = colours(64, lambda: torch.full((64,), next(drawn)), source())
    torch.testing.assert_close(recolour(grey, matrices, offsets), grey, atol=1e-5, rtol=0)
    red = torch.tensor([1.0, -1, -1]).view(1, 3, 1, 1).expand(64, 3, 4, 4)
    assert float((recolour(red, matrices, offsets) - red).abs().amax(dim=(1, 2, 3)).median()) > 0.3


def test_an_epoch_shows_every_face_once_and_the_number_seen_alone_says_which() -> None:
    faces, cpu = pixels(12), torch.device("cpu")
    seen = torch.cat([batch(faces, start, 4, 7, False, cpu) for start in (0, 4, 8)])
    means = F.avg_pool2d(seen, 16).flatten(1)
    everyone = F.avg_pool2d(faces.float() / 127.5 - 1, 16).flatten(1)
    nearest = torch.cdist(means, everyone).argmin(1)
    assert sorted(nearest.tolist()) == list(range(12))
    assert torch.equal(batch(faces, 8, 4, 7, True, cpu), batch(faces, 8, 4, 7, True, cpu))
    assert not torch.equal(batch(faces, 8, 4, 7, False, cpu), batch(faces, 20, 4, 7, False, cpu))
