"""Hostile files through every loader, flipped bits, mutated pictures."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from zipfile import ZipFile

import torch
from fuzz.outcome import Outcome, timed
from hostile import checkpoints, networks, pickles, pictures, tables, tensors, zips
from plugin_site import read_apart
from published_checkpoints import in_nvidias_names, toy, write_nvidia
from safetensors.torch import save_file

from kinblend import Latent, LatentSpace, WeightMap, errors, load_latent, save_latent
from kinblend.backbone import load_backbone
from kinblend.errors import ImageError, KinblendError
from kinblend.imaging import decode_image
from kinblend.latents import load_weight_map, save_weight_map
from kinblend.pack_import import import_pack
from kinblend.storage.packs import add_files

MAX_SECONDS, MAX_BYTES = 10, 1e9
# What reads a file, by the kind of file. Each is an expression of `path`.
LOADERS = {
    "picture": "read_image(path)",
    "latent": "load_latent(path)",
    "weight map": "load_weight_map(path)",
    "trios": "load_trios(path)",
    "pack's tensors": "check_tensors(path)",
    "pack": "open_pack(path)",
    "checkpoint": "import_pack(path, f'{path}.packs', 'made')",
    "table": "read_table(path)",
    "CSV": "read_cells(path)",
    "zip": "read_zip(path)",
    "zip of faces": "list(read_faces(path))",
    "direction": "make_plugin('editor', 'interfacegan', CONTEXT, {'directions': {'age': path}})",
    "blender's weights": "make_plugin('blender', 'learned', CONTEXT, {'weights': path})",
    "mask": "make_plugin('blender', 'mask', CONTEXT, {'file': path}).blend(ZEROS, ZEROS, 0)",
}
IMPORTS = """
import os
import pyarrow.parquet, torch
from kinblend import Context, LatentSpace, load_latent
from kinblend.latents import load_weight_map
from kinblend.packs import open_archive
from kinblend.backbone import make_plugin
from kinblend.evaluation.face_dataset import read_faces
from kinblend.families.trios import load_trios
from kinblend.imaging import read_image
from kinblend.pack_import import import_pack
from kinblend.storage.packs import check_tensors, open_pack
from kinblend.storage.tables import read_cells, read_table
import kinblend.plugins
kinblend.plugins.load_plugins()
CONTEXT, ZEROS = Context(LatentSpace("test", 4, 512, "0" * 64)), torch.zeros(4, 512)
def read_zip(path):
    with open_archive(path) as archive:
        return [archive.read(name) for name in archive.names()]
def watch(event, given):
    if event in ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "os.fork", "socket.connect"):
        raise RuntimeError("executed: " + event)
sys.addaudithook(watch)
def load(path):
    return {expression}
"""


def artefacts(folder: Path) -> Iterator[Path]:
    """Every hostile file there is, written into `folder`."""
    written: dict[str, Callable[[Path], object]] = {}
    for name, data in checkpoints.hostile(folder / "trace").items():
        written[f"{name}.pt"] = lambda path, data=data: path.write_bytes(data)
    for name, data in pickles.HOSTILE.items():
        written[f"{name}.pkl"] = lambda path, data=data: path.write_bytes(data)
    for name, (header, data) in tensors.HEADERS.items():
        written[f"{name}.safetensors"] = lambda path, given=(header, data): tensors.written(path, *given)
    for name, make in tables.HOSTILE.items():
        written[name] = make
    for name, (make, _) in zips.HOSTILE.items():
        if name != "nothing":
            written[f"{name}.zip"] = make
    for name, xml in networks.HOSTILE.items():
        written[f"{name}.whl"] = lambda path, xml=xml: wheel(path, xml())
    for name, picture in (pictures.REFUSED | pictures.LARGE).items():
        written[f"{name}.png"] = lambda path, picture=picture: path.write_bytes(picture())
    written["postscript.jpg"] = lambda path: path.write_bytes(zips.EPS)
    for number, (name, make) in enumerate(written.items()):
        place = folder / f"{number:03d} {name}"
        make(place)
        yield place


def wheel(path: Path, xml: str) -> None:
    """A network where the importer of MobileStyleGAN looks for one."""
    with ZipFile(path, "w") as archive:
        for name in ("Mapping", "Synthesis"):
            archive.writestr(f"random_face/data/{name}Network.xml", xml)
            archive.writestr(f"random_face/data/{name}Network.bin", bytes(networks.honest().weights))


def loaders(share: float, folder: Path) -> Outcome:
    """Every hostile file through every loader: nothing is executed, and what is refused is refused by name."""
    found, most = Outcome(), [0.0, 0.0]
    paths = list(artefacts(folder))
    for number, (kind, expression) in enumerate(LOADERS.items()):
        chosen = paths[number % round(1 / share) :: round(1 / share)]
        imports = "import sys" + IMPORTS.replace("{expression}", expression)
        for path, (said, grown, seconds) in zip(chosen, read_apart(imports, ["load"], chosen), strict=True):
            error = getattr(errors, said.partition(":")[0], None)
            named = said.startswith("read ") or (error is not None and issubclass(error, KinblendError))
            line = f"{kind}, {path.name}: {said}, {seconds:.1f} s, {grown / 1e6:.0f} MB"
            found.count(named and "\n" not in said and grown < MAX_BYTES, line)
            if seconds > MAX_SECONDS:
                found.late.append(line)
            most = [max(most[0], seconds), max(most[1], grown)]
    found.count(not (folder / "trace").exists(), "something was executed")
    found.note = f"{len(paths)} files, {len(LOADERS)} loaders; most {most[0]:.1f} s, {most[1] / 1e6:.0f} MB"
    return found


def flipped_bits(share: float, folder: Path) -> Outcome:
    """One bit of a latent, a weight map or a pack is changed: it is refused."""
    space, draw, found = LatentSpace("test", 4, 8, "0" * 64), random.Random(0), Outcome()
    save_latent(folder / "latent.safetensors", Latent(torch.randn(4, 8), space))
    save_weight_map(folder / "map.safetensors", WeightMap(torch.rand(4, 8), space))
    write_nvidia(folder / "net.pkl", in_nvidias_names(toy(32, 2)))
    pack = import_pack(folder / "net.pkl", folder / "packs", "toy")
    save_file({"age": torch.randn(8, 512)}, folder / "directions.safetensors")
    pack = add_files(pack, {"directions.safetensors": folder / "directions.safetensors"})
    targets: list[tuple[Path, Callable[[], object]]] = [
        (folder / "latent.safetensors", lambda: load_latent(folder / "latent.safetensors")),
        (folder / "map.safetensors", lambda: load_weight_map(folder / "map.safetensors")),
        *((pack.folder / name, lambda: load_backbone(pack.folder)) for name in ("pack.json", *pack.files)),
    ]
    for path, load in itertools.islice(itertools.cycle(targets), round(2000 * share)):
        content = path.read_bytes()
        bit = draw.randrange(8 * len(content))
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        try:
            load()
            found.count(False, f"bit {bit} of {path.name} was not met")
        except KinblendError:
            found.count(True, "")
        finally:
            path.write_bytes(content)
    found.note = "latents, weight maps, every file of a pack"
    return found


def mutated_pictures(share: float, folder: Path) -> Outcome:
    """Damaged pictures of seven formats: read, or refused as what they are."""
    found, slowest, largest = Outcome(), 0.0, 0.0
    for data in pictures.mutations(round(10_000 * share), seed=1):
        said = ""
        with timed() as took:
            try:
                decode_image(data, "a.jpg")
            except ImageError as error:
                said = "" if str(error).startswith("a.jpg") else f"it says {error}"
            except Exception as error:
                said = f"{type(error).__name__}: {error}"
        slowest, largest = max(slowest, took[0]), max(largest, took[1])
        found.count(not said and took[1] <= 512e6, said or f"{took[1]} bytes")
        if took[0] > 2:
            found.late.append(f"a picture took {took[0]:.1f} s")
    found.note = f"most {slowest:.2f} s, {largest / 1e6:.0f} MB"
    return found
