"""Samples of w become nearly Gaussian, and come back."""

import torch

from kinblend.inversion import Whitening


def samples(count: int, seed: int) -> torch.Tensor:
    """What a mapping network's last layer might give: correlated, through a leaky ReLU."""
    mix = torch.randn(16, 16, generator=torch.Generator().manual_seed(9))
    v = torch.randn(count, 16, generator=torch.Generator().manual_seed(seed)) @ mix + 0.3
    return torch.where(v >= 0, v, 0.2 * v)


def test_whitened_samples_have_mean_0_and_covariance_1() -> None:
    space = Whitening(16, samples(20_000, 0))
    u = space.to_u(samples(20_000, 1))
    assert u.mean(0).abs().max() < 0.05
    torch.testing.assert_close(torch.cov(u.T), torch.eye(16), atol=0.05, rtol=0)


def test_whitening_is_undone() -> None:
    w = samples(100, 2)
    space = Whitening(16, samples(2_000, 0))
    torch.testing.assert_close(space.to_w(space.to_u(w)), w, atol=1e-4, rtol=0)


def test_codes_are_one_w_and_offsets_in_standard_deviations() -> None:
    w = samples(2_000, 0)
    space = Whitening(16, w)
    offsets = torch.zeros(1, 3, 16)
    offsets[0, 1] = 1
    codes = space.codes(space.to_u(w[:1]), offsets)
    torch.testing.assert_close(codes[0, 0], w[0], atol=1e-4, rtol=0)
    torch.testing.assert_close(codes[0, 1] - codes[0, 0], w.std(0), atol=1e-5, rtol=0)


def test_it_is_kept_in_a_state_dict() -> None:
    space, again = Whitening(16, samples(2_000, 0)), Whitening(16)
    again.load_state_dict(space.state_dict())
    u = torch.randn(4, 16)
    assert torch.equal(space.to_w(u), again.to_w(u))
