"""What is kept of a client: photographs that were looked at, and what was made of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from kinblend.pipeline import Parent, Result, UnrenderedChild
from kinblend.web.jobs import Job
from kinblend.web.schemas import ChildrenRequest, PartnerRequest

if TYPE_CHECKING:
    from PIL.Image import Image

    from kinblend.family_tree import FamilyTree
    from kinblend.pipeline.partner import Partner
    from kinblend.types import Latent

BLENDS = 2  # children between blend and edit, kept so that a slider needs no second blend

Status = Literal["queued", "running", "done", "failed"]


@dataclass(frozen=True)
class FaceCandidate:
    """A face of a photograph with several. box: left, top, right, bottom, as shares of width and height."""

    box: tuple[float, float, float, float]
    picture: bytes  # JPEG


@dataclass
class Photo:
    """A photograph. data: the file, kept only where a face must be chosen. faces: where there are several.

    parent: once it is clear who is meant. crop: the parent's face as JPEG. neutral_latent: theirs with a neutral
    expression. upscaler: which enlarges a small face. blends: recent children of this father, by all that made them.
    """

    name: str
    data: bytes | None = None
    faces: Sequence[FaceCandidate] = ()
    face: int | None = None
    upscaler: str | None = None
    parent: Parent | None = None
    crop: bytes = b""
    neutral_latent: Latent | None = None
    blends: dict[str, UnrenderedChild] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes held, about."""
        latents = [child.latent for child in self.blends.values()] + (
            [self.neutral_latent] if self.neutral_latent else []
        )
        files = [self.data or b"", self.crop, *(face.picture for face in self.faces)]
        known = 0
        if self.parent:
            latents.append(self.parent.latent)
            known = _pixels(self.parent.crop)
        return _latents_size(latents) + known + sum(map(len, files))

    def on_evict(self) -> None:
        """Nothing more is needed: it is the last that held what it holds."""

    def remember(self, key: str, child: UnrenderedChild) -> None:
        """Keep a blend, the oldest giving way."""
        while len(self.blends) >= BLENDS:
            del self.blends[next(iter(self.blends))]
        self.blends[key] = child


@dataclass
class Order:
    """What a client asked for, and how far it has come. Belongs to the event loop; the engine's thread only calls
    `update` through it.

    changed: set, and made anew, whenever anything changes. listeners: how many wait for that.
    """

    name: str
    _: KW_ONLY
    job: Job[dict[str, Any]] | None = None
    status: Status = "queued"
    stage: str | None = None
    problem: Mapping[str, Any] | None = None
    listeners: int = 0
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def size(self) -> int:
        """Bytes held, about."""
        return 0

    @property
    def is_finished(self) -> bool:
        """Whether nothing more will come."""
        return self.status in ("done", "failed")

    def update(self, **changes: Any) -> None:
        """Change it, and wake those who wait for that."""
        for name, value in changes.items():
            setattr(self, name, value)
        self.changed.set()
        self.changed = asyncio.Event()

    def on_evict(self) -> None:
        """End the work on it."""
        if self.job is not None:
            self.job.cancel()


@dataclass
class Family(Order):
    """Children of a couple.

    pictures: the children as JPEG. morphs, ages: strips by the number of the child, once they were asked for.
    """

    order: ChildrenRequest
    father: Photo
    mother: Photo
    _: KW_ONLY
    result: Result | None = None
    pictures: Sequence[bytes] = ()
    morphs: dict[int, bytes] = field(default_factory=dict)
    ages: dict[int, bytes] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """Bytes held, about."""
        children = [] if self.result is None else list(self.result.children)
        pixels = sum(_pixels(child.image) for child in children)
        files = sum(map(len, [*self.pictures, *self.morphs.values(), *self.ages.values()]))
        maps = sum(child.weight_map.values.nbytes for child in children if child.weight_map)
        return _latents_size([child.latent for child in children]) + maps + pixels + files


@dataclass
class PartnerOrder(Order):
    """The other parent of a child. picture: as JPEG."""

    request: PartnerRequest
    child: Photo
    parent: Photo
    _: KW_ONLY
    made: Partner | None = None
    picture: bytes = b""

    @property
    def size(self) -> int:
        """Bytes held, about."""
        return _latents_size([self.made.latent]) + _pixels(self.made.picture) + len(self.picture) if self.made else 0


@dataclass(frozen=True)
class PersonMade:
    """A predicted person of a tree. age, sex: that were asked for. small, picture: as JPEG for screens, as PNG."""

    age: float | None
    sex: Literal["girl", "boy"] | None
    small: bytes
    picture: bytes


@dataclass
class TreeOrder(Order):
    """A family tree.

    photos: of the photographed people, by name. done, total: how many people are made, and of how many. made: the
    predicted people. small, drawing: all of them as a JPEG for screens and as a PNG. warnings: what may not be as it
    was meant.
    """

    tree: FamilyTree
    photos: Mapping[str, Photo]
    _: KW_ONLY
    done: int = 0
    total: int = 0
    made: Mapping[str, PersonMade] = field(default_factory=dict)
    small: bytes = b""
    drawing: bytes = b""
    warnings: Sequence[str] = ()

    @property
    def size(self) -> int:
        """Bytes held, about; photographs count as such."""
        people = sum(len(one.small) + len(one.picture) for one in self.made.values())
        return people + len(self.small) + len(self.drawing)


def _latents_size(latents: Sequence[Latent]) -> int:
    """Bytes of their tensors; one that several share counts once."""
    tensors = [tensor for latent in latents for tensor in (latent.code, *latent.detail.values())]
    return sum({id(tensor): tensor.nbytes for tensor in tensors}.values())


def _pixels(picture: Image) -> int:
    return picture.width * picture.height * 4  # Pillow has RGB in four bytes
