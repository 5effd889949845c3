"""Records what the reference implementations give, into `tests/data`. Run by hand; the tests read what it wrote.

    python tests/record_references.py ENCODER4EDITING STYLEGAN2_ADA

Both arguments are checkouts: omertov/encoder4editing and NVlabs/stylegan2-ada-pytorch. The pictures of 512 and
1024 px are kept as every eighth pixel and the middle 48 x 48.
"""

import json
import math
import sys
import types
from argparse import Namespace
from pathlib import Path

import torch
import torch.nn.functional as F
from recipes import DATA, filled, state_dict
from safetensors.torch import save_file
from torch import Tensor, nn

SIZES = (512, 1024)


def main(encoder4editing: str, stylegan2_ada: str) -> None:
    for size in SIZES:
        record_e4e(Path(encoder4editing), size)
        record_ada(Path(stylegan2_ada), size)


@torch.inference_mode()
def record_e4e(checkout: Path, size: int) -> None:
    """`e4e_{size}`: encoder and rosinality's generator, with the layout of `e4e_ffhq_encode.pt`."""
    sys.path.insert(0, str(checkout))
    _replace_compiled_operations()
    from models.encoders.psp_encoders import Encoder4Editing
    from models.stylegan2.model import Generator

    name, layers = f"e4e_{size}", 2 * int(math.log2(size)) - 2
    encoder = Encoder4Editing(50, "ir_se", Namespace(stylegan_size=size)).eval()
    decoder = Generator(size, 512, 8).eval()
    parts = {"encoder.": encoder, "decoder.": decoder}
    published = {prefix + key: t for prefix, part in parts.items() for key, t in part.state_dict().items()}
    state = _write_recipe(name, published, seed=size)
    for prefix, part in parts.items():
        part.load_state_dict({k.removeprefix(prefix): t for k, t in state.items() if k.startswith(prefix)})
    image = inputs(name, "input", [1, 3, 256, 256]).clamp(-1, 1)
    average = inputs(name, "latent_avg", [layers, 512]) * 0.3
    codes = encoder(image)
    picture, _ = decoder([codes + average], input_is_latent=True, randomize_noise=False)
    z = inputs(name, "z", [2, 512])
    cases = {"encoder_codes": codes, "mapped_w": decoder.style(z), **_kept("image", picture)}
    save_file({key: t.contiguous() for key, t in cases.items()}, DATA / name / "cases.safetensors")
    print(name, "codes", codes.std().item(), "picture", picture.std().item())


@torch.inference_mode()
def record_ada(checkout: Path, size: int) -> None:
    """`stylegan2_ada_{size}`: NVIDIA's generator."""
    sys.path.insert(0, str(checkout))
    from training.networks import Generator

    name, layers = f"stylegan2_ada_{size}", 2 * int(math.log2(size)) - 2
    generator = Generator(
        z_dim=512,
        c_dim=0,
        w_dim=512,
        img_resolution=size,
        img_channels=3,
        mapping_kwargs={"num_layers": 8},
        synthesis_kwargs={"channel_base": 32768, "channel_max": 512},
    ).eval()
    generator.load_state_dict(_write_recipe(name, generator.state_dict(), seed=size + 1))
    z, codes = inputs(name, "z", [2, 512]), inputs(name, "w_plus", [1, layers, 512])
    cases = {"ws": generator.mapping(z, None), "ws_psi07": generator.mapping(z, None, truncation_psi=0.7)}
    for noise in ("const", "none"):
        picture = generator.synthesis(codes, noise_mode=noise, force_fp32=True)
        cases |= _kept(f"image_{noise}", picture)
    save_file({key: t.contiguous() for key, t in cases.items()}, DATA / name / "cases.safetensors")
    print(name, "picture", picture.std().item())


def inputs(name: str, key: str, shape: list[int]) -> Tensor:
    """A case's input; made by rule, so that it need not be kept."""
    return filled(f"{name}/{key}", 0, shape, 1.0)


def kept(picture: Tensor) -> dict[str, Tensor]:
    """What is kept of a picture [1, 3, S, S]."""
    middle = picture.shape[-1] // 2
    part = slice(middle - 24, middle + 24)
    return {"eighth": picture[:, :, ::8, ::8], "middle": picture[:, :, part, part]}


def _kept(key: str, picture: Tensor) -> dict[str, Tensor]:
    return {f"{key}_{part}": tensor.clone() for part, tensor in kept(picture).items()}


def _write_recipe(name: str, published: dict[str, Tensor], seed: int) -> dict[str, Tensor]:
    folder = DATA / name
    folder.mkdir(exist_ok=True)
    small = {
        k: t.clone()
        for k, t in published.items()
        if k.endswith((".kernel", "resample_filter", "num_batches_tracked"))
    }
    rules = {k: _rule(k, t) for k, t in published.items() if k not in small}
    recipe = {"seed": seed, "order": list(published), "filled": rules}
    (folder / "recipe.json").write_text(json.dumps(recipe, separators=(",", ":")) + "\n")
    save_file(small, folder / "small.safetensors")
    return state_dict(name)


def _rule(key: str, tensor: Tensor) -> dict[str, object]:
    """Numbers under which activations neither vanish nor explode, and every tensor matters."""
    shape, last = list(tensor.shape), key.rsplit(".", 1)[-1]
    std, mean = 0.1, 0.0
    if last == "running_var" or (last == "weight" and tensor.ndim == 1):
        std, mean = 0.05, 0.25 if ".res_layer.2" in key or key.endswith("input_layer.2.weight") else 1.0
    elif ("noise" in key and tensor.ndim >= 2 and "weight" not in last) or last in ("input", "const"):
        std = 1.0
    elif ("style." in key and last == "weight") or ("mapping.fc" in key and last == "weight"):
        std = 100.0  # scaled by the mapping network's rate at run time
    elif "modulation.bias" in key or "affine.bias" in key:
        mean = 1.0
    elif tensor.ndim >= 2 and key.startswith("encoder.") and ".linear." not in key:
        std = 1 / math.sqrt(tensor[0].numel())
    elif tensor.ndim >= 2:
        std = 1.0
    return {"shape": shape, "std": std, "mean": mean}


def _replace_compiled_operations() -> None:
    """rosinality's three compiled operations, in plain PyTorch."""

    def fused_leaky_relu(x: Tensor, bias: Tensor, slope: float = 0.2, scale: float = 2**0.5) -> Tensor:
        return F.leaky_relu(x + bias.view(1, -1, *[1] * (x.ndim - 2)), slope) * scale

    class FusedLeakyReLU(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            self.bias = nn.Parameter(torch.zeros(channels))

        def forward(self, x: Tensor) -> Tensor:
            return fused_leaky_relu(x, self.bias)

    def upfirdn2d(x: Tensor, kernel: Tensor, up: int = 1, down: int = 1, pad: tuple[int, int] = (0, 0)) -> Tensor:
        n, c, h, w = x.shape
        spread = x.new_zeros(n, c, h * up, w * up)
        spread[:, :, ::up, ::up] = x
        padded = F.pad(spread, (pad[0], pad[1], pad[0], pad[1]))
        return F.conv2d(padded, kernel.flip(0, 1).expand(c, 1, -1, -1), groups=c)[:, :, ::down, ::down]

    module = types.ModuleType("models.stylegan2.op")
    module.fused_leaky_relu, module.FusedLeakyReLU, module.upfirdn2d = fused_leaky_relu, FusedLeakyReLU, upfirdn2d
    sys.modules["models.stylegan2.op"] = module


if __name__ == "__main__":
    main(*sys.argv[1:])
