"""NVIDIA's StyleGAN3 → a model pack. Nothing of the file is executed.

Source of the layout: NVlabs/stylegan3, `G_ema` of its `.pkl` files: `synthesis.input.*`, `synthesis.L0_36_512.*`
(index, side, channels) and on, `mapping.fc0.*` and on. A `.pkl` says how its layers are sampled; a bare state dict is
taken to be designed with NVIDIA's numbers, and refused where its filters are not those.
"""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from kinblend.checkpoints import read_contents, validate_tensors
from kinblend.errors import CheckpointError
from kinblend.packs import write_description, write_tensors
from kinblend_plugins.stylegan3.geometry import Geometry
from kinblend_plugins.stylegan3.published import ANCHOR, Published, resembles
from kinblend_plugins.stylegan3.translate import translate

SOURCE = "stylegan3"


def import_stylegan3(checkpoint: Path, out: Path, name: str) -> Path | None:
    """A generator of configuration T or R → a pack; None where there is none.

    Raises `CheckpointError` naming the tensor that is missing, unknown or of another shape, for generators with
    labels, and for a state dict of an unusual design, which only its `.pkl` tells.
    """
    contents = read_contents(checkpoint)
    if contents is None:
        return None
    which = contents.find_generator([ANCHOR])
    if which is None:
        if names := [tensor for tensor in contents.tensors if resembles(tensor)]:
            raise CheckpointError(
                f"{checkpoint} lacks synthesis.{ANCHOR}, which every StyleGAN3 has; it holds {names[0]}"
            )
        return None
    root = which[1].removesuffix("synthesis.")
    published = Published(contents.below(root), contents.settings, root)
    # Before anything is made of them: a tensor may claim any size.
    validate_tensors(checkpoint, published.tensors)
    try:
        tensors, geometry = translate(published)
    except CheckpointError as error:
        raise CheckpointError(f"{checkpoint} {error}") from error
    return _write(checkpoint, out, name, tensors, geometry)


def _write(checkpoint: Path, out: Path, name: str, tensors: dict[str, Tensor], geometry: Geometry) -> Path:
    out.mkdir(parents=True, exist_ok=True)
    write_tensors(out / "generator.safetensors", tensors, checkpoint)
    radial = any(key.endswith(".down_filter") and tensor.ndim == 2 for key, tensor in tensors.items())
    description = {
        "name": name,
        "summary": f"StyleGAN3-{'R' if radial else 'T'} at {geometry.resolution} px, imported from a checkpoint",
        "encoder": None,
        "projector": "stylegan3",
        "layers": len(geometry.layers) + 1,
        "dim": len(tensors["w_avg"]),
        "resolution": geometry.resolution,
        "generator": "generator.safetensors",
        "settings": geometry.settings(),
        "source": SOURCE,
    }
    write_description(out, description, ["generator.safetensors"])
    return out
