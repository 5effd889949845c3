"""What `kinblend prepare` leaves behind. The same pictures and options give the same bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from kinblend.faces.flat_pose import flat_pose
from kinblend.faces.quality import SURE
from kinblend.families.kinship_json import kinship_json
from kinblend.families.model import KinshipSet
from kinblend.families.prepare.cache import Record
from kinblend.families.prepare.folder import claim, sweep, write_mark
from kinblend.families.prepare.options import PrepareOptions
from kinblend.families.prepare.sheet import sheet_names, write_sheets
from kinblend.families.prepare.stages import Work, crop_suffix
from kinblend.files import atomic_write
from kinblend.storage.checksummed import write_checksummed
from kinblend.storage.tables import Kind, write_table

SHARD = 1024  # latents in a file
COLUMNS: dict[str, Kind] = {
    "picture": str,
    "sha256": str,
    "crop": str,
    "yaw": float,
    "pitch": float,
    "roll": float,
    "flat_yaw": float,
    "flat_pitch": float,
    "flat_roll": float,
    "face": float,
    "true_size": float,
    "upscaled": int,
    "landmarks": str,
    "sharpness": float,
    "covered": str,
    "warnings": str,
    "shard": str,
    "row": int,
}


@dataclass(frozen=True)
class Kept:
    """A picture that went through."""

    picture: Path
    work: Work


@dataclass(frozen=True)
class Rejected:
    """A picture that did not: at which stage, and why."""

    picture: Path
    stage: str
    kind: str
    reason: str


def write_outputs(
    out: Path, found: KinshipSet, options: PrepareOptions, kept: Sequence[Kept], rejected: Sequence[Rejected]
) -> None:
    """Write the folder, and remove what an earlier run made in it that is not part of this one.

    Raises `OutputError` before anything is written where a file is there already that no run made.
    """
    names = {one.picture: _name(one.picture, found.root) for one in kept}
    planned = _planned(options, names, len(rejected))
    before = claim(out, planned)
    for one in kept:
        for size in options.sizes:
            crop = one.work.files[crop_suffix(size)].read_bytes()
            atomic_write(out / "crops" / str(size) / names[one.picture], crop)
    places = _write_latents(out, options, kept, names)
    rows = [_row(one, names[one.picture], options.encoded_size, places) for one in kept]
    write_table(out / "index.csv", COLUMNS, rows)
    reports = [{key: str(value) for key, value in asdict(one).items()} for one in rejected]
    write_table(out / "rejected.csv", dict.fromkeys(("picture", "stage", "kind", "reason"), str), reports)
    write_sheets(out, [(one.picture, f"{one.kind}: {one.picture.name}") for one in rejected])
    crops = {picture: out / "crops" / str(options.encoded_size) / name for picture, name in names.items()}
    atomic_write(out / "families.json", kinship_json(_with_crops(found, crops, out), out).encode())
    sweep(out, before - planned, planned)
    losses = Counter(f"{one.stage}: {one.kind}" for one in rejected)
    summary = {"options": asdict(options), "kept": len(kept), "rejected": dict(sorted(losses.items()))}
    write_mark(out, summary, planned)


def _planned(options: PrepareOptions, names: dict[Path, str], rejected: int) -> set[str]:
    """All files to be written but the marker, relative to the folder."""
    crops = {f"crops/{size}/{name}" for size in options.sizes for name in names.values()}
    shards = {_shard(start) for start in range(0, len(names), SHARD)} if options.backbone is not None else set()
    return {"index.csv", "rejected.csv", "families.json", *crops, *shards, *sheet_names(rejected)}


def _shard(start: int) -> str:
    return f"latents-{start // SHARD:05d}.safetensors"


def _name(picture: Path, root: Path) -> str:
    """The crop's path: the picture's own below the set's folder, or its name and place where it lies elsewhere."""
    inside = picture.resolve()
    base = root.resolve()
    relative = inside.relative_to(base) if inside.is_relative_to(base) else Path(*inside.parts[1:])
    return f"{relative.as_posix()}.png"


def _write_latents(
    out: Path, options: PrepareOptions, kept: Sequence[Kept], names: dict[Path, str]
) -> dict[Path, tuple[str, int]]:
    """Codes and identities in files of at most `SHARD`; returns each picture's file and row."""
    if options.backbone is None:
        return {}
    import torch

    from kinblend.backbone import load_backbone
    from kinblend.families.prepared import describe_encoding
    from kinblend.identity import load_identity
    from kinblend.tensor_files import load_file

    backbone = load_backbone(options.backbone)
    header = {"kind": "latents", "space": asdict(backbone.space)}
    header |= {"encoding": describe_encoding(backbone, load_identity().name)}
    places: dict[Path, tuple[str, int]] = {}
    for start in range(0, len(kept), SHARD):
        part, shard = kept[start : start + SHARD], _shard(start)
        loaded = [load_file(one.work.files[".safetensors"]) for one in part]
        tensors = {name: torch.stack([each[name] for each in loaded]) for name in ("code", "embedding")}
        crops = [names[one.picture] for one in part]
        write_checksummed(out / shard, tensors, header | {"crops": crops})
        places |= {one.picture: (shard, row) for row, one in enumerate(part)}
    return places


def _row(one: Kept, name: str, size: int, places: dict[Path, tuple[str, int]]) -> dict[str, object]:
    found, aligned = one.work.records["detect"], one.work.records["align"]
    shard, row = places.get(one.picture, (None, None))
    return {
        "picture": str(one.picture),
        "sha256": one.work.sha,
        "crop": f"crops/{size}/{name}",
        **{key: aligned[key] for key in ("yaw", "pitch", "roll")},
        **_flat(found["points"]),
        "face": found["side"],
        "true_size": found["true_size"],
        "upscaled": one.work.records["upscale"]["factor"],
        "landmarks": aligned["by"],
        "sharpness": aligned["face_quality"]["sharpness"],
        "covered": "; ".join(_covered(aligned["face_quality"])) or None,
        "warnings": "; ".join(aligned["face_quality"]["warnings"]) or None,
        "shard": shard,
        "row": row,
    }


def _flat(points: Sequence[Sequence[float]]) -> dict[str, float]:
    import numpy as np

    pose = flat_pose(np.array(points))
    return {f"flat_{name}": round(value, 2) for name, value in asdict(pose).items()}


def _covered(quality: Record) -> list[str]:
    return [part for part, sure in quality["occlusion"].items() if sure >= SURE]


def _with_crops(found: KinshipSet, crops: dict[Path, Path], out: Path) -> KinshipSet:
    """The same families with their crops in place of the pictures; people who have none left stay."""
    families = []
    for family in found.families:
        people = {
            name: replace(person, pictures=tuple(crops[p] for p in person.pictures if p in crops))
            for name, person in family.people.items()
        }
        families.append(replace(family, people=people))
    named = {crop: found.photograph(picture) for picture, crop in crops.items()} if found.photograph else {}
    return KinshipSet(out, tuple(families), found.defects, named.get if any(named.values()) else None, aligned=True)
