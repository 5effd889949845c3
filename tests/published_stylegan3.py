"""Made-up StyleGAN3s as NVIDIA names their tensors, and a plain reading of what they draw.

The reading goes through the paper's steps in float64 with SciPy: filters of `scipy.signal.firwin` and
`scipy.special.j1`, zeros between samples, convolution along rows and columns, every other sample. It shares nothing
with the plugin.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy.signal
import scipy.special
import torch
from torch import Tensor

DIM, DEPTH = 8, 2


@dataclass(frozen=True)
class Recipe:
    """As `SynthesisNetwork` of NVlabs/stylegan3 takes them; layers: without the last, `channels` at most each."""

    resolution: int = 32
    layers: int = 6
    channels: int = 6
    radial: bool = False
    kernel: int = 3
    critical: int = 2
    first_cutoff: float = 2.0
    first_stopband: float = 2**2.1
    last_stopband: float = 2**0.3
    margin: int = 10
    filter_size: int = 6
    lrelu: int = 2

    def tables(self) -> dict[str, np.ndarray]:
        """Of each layer's output: cutoff, rate, half-width and size."""
        last = self.resolution / 2
        share = np.minimum(np.arange(self.layers + 1) / (self.layers - self.critical), 1)
        cutoff = self.first_cutoff * (last / self.first_cutoff) ** share
        stop = self.first_stopband * (last * self.last_stopband / self.first_stopband) ** share
        rate = np.exp2(np.ceil(np.log2(np.minimum(2 * stop, self.resolution))))
        size = rate + 2 * self.margin
        size[-2:] = self.resolution
        return {"cutoff": cutoff, "rate": rate, "half": np.maximum(stop, rate / 2) - cutoff, "size": size}

    def layer(self, index: int) -> dict[str, int]:
        """Rates, sizes and factors of a layer."""
        table, before, last = self.tables(), max(index - 1, 0), index == self.layers
        rates = int(table["rate"][before]), int(table["rate"][index])
        fine = max(rates) * (1 if last else self.lrelu)
        sizes = {"before": int(table["size"][before]), "after": int(table["size"][index])}
        return sizes | {"fine": fine, "up": fine // rates[0], "down": fine // rates[1]}

    def filters(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Of a layer that is not the last, float64."""
        table, layer, before = self.tables(), self.layer(index), max(index - 1, 0)
        up = scipy.signal.firwin(
            self.filter_size * layer["up"],
            table["cutoff"][before],
            width=2 * table["half"][before],
            fs=layer["fine"],
        )
        taps, cutoff, width = self.filter_size * layer["down"], table["cutoff"][index], 2 * table["half"][index]
        if not self.radial or index >= self.layers - self.critical:
            return up, scipy.signal.firwin(taps, cutoff, width=width, fs=layer["fine"])
        place = (np.arange(taps) - (taps - 1) / 2) / layer["fine"]
        away = np.sqrt(place[:, None] ** 2 + place[None] ** 2)
        beta = scipy.signal.kaiser_beta(scipy.signal.kaiser_atten(taps, 2 * width / layer["fine"]))
        window = scipy.signal.get_window(("kaiser", beta), taps, fftbins=False)
        down = scipy.special.j1(2 * np.pi * cutoff * away) / away * window[:, None] * window[None]
        return up, down / down.sum()


def state_of(recipe: Recipe, dim: int = DIM, filters: bool = True) -> dict[str, Tensor]:
    """The state dict of `G_ema`. filters: whether it holds them."""
    source = torch.Generator().manual_seed(recipe.resolution + recipe.kernel)
    channels = recipe.channels

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=source)

    state = {
        "synthesis.input.weight": draw(channels, channels),
        "synthesis.input.transform": torch.eye(3),
        "synthesis.input.freqs": draw(channels, 2).clamp(-1.3, 1.3),
        "synthesis.input.phases": draw(channels) * 0.3,
        "synthesis.input.affine.weight": draw(4, dim) * 0.1,
        "synthesis.input.affine.bias": torch.tensor([1.0, 0, 0, 0]),
    }
    for index in range(recipe.layers + 1):
        last = index == recipe.layers
        outputs, kernel = (3, 1) if last else (channels, recipe.kernel)
        name = f"synthesis.L{index}_{recipe.layer(index)['after']}_{outputs}."
        state[f"{name}weight"] = draw(outputs, channels, kernel, kernel)
        state[f"{name}bias"] = draw(outputs) * 0.1
        state[f"{name}magnitude_ema"] = torch.tensor(1.0 + index / 10)
        state[f"{name}affine.weight"] = draw(channels, dim)
        state[f"{name}affine.bias"] = torch.ones(channels)
        if not last and filters:
            for which, taps in zip(("up_filter", "down_filter"), recipe.filters(index), strict=True):
                state[f"{name}{which}"] = torch.from_numpy(taps).float()
    state["mapping.w_avg"] = draw(dim) * 0.1
    for index in range(DEPTH):
        state |= {f"mapping.fc{index}.weight": draw(dim, dim) * 100, f"mapping.fc{index}.bias": draw(dim) * 10}
    return state


def settings_of(recipe: Recipe) -> dict[str, object]:
    """What a `.pkl` says of its modules, by dotted name."""
    table = recipe.tables()
    said: dict[str, object] = {
        "synthesis.num_layers": recipe.layers,
        "synthesis.output_scale": 0.25,
        "synthesis.input.sampling_rate": table["rate"][0],
        "synthesis.input.bandwidth": table["cutoff"][0],
        "synthesis.input.size": np.array([36, 36]),
    }
    for index in range(recipe.layers + 1):
        layer = recipe.layer(index)
        name = f"synthesis.L{index}_{layer['after']}_{3 if index == recipe.layers else recipe.channels}."
        said |= {f"{name}up_factor": layer["up"], f"{name}down_factor": layer["down"], f"{name}conv_clamp": 256}
    for index in range(DEPTH):
        said[f"mapping.fc{index}.bias_gain"] = 0.01
    return said


def draw_picture(recipe: Recipe, state: dict[str, Tensor], code: Tensor, clamp: float = 256) -> np.ndarray:
    """The picture [3, R, R] of one code [L, D], float64."""
    held = {name.removeprefix("synthesis."): tensor.double().numpy() for name, tensor in state.items()}
    code, table = code.double().numpy(), recipe.tables()
    size, rate = int(table["size"][0]), table["rate"][0]
    x = _waves(held, code[0], size, rate, table["cutoff"][0])
    for index in range(recipe.layers + 1):
        last, layer = index == recipe.layers, recipe.layer(index)
        name = f"L{index}_{layer['after']}_{3 if last else recipe.channels}."
        weight, channels = held[f"{name}weight"], x.shape[0]
        style = held[f"{name}affine.weight"] @ code[index + 1] / math.sqrt(len(code[0])) + held[f"{name}affine.bias"]
        if last:
            weight = weight * (style / math.sqrt(channels))[None, :, None, None]
        else:
            weight = weight / np.sqrt((weight**2).mean((1, 2, 3), keepdims=True))
            weight = weight * (style / np.sqrt((style**2).mean()))[None, :, None, None]
            weight = weight / np.sqrt((weight**2).sum((1, 2, 3), keepdims=True) + 1e-8)
        weight = weight / np.sqrt(held[f"{name}magnitude_ema"])
        x = np.stack(
            [
                sum(scipy.signal.correlate2d(x[i], weight[o, i], mode="full") for i in range(channels))
                + held[f"{name}bias"][o]
                for o in range(len(weight))
            ]
        )
        x = np.clip(x, -clamp, clamp) if last else np.stack([_filtered(plane, recipe, index, clamp) for plane in x])
    return x * 0.25


def map_code(state: dict[str, Tensor], z: Tensor) -> Tensor:
    """z [n, D] → w, float64."""
    x = z.double() / (z.double().square().mean(1, keepdim=True) + 1e-8).sqrt()
    for index in range(DEPTH):
        x = x @ (state[f"mapping.fc{index}.weight"].double() / 100).T / math.sqrt(z.shape[1])
        x = x + state[f"mapping.fc{index}.bias"].double() / 100
        x = torch.where(x < 0, x * 0.2, x) * math.sqrt(2)
    return x


def _waves(held: dict[str, np.ndarray], w: np.ndarray, size: int, rate: float, bandwidth: float) -> np.ndarray:
    """The Fourier features, pixel by pixel: each is a wave at the place that the pixel has once it is moved."""
    given = held["input.affine.weight"] @ w / math.sqrt(len(w)) + held["input.affine.bias"]
    cosine, sine, right, below = given / math.hypot(given[0], given[1])
    turn = np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
    move = turn @ np.array([[1, 0, -right], [0, 1, -below], [0, 0, 1]]) @ held["input.transform"]
    places = (np.arange(size) + 0.5 - size / 2) / rate
    across, down = np.meshgrid(places, places)
    moved = np.einsum("ij,jyx->iyx", move, np.stack([across, down, np.ones_like(down)]))
    waves = []
    for wave, phase in zip(held["input.freqs"], held["input.phases"], strict=True):
        length = np.linalg.norm(wave @ move[:2, :2])
        loudness = min(max(1 - (length - bandwidth) / (rate / 2 - bandwidth), 0), 1)
        waves.append(loudness * np.sin(2 * np.pi * (wave[0] * moved[0] + wave[1] * moved[1] + phase)))
    return np.einsum("oc,cyx->oyx", held["input.weight"], np.stack(waves)) / math.sqrt(len(waves))


def _filtered(plane: np.ndarray, recipe: Recipe, index: int, clamp: float) -> np.ndarray:
    """Between convolutions: finer, leaky ReLU, coarser again; of one channel, already convolved, [H, H]."""
    layer, (up, down) = recipe.layer(index), recipe.filters(index)
    fine = np.zeros([len(plane) * layer["up"]] * 2)
    fine[:: layer["up"], :: layer["up"]] = plane
    total = (layer["after"] - 1) * layer["down"] + 1 - len(fine) + len(up) + len(down) - 2
    before = (total + layer["up"]) // 2
    for axis in (0, 1):
        fine = _padded(fine, before, total - before, axis)
        fine = np.apply_along_axis(np.convolve, axis, fine, up * layer["up"], "valid")
    fine = np.clip(np.where(fine < 0, 0.2 * fine, fine) * math.sqrt(2), -clamp, clamp)
    if down.ndim == 1:
        down = down[:, None] * down[None]
    return scipy.signal.convolve2d(fine, down, mode="valid")[:: layer["down"], :: layer["down"]]


def _padded(plane: np.ndarray, before: int, after: int, axis: int) -> np.ndarray:
    plane = plane.swapaxes(0, axis)
    plane = plane[max(-before, 0) : len(plane) - max(-after, 0)]
    wide = np.pad(plane, [(max(before, 0), max(after, 0)), (0, 0)])
    return wide.swapaxes(0, axis)
