"""Low-pass filters and where they cut, as StyleGAN3 designs them.

Karras et al., "Alias-Free Generative Adversarial Networks" (2021), sections 3.2 and appendix C.1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Design:
    """The numbers that a StyleGAN3 is designed by, with NVIDIA's defaults.

    layers: without the input, the last to RGB included. critical: how many before the last are critically sampled.
    first_cutoff, first_stopband: of the first layer, in cycles per picture. last_stopband_rel: of the last, as a
    multiple of its cutoff. margin: pixels beyond each edge that inner layers have. filter_size: taps for each pixel
    of the lower resolution. lrelu_upsampling: how much finer than input and output the leaky ReLU is sampled.
    """

    resolution: int
    layers: int = 15
    num_critical: int = 2
    first_cutoff: float = 2.0
    first_stopband: float = 2**2.1
    last_stopband_rel: float = 2**0.3
    margin_size: int = 10
    filter_size: int = 6
    lrelu_upsampling: int = 2

    def _geometric(self, first: float, last: float) -> list[float]:
        """From the first layer on, growing by a factor, until the critically sampled layers are reached."""
        steps = self.layers - 1 - self.num_critical
        return [first * (last / first) ** min(index / steps, 1) for index in range(self.layers)]

    def cutoffs(self) -> list[float]:
        """Of each layer's output, in cycles per picture."""
        return self._geometric(self.first_cutoff, self.resolution / 2)

    def rates(self) -> list[int]:
        """Sampling rates of each layer's output, in pixels per picture."""
        return [2 ** math.ceil(math.log2(min(2 * stop, self.resolution))) for stop in self._stopbands()]

    def sizes(self) -> list[int]:
        """Sides of each layer's output, in pixels; the last two have no margin."""
        inner = [rate + 2 * self.margin_size for rate in self.rates()[:-2]]
        return [*inner, self.resolution, self.resolution]

    def half_widths(self) -> list[float]:
        """Half of the band between what a layer keeps and what it has to stop, in cycles per picture."""
        parts = zip(self._stopbands(), self.rates(), self.cutoffs(), strict=True)
        return [max(stop, rate / 2) - cutoff for stop, rate, cutoff in parts]

    def filters(self, index: int, radial: bool) -> tuple[Tensor, Tensor]:
        """Those of a layer that is not the last: upsampling [taps] and downsampling [taps] or, radial, [taps, taps].

        Critically sampled layers have no radial filter.
        """
        cutoffs, widths, rates = self.cutoffs(), self.half_widths(), self.rates()
        before = max(index - 1, 0)
        fine = max(rates[before], rates[index]) * self.lrelu_upsampling
        up, down = (self.filter_size * (fine // rates[place]) for place in (before, index))
        radial = radial and index < self.layers - 1 - self.num_critical
        return (
            low_pass(up, cutoffs[before], 2 * widths[before], fine),
            low_pass(down, cutoffs[index], 2 * widths[index], fine, radial),
        )

    def _stopbands(self) -> list[float]:
        return self._geometric(self.first_stopband, self.resolution / 2 * self.last_stopband_rel)


def low_pass(taps: int, cutoff: float, width: float, rate: float, radial: bool = False) -> Tensor:
    """A Kaiser-windowed low-pass filter of sum 1: float32 [taps], or [taps, taps] that is alike in all directions.

    cutoff: where it falls to half, width: of the band in which it falls, both in cycles per picture. rate: samples
    per picture.
    """
    window = np.kaiser(taps, _kaiser_beta(taps, width / (rate / 2)))
    places = (np.arange(taps) - (taps - 1) / 2) / rate
    if not radial:
        kernel = np.sinc(2 * cutoff * places) * window
    else:
        away = np.hypot(*np.meshgrid(places, places))
        waves = torch.special.bessel_j1(torch.from_numpy(2 * np.pi * cutoff * away)).numpy()
        # The transform of a disc; at its middle the quotient tends to the cutoff.
        disc = np.divide(waves, np.pi * away, out=np.full_like(away, cutoff), where=away > 0)
        kernel = disc * np.outer(window, window)
    return torch.from_numpy(kernel / kernel.sum()).float()


def _kaiser_beta(taps: int, width: float) -> float:
    """The window's shape for a band of `width`, a share of half the sampling rate (Kaiser 1974)."""
    attenuation = 2.285 * (taps - 1) * math.pi * width + 7.95  # dB
    if attenuation > 50:
        return 0.1102 * (attenuation - 8.7)
    return 0.5842 * (attenuation - 21) ** 0.4 + 0.07886 * (attenuation - 21) if attenuation > 21 else 0.0
