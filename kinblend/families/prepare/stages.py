"""The stages: each takes the pictures of a chunk that the stages before it left, and says what became of each."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.errors import FaceCutOffError, FaceError, ImageError
from kinblend.face_interfaces import Detection
from kinblend.families.prepare.cache import Record, StageCache, StageResult, reject
from kinblend.families.prepare.options import PrepareOptions
from kinblend.families.prepare.quality_filter import check_quality

if TYPE_CHECKING:
    from PIL.Image import Image

# To be raised where a stage gives other results than before for the same picture and options.
VERSIONS = {"detect": 3, "upscale": 1, "align": 3, "encode": 1}


@dataclass
class Work:
    """One picture on its way. records: what the stages before made of it, by stage. files: theirs, by suffix."""

    sha: str
    picture: Path
    records: dict[str, Record] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """A step of the pipeline and where its results are kept."""

    name: str
    run: Callable[[Sequence[Work], PrepareOptions], list[StageResult]]
    cache: StageCache
    suffixes: tuple[str, ...] = ()


def stages(root: Path, options: PrepareOptions) -> list[Stage]:
    """The stages under these options. Each one's cache depends on what it and the ones before it are told."""
    told: list[object] = [VERSIONS["detect"], options.min_face_px, options.max_yaw]
    pipeline = [Stage("detect", detect, StageCache.of(root, "detect", *told))]
    told += [VERSIONS["upscale"], options.upscaler, options.upscale_under]
    pipeline.append(Stage("upscale", upscale, StageCache.of(root, "upscale", *told), (".region.png",)))
    told += [VERSIONS["align"], options.sizes]
    crops = tuple(crop_suffix(size) for size in options.sizes)
    pipeline.append(Stage("align", align, StageCache.of(root, "align", *told), crops))
    if options.backbone is not None:
        from kinblend.backbone import load_backbone

        told += [VERSIONS["encode"], asdict(load_backbone(options.backbone).space)]
        pipeline.append(Stage("encode", encode, StageCache.of(root, "encode", *told), (".safetensors",)))
    return pipeline


def crop_suffix(size: int) -> str:
    """The suffix of a crop's file."""
    return f".{size}.png"


def detect(works: Sequence[Work], options: PrepareOptions) -> list[StageResult]:
    """Decode the pictures and find the one face in each, or say what is wrong with it."""
    from kinblend.faces.detect import detect_many
    from kinblend.imaging.decode import read_image

    made: dict[str, StageResult] = {}
    images: dict[str, Image] = {}
    for work in works:
        try:
            images[work.sha] = read_image(work.picture)
        except ImageError as error:
            made[work.sha] = reject("unreadable", str(error))
    for (sha, image), faces in zip(images.items(), detect_many(list(images.values())), strict=True):
        made[sha] = check_quality(image, faces, options)
    return [made[work.sha] for work in works]


def upscale(works: Sequence[Work], options: PrepareOptions) -> list[StageResult]:
    """Cut out the face's surroundings; where the face is small, enlarged."""
    from kinblend.faces.upscale import enlarge, load_upscaler

    regions = [_region(work) for work in works]
    made = [StageResult({"factor": 1}) for _ in works]
    places: dict[tuple[int, int], list[int]] = {}
    for place, work in enumerate(works):
        if options.upscaler != "off" and work.records["detect"]["side"] < options.upscale_under:
            places.setdefault(regions[place].size, []).append(place)
    for same in places.values():
        pictures = enlarge([regions[place] for place in same], options.upscaler)
        for place, picture in zip(same, pictures, strict=True):
            factor = load_upscaler(options.upscaler).factor
            made[place] = StageResult({"factor": factor}, {".region.png": png(picture)})
    return made


def _region(work: Work) -> Image:
    from kinblend.imaging.decode import read_image

    return read_image(work.picture).crop(tuple(work.records["detect"]["region"]))


def align(works: Sequence[Work], options: PrepareOptions) -> list[StageResult]:
    """Landmarks, pose, and crops in FFHQ geometry."""
    return [_align_or_lose(work, options) for work in works]


def _align_or_lose(work: Work, options: PrepareOptions) -> StageResult:
    try:
        return _align(work, options)
    except FaceCutOffError as error:
        return reject("cut off", str(error))
    except FaceError as error:
        return reject("not aligned", str(error))


def _align(work: Work, options: PrepareOptions) -> StageResult:
    import numpy as np

    from kinblend.faces.alignment import align_many
    from kinblend.faces.landmarks import landmarker, predict, upright_view
    from kinblend.faces.quality import beyond_edge, check_whole, count_outside, measure_quality
    from kinblend.imaging.decode import read_image

    found, factor = work.records["detect"], work.records["upscale"]["factor"]
    image = read_image(work.files[".region.png"]) if factor > 1 else _region(work)
    corner = np.array(found["region"][:2], dtype=np.float64)
    five = (np.array(found["points"]) - corner + 0.5) * factor - 0.5
    box = (np.array(found["box"]) - np.tile(corner, 2)) * factor
    seen, upright = upright_view(image, Detection(tuple(box.tolist()), 1.0, five))
    own = landmarker().predict_by_own_detector(seen.image, upright)
    # Five points tell too little of a tilt: for the pose, 68 are looked for where the detector saw the face.
    points = seen.back(predict(seen.image, upright) if own is None else own)
    chosen = five if own is None else points
    whole = (points + 0.5) / factor - 0.5 + corner
    check_whole(whole, found["box"], tuple(found["picture"]))
    quality = measure_quality(image, points)
    quality = replace(
        quality,
        size=quality.size / factor,
        enlarged=float(factor),
        outside=count_outside(whole, tuple(found["picture"])),
        beyond=beyond_edge(whole, tuple(found["picture"])),
    )
    cut = align_many(image, chosen, options.sizes)
    crops = {crop_suffix(size): png(crop) for size, crop in zip(options.sizes, cut, strict=True)}
    pose = {name: round(float(getattr(quality, name)), 2) for name in ("yaw", "pitch", "roll")}
    by = "detector" if own is None else "landmarker"
    record = {"by": by, "landmarks": np.round(chosen, 3).tolist(), "face_quality": quality.record(), **pose}
    return StageResult(record, crops)


def encode(works: Sequence[Work], options: PrepareOptions) -> list[StageResult]:
    """Latents and identities of the crops."""
    import numpy as np
    from safetensors.torch import save

    from kinblend.faces.alignment import face_square
    from kinblend.identity import embed_faces
    from kinblend.imaging.decode import read_image
    from kinblend.types import AlignedFace

    if not works:
        return []
    size = options.encoded_size
    faces = []
    for work in works:
        crop = read_image(work.files[crop_suffix(size)])
        points = np.array(work.records["align"]["landmarks"])
        within = face_square(points).into_crop(points, size) if len(points) == 68 else None
        faces.append(AlignedFace(crop, within))
    latents = _backbone(str(options.backbone)).encode(faces)
    identities = embed_faces([face.image for face in faces])
    pairs = zip(latents, identities, strict=True)
    return [
        StageResult({}, {".safetensors": save({"code": latent.code.clone(), "embedding": identity.clone()})})
        for latent, identity in pairs
    ]


_backbones: dict[str, Any] = {}


def _backbone(name: str) -> Any:
    from kinblend.backbone import load_backbone

    if name not in _backbones:
        _backbones[name] = load_backbone(name)
    return _backbones[name]


def png(image: Image) -> bytes:
    """A picture as PNG, without any metadata."""
    data = io.BytesIO()
    image.save(data, "PNG")
    return data.getvalue()
