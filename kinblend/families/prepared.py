"""What `kinblend prepare` has encoded already: training reads its shards, and encodes nothing twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.errors import KinblendError, UsageError
from kinblend.families.prepare.folder import MARK
from kinblend.storage.packs import is_encoders

if TYPE_CHECKING:
    from torch import Tensor

    from kinblend.backbone import Backbone

TENSORS = ("code", "embedding")


def describe_encoding(backbone: Backbone, identity: str) -> dict[str, Any]:
    """What codes and embeddings depend on beside the picture: a shard's header has it.

    The latent space, the encoder, its options with their defaults (a version with other defaults gives other codes),
    the SHA-256 of its files in the pack, and the identity network's name.

    Raises `UsageError` where the encoder is to tune the generator: of that nothing is kept.
    """
    from kinblend.inversion_options import TuningOptions
    from kinblend.plugins import load_plugins

    if isinstance(backbone.encoder.options, TuningOptions) and backbone.encoder.options.tune:
        raise UsageError(
            "a set of families keeps codes alone, and tuning changes no code: leave out the encoder's option tune"
        )

    files, encoder = backbone.pack.description["files"], backbone.encoder
    spec = load_plugins()["encoder"].get(encoder.name)
    own = encoder.name == backbone.pack.description["encoder"]
    read = [file for file in sorted(files) if (own and is_encoders(file)) or file in (spec.weights, *spec.reads)]
    return {
        "sha256": backbone.space.sha256,
        "encoder": encoder.name,
        "encoder_options": encoder.options.model_dump_json(exclude={"tune"}),
        "encoder_files": "".join(files[name]["sha256"] for name in read),
        "identity": identity,
    }


def prepared_folder(picture: Path) -> Path | None:
    """The folder that `prepare` wrote and in whose `crops` a picture lies; None for any other picture."""
    for folder in picture.parents:
        if folder.name == "crops" and (folder.parent / MARK).is_file():
            return folder.parent
    return None


def read_latents(pictures: Iterable[Path], encoding: Mapping[str, Any]) -> dict[Path, dict[str, Tensor]]:
    """Codes [L, D] and embeddings [E] of the crops that `prepare` encoded in just this way; others are left out.

    encoding: as `describe_encoding` gives it.
    """
    by_folder: dict[Path, list[Path]] = {}
    for picture in pictures:
        folder = prepared_folder(picture)
        if folder is not None:
            by_folder.setdefault(folder, []).append(picture)
    found: dict[Path, dict[str, Tensor]] = {}
    for folder, crops in by_folder.items():
        known = _read_folder(folder, encoding)
        found |= {crop: known[place] for crop in crops if (place := str(crop.relative_to(folder))) in known}
    return found


def _read_folder(folder: Path, encoding: Mapping[str, Any]) -> dict[str, dict[str, Tensor]]:
    """By the crop's place in the folder. A damaged or older folder has none: its crops are encoded anew."""
    from kinblend.storage.checksummed import read_checksummed
    from kinblend.storage.tables import read_table

    found: dict[str, dict[str, Tensor]] = {}
    try:
        rows = [row for _, row in read_table(folder / "index.csv").rows if row.get("shard")]
        shards = {shard: read_checksummed(folder / shard, "latents") for shard in {str(row["shard"]) for row in rows}}
        for row in rows:
            tensors, header = shards[str(row["shard"])]
            if header.get("encoding") == encoding:
                found[str(row["crop"])] = {name: tensors[name][int(row["row"])] for name in TENSORS}
    except (KinblendError, OSError, KeyError, TypeError, ValueError, IndexError):
        return {}
    return found
