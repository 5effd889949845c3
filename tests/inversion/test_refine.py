"""A picture that a code drew is found again from another code, and nothing leaves the cloud of samples for it."""

import pytest
import torch
from torch import Tensor

from kinblend.identity.dlib_resnet import identity_network
from kinblend.inversion import (
    Weights,
    Whitening,
    head_weight,
    identity_distance,
    identity_features,
    picture_distance,
    refine,
    resized,
)

LAYERS, DIM, SIDE = 3, 16, 64


def draw(codes: Tensor) -> Tensor:
    """A linear generator: each layer adds smooth patterns."""
    patterns = torch.randn(LAYERS * DIM, 3, 8, 8, generator=torch.Generator().manual_seed(3)) * 0.1
    pictures = torch.einsum("nk,kchw->nchw", codes.flatten(1), patterns)
    return torch.nn.functional.interpolate(pictures, size=(SIDE, SIDE), mode="bilinear").tanh()


@pytest.fixture(scope="module")
def space() -> Whitening:
    v = torch.randn(5_000, DIM, generator=torch.Generator().manual_seed(0))
    return Whitening(DIM, torch.where(v >= 0, v, 0.2 * v))


def code(space: Whitening, seed: int) -> Tensor:
    u = torch.randn(1, DIM, generator=torch.Generator().manual_seed(seed))
    return space.codes(u, torch.zeros(1, LAYERS, DIM))


def far(one: Tensor, other: Tensor) -> float:
    return float(picture_distance(draw(one), draw(other), head_weight(SIDE)))


def test_steps_bring_the_picture_nearer(space: Whitening) -> None:
    truth, start = code(space, 1), code(space, 2)
    found = refine(draw, space, identity_network(), draw(truth), start, 40, weights=Weights(decay=0))
    assert found.shape == start.shape
    assert far(found, truth) < 0.5 * far(start, truth)


def test_coarse_pictures_are_compared_first(space: Whitening) -> None:
    sizes: list[str] = []

    def coarse(codes: Tensor) -> Tensor:
        sizes.append("coarse")
        return resized(draw(codes), SIDE // 2)

    def fine(codes: Tensor) -> Tensor:
        sizes.append("fine")
        return draw(codes)

    truth, start = code(space, 1), code(space, 2)
    found = refine(fine, space, identity_network(), draw(truth), start, 40, weights=Weights(decay=0), coarse=coarse)
    assert sizes == ["coarse"] * 20 + ["fine"] * 20
    assert far(found, truth) < 0.5 * far(start, truth)


def test_decay_keeps_codes_nearer_to_the_mean(space: Whitening) -> None:
    truth, start = code(space, 1) * 3, code(space, 2)
    near, free = (
        refine(draw, space, identity_network(), draw(truth), start, 30, weights=Weights(decay=decay)).mean(1)
        for decay in (0.05, 0.0)
    )
    assert space.to_u(near).square().mean() < 0.5 * space.to_u(free).square().mean()


def test_no_steps_leave_the_code_as_it_is(space: Whitening) -> None:
    start = code(space, 2)
    torch.testing.assert_close(refine(draw, space, identity_network(), draw(start), start, 0), start)


def test_it_tells_each_step_and_ends_when_it_is_told_to(space: Whitening) -> None:
    told: list[int] = []

    def enough(step: int, loss: float) -> bool:
        told.append(step)
        return step < 3

    refine(draw, space, identity_network(), draw(code(space, 1)), code(space, 2), 20, enough)
    assert told == [1, 2, 3]


def test_the_same_picture_is_the_same_person() -> None:
    picture = draw(torch.randn(1, LAYERS, DIM, generator=torch.Generator().manual_seed(4)))
    features = identity_features(identity_network(), picture)
    assert [tuple(part.shape[1:]) for part in features] == [(128, 8, 8), (256, 4, 4), (128,)]
    torch.testing.assert_close(features[-1], identity_network()(_chips(picture)))
    assert identity_distance(features, features).abs().max() < 1e-6


def _chips(picture: Tensor) -> Tensor:
    from kinblend.identity.crops import chips

    return chips(picture)


@pytest.mark.parametrize("side", [32, 48, 64, 100])
def test_pictures_are_resized_and_keep_their_mean(side: int) -> None:
    picture = draw(torch.randn(1, LAYERS, DIM, generator=torch.Generator().manual_seed(4)))
    found = resized(picture, side)
    assert found.shape[-2:] == (side, side)
    torch.testing.assert_close(found.mean(), picture.mean(), atol=0.01, rtol=0)
