"""What a run gives, and the files it becomes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.errors import OutputError, UsageError
from kinblend.files import atomic_write, check_target, checked_path, write_errors
from kinblend.imaging.encode import is_picture_name, says_synthetic, write_picture
from kinblend.imaging.sheet import sheet
from kinblend.storage.latents import save_latent
from kinblend.types import Latent, WeightMap

MANIFEST, SHEET = "child.json", "sheet.png"
COLUMNS = (4, 3)  # of a sheet
_CHILD = re.compile(r"child-[0-9]+\.(png|safetensors)")

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from kinblend.faces import FaceQuality


@dataclass(frozen=True)
class Parent:
    """One parent as the run saw them: the aligned crop (RGB), its latent, the landmarks in pixels of the crop, and,
    where it was asked for, the picture that the latent alone gives.

    source: the SHA-256 of the photograph, for the manifest. face: which of its faces this is, if one was chosen.
    quality: of the face in the photograph; None for people that are known by their latent alone.
    """

    crop: Image
    latent: Latent
    landmarks: NDArray[Any] | None = None
    reconstruction: Image | None = None
    source: Mapping[str, str] = field(default_factory=dict)
    face: int | None = None
    quality: FaceQuality | None = None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What of the photograph may spoil a child, a line each."""
        return self.quality.warnings if self.quality else ()

    def __repr__(self) -> str:
        return f"<Parent of {self.crop.width} px, {self.latent.space.backbone}>"


@dataclass(frozen=True)
class UnrenderedChild:
    """A child that is not rendered yet. Fields as in `Child`."""

    latent: Latent
    weight_map: WeightMap | None
    seed: int
    clamped: float = 0.0
    offset: float = 0.0
    varied: float = 0.0

    def __repr__(self) -> str:
        return f"<UnrenderedChild of {self.latent.space.backbone}, seed {self.seed}>"

    def rendered(self, image: Image) -> Child:
        """The child with its picture."""
        return Child(image, self.latent, self.weight_map, self.seed, self.clamped, self.offset, self.varied)


@dataclass(frozen=True)
class Child:
    """One child.

    Args:
        image: its picture, RGB, uint8.
        latent: what the picture was made of.
        weight_map: where the blend is a weighted sum.
        seed: from which everything random of this child was drawn.
        clamped: how far blend and edits had led away from plausible faces before the code was brought back, root mean
            square over its dimensions; 0 where they had not.
        offset: what the strategy added to the weighted sum of both parents, root mean square over the dimensions; 0
            where the child lies between them.
        varied: how far siblings and mutation moved it from there, likewise; 0 where neither was asked for.

    Example:
        >>> import torch
        >>> from PIL import Image
        >>> from kinblend import LatentSpace
        >>> latent = Latent(torch.zeros(4, 512), LatentSpace("toy", 4, 512, "ab" * 32))
        >>> Child(Image.new("RGB", (64, 64)), latent, None, seed=1).clamped
        0.0
    """

    image: Image
    latent: Latent
    weight_map: WeightMap | None
    seed: int
    clamped: float = 0.0
    offset: float = 0.0
    varied: float = 0.0

    def __repr__(self) -> str:
        return f"<Child of {self.image.width} px, {self.latent.space.backbone}, seed {self.seed}>"


HasLatent = Latent | Parent | Child | UnrenderedChild


@dataclass(frozen=True)
class Result:
    """The children of one run, their parents, and the manifest: how they came about.

    Args:
        father, mother: the parents as the run saw them.
        children: in the order of their seeds.
        manifest: what `child.json` holds, as JSON has it.

    Example:
        >>> import torch
        >>> from PIL import Image
        >>> from kinblend import LatentSpace
        >>> picture = Image.new("RGB", (64, 64))
        >>> latent = Latent(torch.zeros(4, 512), LatentSpace("toy", 4, 512, "ab" * 32))
        >>> parent = Parent(picture, latent)
        >>> len(Result(parent, parent, [Child(picture, latent, None, 0)], {}).children)
        1
    """

    father: Parent
    mother: Parent
    children: Sequence[Child]
    manifest: dict[str, Any] = field(repr=False)

    def __repr__(self) -> str:
        return f"<Result of {len(self.children)} of {self.father.latent.space.backbone}>"

    @property
    def warnings(self) -> list[str]:
        """What will hardly be what was meant, a line each: edits beyond what was fitted, children that are all the
        same, one photograph given twice."""
        return list(self.manifest.get("warnings", []))

    def captions(self) -> list[str]:
        """A line for everyone: "Father", "Mother", "Girl, 8 years"; children are numbered where there are several."""
        asked = self.manifest.get("asked") or [{} for _ in self.children]
        return ["Father", "Mother", *describe_children(asked)]

    def sheet(self) -> Image:
        """One picture with everyone once, each with a line below: father and mother, then the children, in rows of
        three or four, whichever leaves less room empty."""
        pictures = [self.father.crop, self.mother.crop, *(child.image for child in self.children)]
        columns = min(COLUMNS, key=lambda number: -len(pictures) % number)
        return sheet(pictures, columns=columns, captions=self.captions())

    def save(self, target: str | Path, *, with_sheet: bool = False) -> list[Path]:
        """Write `child.png`, `child.safetensors` and `child.json` (`child-2.png` … for further children), and
        `sheet.png` if asked for. Returns what was written.

        What an earlier run wrote there and this one does not, such as a third child, is removed. Raises `OutputError`
        before anything is written, also where files of these names lie there that no manifest knows, and
        `WriteError` where the system writes nothing there.

        target: the folder; or a picture's name, such as `anna.jpg`, which the files are then named after, in its kind
            of picture: `anna.jpg`, `anna.safetensors`, `anna.json`, `anna-2.jpg` …, `anna-sheet.jpg`.
        """
        files = files_of(target, len(self.children), with_sheet=with_sheet)
        with write_errors(folder_of(target)):
            stale = stale_files(target, files)
            for path in (*files, *stale):
                check_target(path)
            for path in stale:
                path.unlink()
            self._write(files, with_sheet)
        return files

    def _write(self, files: Sequence[Path], with_sheet: bool) -> None:
        import torch

        count = len(self.children)
        # Each thread compresses a picture: Pillow lets go of Python's lock meanwhile.
        with ThreadPoolExecutor(min(count, torch.get_num_threads()) or 1) as threads:
            list(threads.map(_write_child, self.children, files[: 2 * count : 2], files[1 : 2 * count : 2]))
        manifest = (json.dumps(self.manifest, indent=2, sort_keys=True) + "\n").encode()
        atomic_write(files[2 * count], manifest)
        if with_sheet:
            write_picture(files[-1], self.sheet())


def _write_child(child: Child, picture: Path, latent: Path) -> None:
    write_picture(picture, child.image)
    save_latent(latent, child.latent, child.weight_map)


def latent_of(given: HasLatent) -> Latent:
    """The latent, or that of a parent or child. Raises `UsageError` for anything else."""
    found = given if isinstance(given, Latent) else getattr(given, "latent", None)
    if not isinstance(found, Latent):
        raise UsageError(
            f"a {type(given).__name__} is no latent; give a kinblend.Latent, as `Engine.encode` makes one, or a "
            "parent or child"
        )
    return found


def stale_files(folder: str | Path, files: Sequence[Path]) -> list[Path]:
    """What an earlier run left in a folder that these files do not replace: further children, a sheet.

    Raises `OutputError` where files named like a child lie there, and no manifest that says whose they are.
    """
    place = Path(folder)
    if not place.is_dir():
        return []
    kept = {path.name for path in files}
    children = [path for path in sorted(place.iterdir()) if _CHILD.fullmatch(path.name) and path.name not in kept]
    if children and not _is_manifest(place / MANIFEST):
        raise OutputError(
            f"{children[0]} is of no run that left its {MANIFEST} there; move it away, or name another folder"
        )
    sheets = [place / SHEET] if SHEET not in kept and says_synthetic(place / SHEET) else []
    return children + sheets


def _is_manifest(path: Path) -> bool:
    """Whether a file is what `Result.save` writes beside children."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and {"schema", "request", "seeds"} <= set(found)


def describe_children(asked: Sequence[Mapping[str, Any]]) -> list[str]:
    """What each child was asked to be, as the manifest has it: "Girl, 8 years"; of several with a number before."""
    several = len(asked) > 1
    return [(f"{number}: " if several else "") + _caption(one) for number, one in enumerate(asked, 1)]


def _caption(asked: Mapping[str, Any]) -> str:
    """What a child was asked to be: "Girl, 8 years"."""
    name, age = (asked.get("sex") or "child").capitalize(), asked.get("age")
    years = "" if age is None else f", {age:g} year" + ("" if age == 1 else "s")
    return name + years


def folder_of(target: str | Path) -> Path:
    """The folder that `Result.save` writes into."""
    path = Path(target)
    return path.parent if _names_picture(path) else path


def files_of(target: str | Path, children: int, *, with_sheet: bool = False) -> list[Path]:
    """Where `Result.save` writes: picture and latent of each child, the manifest, and the sheet if asked for."""
    place = checked_path(target, "a folder")
    named = _names_picture(place)
    stem, kind = (place.stem, place.suffix) if named else ("child", ".png")
    manifest, sheet_name = (f"{stem}.json", f"{stem}-sheet{kind}") if named else (MANIFEST, SHEET)
    stems = [stem, *(f"{stem}-{number}" for number in range(2, children + 1))]
    names = [f"{name}{suffix}" for name in stems for suffix in (kind, ".safetensors")]
    return [folder_of(place) / name for name in [*names, manifest, *([sheet_name] if with_sheet else [])]]


def _names_picture(path: Path) -> bool:
    return is_picture_name(path) and not path.is_dir()
