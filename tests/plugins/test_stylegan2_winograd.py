"""The short way of a 3 × 3 convolution gives what the long way gives."""

import pytest
import torch
import torch.nn.functional as F

from kinblend_plugins.stylegan2 import winograd


@pytest.mark.parametrize("band", [winograd.BAND, 1], ids=["at once", "four rows at a time"])
@pytest.mark.parametrize(("above", "below"), [(True, True), (True, False), (False, True), (False, False)])
def test_it_is_the_convolution(above: bool, below: bool, band: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winograd, "BAND", band)
    torch.manual_seed(0)
    height = 16 - above - below + 2
    x, weight = torch.randn(2, 24, height, 32), torch.randn(40, 24, 3, 3) / 15
    long = F.conv2d(F.pad(x, (1, 1, int(above), int(below))).double(), weight.double()).float()
    short = winograd.convolve(
        x.contiguous(memory_format=torch.channels_last), winograd.transformed(weight), above, below
    )
    assert short.shape == (2, 40, 16, 32)
    torch.testing.assert_close(short, long, atol=1e-4, rtol=0)


def test_where_it_pays() -> None:
    wide, narrow = torch.empty(128, 128, 3, 3), torch.empty(128, 64, 3, 3)
    assert winograd.pays(wide, 4, 32)
    assert not winograd.pays(wide, 6, 32)
    assert not winograd.pays(wide, 32, 16)
    assert not winograd.pays(narrow, 32, 32)
    assert not winograd.pays(wide.bfloat16(), 32, 32)
    assert not winograd.pays(wide.to("meta"), 32, 32)
