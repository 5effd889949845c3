"""Pictures of families → latents and embeddings, every picture once, resumed after an interruption."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.errors import InputError
from kinblend.families.prepared import describe_encoding, prepared_folder, read_latents
from kinblend.families.trio_list import PICTURES, TrioFiles
from kinblend.families.trios import Trios
from kinblend.files import atomic_write, file_sha256
from kinblend.workers import Workers, opened_workers

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from kinblend.pipeline import Engine
    from kinblend.types import Latent

MIN_SIDE = 256  # px; smaller pictures are enlarged to this, because the detector wants a few pixels around a face
# Of its width, on each side: kinship sets cut their small pictures close to the face, and FFHQ's alignment blurs what
# lies near a picture's edge. With the edges held out it's the edge that is blurred, and not the jaw.
EDGE_PADDING = 0.5


@dataclass(frozen=True)
class EncodeConfig:
    """How pictures are encoded: what `encode_trios` was told. suffix: of the cache's folder.

    encoder_options: all of them, as JSON. encoder_files: SHA-256 of the encoder's own files in the pack, joined.
    encoder: its name, where it is not the pack's own.
    """

    backbone: str
    identity: str
    aligned: bool
    mirrored: bool
    encoder_options: str = "{}"
    encoder_files: str = ""
    encoder: str = ""

    @property
    def suffix(self) -> str:
        marks = {"-aligned": self.aligned, "-mirrored": self.mirrored, f"-{self.identity}": self.identity != "dlib"}
        # "wide": with the edges held out, which older caches know nothing of.
        suffix = "-wide" + "".join(mark for mark, holds in marks.items() if holds)
        if self.encoder_options == "{}" and not self.encoder_files and not self.encoder:
            return suffix
        facts = self.encoder_options + self.encoder_files + self.encoder
        return f"{suffix}-{sha256(facts.encode()).hexdigest()[:12]}"


@dataclass(frozen=True)
class Rejected:
    """A picture that gave no latent, and why."""

    picture: Path
    reason: str


def encode_trios(
    trios: Sequence[TrioFiles],
    backbone: str,
    cache_folder: Path,
    workers: int | Workers = 1,
    progress: Callable[[int, int], None] | None = None,
    *,
    aligned: bool | None = None,
    mirrored: bool = False,
    identity: str | None = None,
    known: Mapping[Path, Mapping[str, str]] | None = None,
    encoder: str | None = None,
    encoder_options: Mapping[str, Any] | None = None,
) -> tuple[Trios, list[Rejected]]:
    """Codes and embeddings of all trios whose three pictures can be used.

    cache_folder: keeps the result for each picture by its content, so that a second call begins where the first was
        ended. workers: who does the work; of a number, so many processes. progress: told how many of how many
        pictures are done.
    aligned: the pictures are FFHQ crops already; they are encoded as they are. None: those that `kinblend prepare`
        made are. What it has encoded in the same way is read from its shards.
    mirrored: every picture is turned left to right first, which gives training a second look at each family.
    encoder: in the place of the pack's own. encoder_options: of the encoder. identity: the network of the embeddings.
    known: groups of each picture ("age" → "20-39"); the child's are kept as such, the parents' as "father age" and
        "mother age".
    Raises `InputError` when no trio is left.
    """
    import torch

    from kinblend.backbone import load_backbone
    from kinblend.identity import load_identity
    from kinblend.tensor_files import load_file

    loaded = load_backbone(backbone, encoder=encoder, encoder_options=encoder_options or {})
    pack = loaded.pack
    space = pack.space
    pictures = sorted({picture for trio in trios for picture in (trio.father, trio.mother, trio.child)})
    if aligned is None:
        aligned = all(prepared_folder(picture) for picture in pictures)
    identity = identity or load_identity().name
    encoding = describe_encoding(loaded, identity)
    config = EncodeConfig(
        backbone, identity, aligned, mirrored, encoding["encoder_options"], encoding["encoder_files"], encoder or ""
    )
    ready = read_latents(pictures, encoding) if aligned and not mirrored else {}
    folder = cache_folder / f"{space.backbone}-{space.sha256[:12]}{config.suffix}"
    folder.mkdir(parents=True, exist_ok=True)
    results: dict[Path, Path | str] = dict.fromkeys(ready, folder)
    jobs = [(str(picture), str(folder), config) for picture in pictures if picture not in ready]
    with opened_workers(workers, len(jobs)) as crew:
        for done, (picture, result) in enumerate(crew.run(_encode, jobs), start=1):
            results[Path(picture)] = Path(result) if result.endswith(".safetensors") else result
            if progress is not None:
                progress(done, len(jobs))
    _engine.cache_clear()
    rejected = [Rejected(picture, result) for picture, result in results.items() if isinstance(result, str)]
    kept = [t for t in trios if all(isinstance(results[p], Path) for p in (t.father, t.mother, t.child))]
    if not kept:
        raise InputError("no trio has three pictures with a usable face; see the list of what was rejected")
    kept_files = ready | {
        picture: load_file(result)
        for picture, result in results.items()
        if isinstance(result, Path) and picture not in ready
    }

    def each(what: str, role: str) -> Tensor:
        return torch.stack([kept_files[getattr(trio, role)][what] for trio in kept])

    encoded = Trios(
        **{role: each("code", role) for role in PICTURES},
        embedding=each("embedding", "child"),
        families=[trio.family for trio in kept],
        space=space,
        splits=_splits(kept),
        father_embedding=each("embedding", "father"),
        mother_embedding=each("embedding", "mother"),
        nuclear_families=[f"{trio.family}/{trio.nuclear or ''}" for trio in kept],
        children=[f"{trio.family}/{trio.child_name}" if trio.child_name else "" for trio in kept],
        groups=_groups(kept, known or {}),
        identity=identity,
    )
    return encoded, sorted(rejected, key=lambda x: x.picture)


def _groups(trios: Sequence[TrioFiles], known: Mapping[Path, Mapping[str, str]]) -> dict[str, list[str]]:
    """ "sex" and "photograph" by the list, and whatever groups are known of the pictures: of the children's, such as
    "age", and of the parents', such as "father age"."""
    names = sorted({name for groups in known.values() for name in groups})
    found = {
        role + name: [known.get(getattr(trio, role.strip() or "child"), {}).get(name, "") for trio in trios]
        for role in ("", "father ", "mother ")
        for name in names
    }
    listed = {"sex": [trio.child_gender or "" for trio in trios]}
    if any(trio.photograph for trio in trios):
        listed["photograph"] = [trio.photograph or "" for trio in trios]
    return listed | found


def _splits(trios: Sequence[TrioFiles]) -> list[str]:
    """The parts the list names, all or none."""
    return [trio.split for trio in trios if trio.split]


def _encode(job: tuple[str, str, EncodeConfig]) -> tuple[str, str]:
    """The picture, and the file of its code and embedding, or the reason why there is none."""
    picture, folder, config = job
    try:
        stem = Path(folder) / file_sha256(picture)
    except OSError as error:
        return picture, f"{picture} can't be read: {error.strerror}"
    done, refused = stem.with_suffix(".safetensors"), stem.with_suffix(".txt")
    if done.is_file():
        return picture, str(done)
    if refused.is_file():
        return picture, refused.read_text("utf-8")
    from safetensors.torch import save

    from kinblend.identity import load_identity

    try:
        crop, latent = _look(picture, config)
    except InputError as error:
        atomic_write(refused, str(error).encode())
        return picture, str(error)
    embedding = load_identity(config.identity).embed_faces([crop])[0]
    atomic_write(done, save({"code": latent.code.clone(), "embedding": embedding.clone()}))
    return picture, str(done)


def _look(picture: str, config: EncodeConfig) -> tuple[Image, Latent]:
    """The crop of the face and its latent. A small photograph is enlarged first, and its edges are held out."""
    from PIL import ImageOps

    from kinblend.imaging.decode import read_image

    image = read_image(picture)
    if config.mirrored:
        image = ImageOps.mirror(image)
    if config.aligned:
        return image, _engine(config).backbone.encode([image])[0]
    parent = _engine(config).parent(enlarge_small(image))
    return parent.crop, parent.latent


def enlarge_small(image: Image) -> Image:
    """A picture that is too small for the detector, enlarged and with its edges held out; any other as it is."""
    from PIL import Image as pil

    if min(image.size) >= MIN_SIDE:
        return image
    scale = MIN_SIDE / min(image.size)
    enlarged = image.resize((round(image.width * scale), round(image.height * scale)), pil.Resampling.BICUBIC)
    return pad_edges(enlarged)


def pad_edges(image: Image) -> Image:
    """The RGB picture with its edges continued on all sides, by EDGE_PADDING of its width."""
    import numpy as np
    from PIL import Image

    more = round(EDGE_PADDING * image.width)
    pixels = np.pad(np.asarray(image.convert("RGB")), ((more, more), (more, more), (0, 0)), mode="edge")
    return Image.fromarray(pixels)


@cache
def _engine(config: EncodeConfig) -> Engine:
    from kinblend.pipeline import Engine

    options = json.loads(config.encoder_options)
    return Engine(config.backbone, encoder=config.encoder or None, encoder_options=options)
