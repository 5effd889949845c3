"""Made-up StyleGANs of 2019 as three publishers name their tensors, and a plain reading of what they draw.

The reading follows each publisher's description step by step, in float64, on the published tensors; it shares nothing
with the plugin, which scales all weights once and draws with another set of operations.
"""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

DIM, DEPTH = 8, 2


def rosinality(widths: Sequence[int], dim: int = DIM, trained: int | None = None) -> dict[str, Tensor]:
    """`g_running` of style-based-gan-pytorch: channels at 4, 8, 16 … px; from 128 px on they are reached at once.

    trained: the sizes that were trained; the noise of the others has no strength.
    """
    draw = _drawer(len(widths))
    state = {}
    for index in range(DEPTH):
        state[f"style.{2 * index + 1}.linear.bias"] = draw(dim) * 0.1
        state[f"style.{2 * index + 1}.linear.weight_orig"] = draw(dim, dim)
    for step, width in enumerate(widths):
        block, before = f"generator.progression.{step}.", widths[max(step - 1, 0)]
        if step == 0:
            state[f"{block}conv1.input"] = draw(1, width, 4, 4)
        elif step >= 5:
            state[f"{block}conv1.0.weight"] = draw(before, width, 3, 3)
            state[f"{block}conv1.0.bias"] = draw(width) * 0.1
            blur = f"{block}conv1.1."
        else:
            state[f"{block}conv1.1.conv.bias"] = draw(width) * 0.1
            state[f"{block}conv1.1.conv.weight_orig"] = draw(width, before, 3, 3)
            blur = f"{block}conv1.2."
        if step:
            kernel = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16
            state[f"{blur}weight"] = kernel.repeat(width, 1, 1, 1)
            state[f"{blur}weight_flip"] = kernel.repeat(width, 1, 1, 1)
        state[f"{block}conv2.conv.bias"] = draw(width) * 0.1
        state[f"{block}conv2.conv.weight_orig"] = draw(width, width, 3, 3)
        for part in (1, 2):
            strength = draw(1, width, 1, 1) * (0.3 if trained is None or step < trained else 0)
            state[f"{block}noise{part}.weight_orig"] = strength
            state[f"{block}adain{part}.style.linear.bias"] = torch.cat([torch.ones(width), torch.zeros(width)])
            state[f"{block}adain{part}.style.linear.weight_orig"] = draw(2 * width, dim)
        state[f"generator.to_rgb.{step}.conv.bias"] = draw(3) * 0.1
        state[f"generator.to_rgb.{step}.conv.weight_orig"] = draw(3, width, 1, 1)
    return state


def lernapparat(widths: Sequence[int], dim: int = DIM) -> dict[str, Tensor]:
    """`…for_g_all.pt`."""
    draw = _drawer(len(widths) + 100)
    state = {}
    for index in range(DEPTH):
        state[f"g_mapping.dense{index}.weight"] = draw(dim, dim) * 100
        state[f"g_mapping.dense{index}.bias"] = draw(dim) * 10
    state["g_synthesis.torgb.weight"] = draw(3, widths[-1], 1, 1)
    state["g_synthesis.torgb.bias"] = draw(3) * 0.1
    for step, width in enumerate(widths):
        size, before = 4 * 2**step, widths[max(step - 1, 0)]
        block = f"g_synthesis.blocks.{size}x{size}."
        if step == 0:
            state |= {f"{block}const": draw(1, width, 4, 4), f"{block}bias": draw(width) * 0.1}
        else:
            state[f"{block}conv0_up.weight"] = draw(width, before, 3, 3)
            state[f"{block}conv0_up.bias"] = draw(width) * 0.1
            state[f"{block}conv0_up.intermediate.kernel"] = _kernel().float()[None, None]
        second = "conv" if step == 0 else "conv1"
        state |= {f"{block}{second}.weight": draw(width, width, 3, 3), f"{block}{second}.bias": draw(width) * 0.1}
        for part in (1, 2):
            state[f"{block}epi{part}.top_epi.noise.weight"] = draw(width) * 0.3
            state[f"{block}epi{part}.style_mod.lin.weight"] = draw(2 * width, dim)
            state[f"{block}epi{part}.style_mod.lin.bias"] = draw(2 * width) * 0.1
    return state


def genforce(widths: Sequence[int], dim: int = DIM) -> dict[str, Tensor]:
    """`generator_smooth` of GenForce's files."""
    theirs = {"synthesis.lod": torch.zeros(()), "truncation.w_avg": torch.linspace(-1, 1, dim)}
    state, draw = lernapparat(widths, dim), _drawer(7)
    for index in range(DEPTH):
        for part in ("weight", "bias"):
            theirs[f"mapping.dense{index}.{part}"] = state[f"g_mapping.dense{index}.{part}"]
    for step, width in enumerate(widths):
        size = 4 * 2**step
        block, first = f"g_synthesis.blocks.{size}x{size}.", f"synthesis.layer{2 * step}."
        if step == 0:
            theirs |= {f"{first}const": state[f"{block}const"], f"{first}bias": state[f"{block}bias"]}
        else:
            theirs |= {f"{first}{part}": state[f"{block}conv0_up.{part}"] for part in ("weight", "bias")}
            theirs[f"{first}blur.kernel"] = _kernel().float().repeat(width, 1, 1, 1)
        convolution = "conv" if step == 0 else "conv1"
        for part in ("weight", "bias"):
            theirs[f"synthesis.layer{2 * step + 1}.{part}"] = state[f"{block}{convolution}.{part}"]
        for number in (0, 1):
            own, end = f"synthesis.layer{2 * step + number}.", f"{block}epi{number + 1}."
            theirs[f"{own}apply_noise.noise"] = draw(1, 1, size, size)
            theirs[f"{own}apply_noise.weight"] = state[f"{end}top_epi.noise.weight"]
            theirs[f"{own}style.weight"] = state[f"{end}style_mod.lin.weight"]
            theirs[f"{own}style.bias"] = state[f"{end}style_mod.lin.bias"]
        theirs[f"synthesis.output{step}.weight"] = draw(3, width, 1, 1)
        theirs[f"synthesis.output{step}.bias"] = draw(3) * 0.1
    return theirs


def interfacegan(widths: Sequence[int], dim: int = DIM) -> dict[str, Tensor]:
    """What the code of the InterFaceGAN repository saves: GenForce's tensors under its older names."""
    theirs = {"truncation.truncation": torch.ones(1, 2 * len(widths), 1)}
    for name, tensor in genforce(widths, dim).items():
        index = int("".join(filter(str.isdigit, name)) or 0)
        if name.startswith("mapping."):
            name = name.replace(".weight", ".linear.weight").replace(".bias", ".wscale.bias")
        elif ".output" in name:
            name = name.replace(".weight", ".conv.weight")
        elif tensor.ndim == 4 and name.endswith(".weight"):
            fused = index >= 10 and index % 2 == 0  # 128 px and on
            name, tensor = (name, tensor.permute(2, 3, 1, 0)) if fused else (name.replace(".w", ".conv.w"), tensor)
        elif ".blur." not in name and ".layer" in name:
            start, _, rest = name.partition(f"layer{index}.")
            rest = {"style.weight": "style_mod.dense.linear.weight", "style.bias": "style_mod.dense.wscale.bias"}.get(
                rest, rest
            )
            name = f"{start}layer0.first_layer" if rest == "const" else f"{start}layer{index}.epilogue.{rest}"
        theirs[name] = tensor
    return theirs


def draw_rosinality(state: dict[str, Tensor], codes: Tensor, noises: Sequence[Tensor | None], steps: int) -> Tensor:
    """Codes [n, L, D] → pictures; noises: one for each size."""
    state = {name: tensor.double() for name, tensor in state.items()}
    codes, x = codes.double(), state["generator.progression.0.conv1.input"].expand(len(codes), -1, -1, -1)
    for step in range(steps):
        block = f"generator.progression.{step}."
        if f"{block}conv1.0.weight" in state:
            weight = state[f"{block}conv1.0.weight"].transpose(0, 1)
            x = _enlarged(x, weight * math.sqrt(2 / (9 * weight.shape[1]))) / 4
            x = _blurred(x + state[f"{block}conv1.0.bias"][:, None, None])
        elif step:
            x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
            x = _convolved(x, state[f"{block}conv1.1.conv.weight_orig"])
            x = _blurred(x + state[f"{block}conv1.1.conv.bias"][:, None, None])
        for part in (1, 2):
            if part == 2:
                x = _convolved(x, state[f"{block}conv2.conv.weight_orig"])
                x = x + state[f"{block}conv2.conv.bias"][:, None, None]
            strength = state[f"{block}noise{part}.weight_orig"] * math.sqrt(2 / x.shape[1])
            x = x if noises[step] is None else x + strength * noises[step].double()
            x = _normalized(F.leaky_relu(x, 0.2), 1e-5)
            style = f"{block}adain{part}.style.linear."
            y = codes[:, 2 * step + part - 1] @ state[f"{style}weight_orig"].T * math.sqrt(2 / codes.shape[2])
            gain, shift = (y + state[f"{style}bias"])[:, :, None, None].chunk(2, 1)
            x = gain * x + shift
    colours = f"generator.to_rgb.{steps - 1}.conv."
    weight = state[f"{colours}weight_orig"]
    return F.conv2d(x, weight * math.sqrt(2 / weight.shape[1])) + state[f"{colours}bias"][:, None, None]


def draw_lernapparat(
    state: dict[str, Tensor], codes: Tensor, noises: Sequence[Tensor | None], epsilon: float = 1e-5
) -> Tensor:
    """Codes [n, L, D] → pictures; noises: one for each layer."""
    state, codes = {name: tensor.double() for name, tensor in state.items()}, codes.double()
    x = state["g_synthesis.blocks.4x4.const"].expand(len(codes), -1, -1, -1)
    for layer in range(codes.shape[1]):
        size = 4 * 2 ** (layer // 2)
        block, part = f"g_synthesis.blocks.{size}x{size}.", layer % 2 + 1
        own = block + {0: "", 1: "conv."}.get(layer, f"conv{layer % 2}{'' if layer % 2 else '_up'}.")
        if layer:
            weight = state[f"{own}weight"]
            weight = weight * math.sqrt(2 / (9 * weight.shape[1]))
        if layer and layer % 2:
            x = F.conv2d(x, weight, padding=1)
        elif layer and size >= 128:
            x = _blurred(_enlarged(x, weight))
        elif layer:
            x = _blurred(F.conv2d(x.repeat_interleave(2, 2).repeat_interleave(2, 3), weight, padding=1))
        x = x + state[f"{own}bias"][:, None, None]
        if noises[layer] is not None:
            x = x + state[f"{block}epi{part}.top_epi.noise.weight"][:, None, None] * noises[layer].double()
        x = _normalized(F.leaky_relu(x, 0.2), epsilon)
        style = f"{block}epi{part}.style_mod.lin."
        y = codes[:, layer] @ state[f"{style}weight"].T / math.sqrt(codes.shape[2]) + state[f"{style}bias"]
        gain, shift = y[:, :, None, None].chunk(2, 1)
        x = x * (gain + 1) + shift
    weight = state["g_synthesis.torgb.weight"]
    return F.conv2d(x, weight / math.sqrt(weight.shape[1])) + state["g_synthesis.torgb.bias"][:, None, None]


def map_rosinality(state: dict[str, Tensor], z: Tensor) -> Tensor:
    """z [n, D] → w."""
    x = z.double() / (z.double().square().mean(1, keepdim=True) + 1e-8).sqrt()
    for index in range(DEPTH):
        weight = state[f"style.{2 * index + 1}.linear.weight_orig"].double() * math.sqrt(2 / z.shape[1])
        x = F.leaky_relu(x @ weight.T + state[f"style.{2 * index + 1}.linear.bias"], 0.2)
    return x


def map_lernapparat(state: dict[str, Tensor], z: Tensor) -> Tensor:
    """z [n, D] → w; a hundredth of weights and biases is used."""
    x = z.double() / (z.double().square().mean(1, keepdim=True) + 1e-8).sqrt()
    for index in range(DEPTH):
        weight = state[f"g_mapping.dense{index}.weight"].double() * math.sqrt(2 / z.shape[1]) / 100
        x = F.leaky_relu(x @ weight.T + state[f"g_mapping.dense{index}.bias"].double() / 100, 0.2)
    return x


def _enlarged(x: Tensor, weight: Tensor) -> Tensor:
    """x with zeros between its pixels, spread by a kernel [outputs, inputs, 3, 3] at four neighbouring places."""
    height, width = x.shape[2:]
    apart = x.new_zeros(*x.shape[:2], 2 * height - 1, 2 * width - 1)
    apart[:, :, ::2, ::2] = x
    once = F.conv2d(F.pad(apart, [2, 2, 2, 2]), weight.flip(2, 3))
    total = sum(F.pad(once, [across, 1 - across, down, 1 - down]) for across in (0, 1) for down in (0, 1))
    return total[:, :, 1:-1, 1:-1]


def _convolved(x: Tensor, weight: Tensor) -> Tensor:
    return F.conv2d(x, weight * math.sqrt(2 / (9 * weight.shape[1])), padding=1)


def _blurred(x: Tensor) -> Tensor:
    return F.conv2d(x, _kernel().expand(x.shape[1], 1, 3, 3), padding=1, groups=x.shape[1])


def _kernel() -> Tensor:
    return torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]], dtype=torch.float64) / 16


def _normalized(x: Tensor, epsilon: float) -> Tensor:
    x = x - x.mean((2, 3), keepdim=True)
    return x / (x.square().mean((2, 3), keepdim=True) + epsilon).sqrt()


def _drawer(seed: int) -> Callable[..., Tensor]:
    source = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.randn(*shape, generator=source)
