"""The pictures of a study, made before anybody looks at them.

What people judge is the face that a code gives. The detail that a backbone copies from a parent's photograph (hair,
surroundings) is left out, as in `kinblend.evaluation.blender`: it would tell whose child a picture shows.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from kinblend.errors import ImageError, InputError, OutputError, UsageError
from kinblend.evaluation.blender import Strategy, select_test_rows
from kinblend.files import atomic_write, file_sha256, locked
from kinblend.imaging.encode import jpeg_bytes
from kinblend.pipeline.age_and_sex import AgeAndSex, SexChoice
from kinblend.study.folder import (
    ANSWERS,
    CONSENT,
    DESCRIPTION,
    NAMING,
    PHOTOGRAPHS,
    STRATEGY_NAME,
    Couple,
    Design,
    Study,
    StudyFolder,
    picture_path,
    pictures_of,
    write_study,
)
from kinblend.types import Latent

if TYPE_CHECKING:
    from PIL.Image import Image

    from kinblend.families.trio_list import TrioFiles
    from kinblend.families.trios import Trios
    from kinblend.interfaces import Blender, Editor
    from kinblend.pipeline import Engine

SIDE = 384  # px of every picture
BLOCKS = 8  # a scrambled picture is cut into so many rows and columns
RECIPE = "recipe.txt"  # in a couple's folder: the SHA-256 of what its pictures were made from
SEXES: Mapping[str, SexChoice] = {"m": "boy", "f": "girl"}

DEFAULT_CONSENT = """\
You are asked to take part in a study of computer-made pictures of faces. It takes about ten minutes.

You see photographs of couples and pictures of children, and say which child you think is theirs. Then you say how \
alike two pictures of faces are. There are no right answers to learn, and nothing is sold to you.

Taking part is voluntary. You can stop at any time without a reason, and go on later in the same browser. You can \
have everything deleted that you have answered.

Kept are your answers, how long each took, and a random number that tells your answers from other people's. Your \
name, your address, your device's address and anything else about you are not kept. The answers may be published.

If you know one of the people in a picture, say so with the button; that answer is not used. Please do not copy or \
photograph the pictures.

By beginning you say that you are 18 years or older, that you have read this, and that you agree.
"""


@dataclass(frozen=True)
class People:
    """A couple and their true child. pictures: "father", "mother" and "child", square RGB crops. father, mother:
    latents without detail."""

    pictures: Mapping[str, Image]
    father: Latent
    mother: Latent


class Source(Protocol):
    """Where couples come from, one of each family. kind: as `Study.source` has it."""

    kind: Any

    def __len__(self) -> int:
        """How many there are."""
        ...

    def sex(self, number: int) -> str:
        """Of the child: "m", "f" or ""."""
        ...

    def key(self, number: int) -> str:
        """What changes when the people do."""
        ...

    def people(self, number: int) -> People:
        """A couple. Raises `InputError` where a picture won't do."""
        ...


@dataclass(frozen=True)
class FromPhotographs:
    """Of a list of trios: the test part where the list names parts, else all; one trio of each family, by seed.

    aligned: the pictures are FFHQ crops already; None: those that `kinblend prepare` made are.
    """

    engine: Engine
    trios: Sequence[TrioFiles]
    seed: int = 0
    aligned: bool | None = None
    kind = "photographs"
    _chosen: list[TrioFiles] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        parts = {trio.split for trio in self.trios}
        usable = [trio for trio in self.trios if parts == {None} or trio.split == "test"]
        if not usable:
            raise InputError(
                "no family is in the test part; make the list of trios with a test part, such as 70/10/20"
            )
        of_family: dict[str, list[TrioFiles]] = {}
        for trio in usable:
            of_family.setdefault(trio.family, []).append(trio)
        numbers = random.Random(self.seed)
        self._chosen.extend(numbers.choice(trios) for _, trios in sorted(of_family.items()))
        numbers.shuffle(self._chosen)

    def __len__(self) -> int:
        return len(self._chosen)

    def sex(self, number: int) -> str:
        return _known_sex(self._chosen[number].child_gender or "")

    def key(self, number: int) -> str:
        trio = self._chosen[number]
        try:
            hashes = [file_sha256(path) for path in (trio.father, trio.mother, trio.child)]
        except OSError as error:
            raise InputError(f"{error.filename} can't be read: {error.strerror or error}") from error
        return " ".join([*hashes, str(self.aligned)])

    def people(self, number: int) -> People:
        from kinblend.families.prepared import prepared_folder

        trio, faces = self._chosen[number], {}
        for role in PHOTOGRAPHS:
            path = getattr(trio, role)
            aligned = prepared_folder(path) is not None if self.aligned is None else self.aligned
            faces[role] = _crops(self.engine, path, aligned, encode=role != "child")
        father, mother = (faces[role][1] for role in ("father", "mother"))
        assert father is not None and mother is not None
        return People({role: crop for role, (crop, _) in faces.items()}, father, mother)


@dataclass(frozen=True)
class FromCodes:
    """Of encoded trios: their test part, one trio of each family. Parents and true children are rendered."""

    engine: Engine
    trios: Trios
    seed: int = 0
    kind = "codes"
    _rows: list[int] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.engine.backbone.space.require(self.trios.space, "file of trios")
        self._rows.extend(select_test_rows(self.trios, self.seed, 1))
        random.Random(self.seed).shuffle(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def sex(self, number: int) -> str:
        return _known_sex(self.trios.groups.get("sex", [""] * len(self.trios))[self._rows[number]])

    def key(self, number: int) -> str:
        codes = [getattr(self.trios, role)[self._rows[number]] for role in PHOTOGRAPHS]
        return hashlib.sha256(b"".join(code.contiguous().numpy().tobytes() for code in codes)).hexdigest()

    def people(self, number: int) -> People:
        row, space = self._rows[number], self.trios.space
        latents = {role: Latent(getattr(self.trios, role)[row].clone(), space) for role in PHOTOGRAPHS}
        pictures = dict(zip(latents, self.engine.backbone.render(list(latents.values())), strict=True))
        return People(pictures, latents["father"], latents["mother"])


def prepare_study(
    folder: Path,
    engine: Engine,
    source: Source,
    strategies: Mapping[str, Strategy],
    baseline: str,
    design: Design,
    couples: int = 40,
    age: float | None = None,
    progress: Callable[[int, int], None] | None = None,
    log: Callable[[str], None] = lambda _: None,
) -> Study:
    """Make the pictures of so many couples and write the study into a folder.

    strategies: name → strategy and options. baseline: one of the names. age: of the predicted children, in years;
    None: as the blend is. Predicted children have the true child's sex where it is known and the editor can.
    A couple whose pictures are there already, made from the same, is not made again. A picture without a face, or
    with several, leaves its couple out, and log is told so. progress: told how many of how many couples are done.
    Raises `OutputError` where people have answered another study here, `InputError` without couples enough.
    """

    def described(found: Sequence[Couple]) -> Study:
        if len(found) < 2:
            raise InputError(f"there are {len(found)} couples; a study needs more")
        for name in strategies:
            if not STRATEGY_NAME.fullmatch(name):
                raise UsageError(f"{name!r:.80} can't be a strategy's name in a study: {NAMING}")
        return Study(
            backbone=engine.backbone.name,
            source=source.kind,
            strategies=tuple(strategies),
            baseline=baseline,
            couples=tuple(found),
            design=design,
            age=age,
        ).check()

    described([_couple(source, number) for number in range(min(couples, len(source)))])  # before the work
    with locked(folder, refuse_while_busy(folder)):
        maker = _Maker(folder, engine, strategies, age)
        found: list[Couple] = []
        for number in range(len(source)):
            if len(found) == couples:
                break
            try:
                found.append(maker.make(source, number))
            except InputError as error:
                log(f"a couple is left out: {error}")
            if progress is not None:
                progress(len(found), min(couples, len(source)))
        study = described(found)
        _keep_answers(folder, study)
        if not (folder / CONSENT).exists():
            atomic_write(folder / CONSENT, DEFAULT_CONSENT.encode())
        write_study(folder, study)
        return study


class _Maker:
    """Makes the pictures of one couple after the other."""

    def __init__(self, folder: Path, engine: Engine, strategies: Mapping[str, Strategy], age: float | None) -> None:
        self.folder, self.engine, self.age = folder, engine, age
        self.blenders: list[Blender] = [engine.blender(name, options) for name, options in strategies.values()]
        self.editor: Editor = engine.editor()
        pack = engine.backbone.pack.description
        self.recipe = {
            "strategies": [[name, _hashed(options)] for name, options in strategies.values()],
            "age": age,
            "side": SIDE,
            "space": engine.backbone.space.sha256,
            "files": {name: about["sha256"] for name, about in pack["files"].items()},
        }

    def make(self, source: Source, number: int) -> Couple:
        """The pictures of couple `number`, unless they are there. Raises `InputError`."""
        couple = _couple(source, number)
        recipe = json.dumps([source.key(number), couple.sex, self.recipe], sort_keys=True)
        mark = hashlib.sha256(recipe.encode()).hexdigest()
        mark_file = picture_path(self.folder, couple.id, "father").with_name(RECIPE)
        paths = pictures_of(self.folder, couple.id, len(self.blenders))
        if mark_file.is_file() and mark_file.read_bytes() == mark.encode() and all(path.is_file() for path in paths):
            return couple
        if (self.folder / ANSWERS).exists():
            raise OutputError(
                f"people have answered with other pictures in {self.folder}; prepare into another folder"
            )
        people = source.people(number)
        mark_file.unlink(missing_ok=True)
        predicted = self._predict(people, couple.sex, number)
        photographs = [people.pictures[role] for role in PHOTOGRAPHS]
        pictures = [*photographs, scramble(predicted[0], number), *predicted]
        for place, (path, picture) in enumerate(zip(paths, pictures, strict=True)):
            is_photograph = source.kind == "photographs" and place < len(PHOTOGRAPHS)
            atomic_write(path, jpeg_bytes(_sized(picture), synthetic=not is_photograph))
        atomic_write(mark_file, mark.encode())
        return couple

    def _predict(self, people: People, sex: str, seed: int) -> list[Image]:
        """A child by every strategy, the parents' expressions made neutral first, as a run does."""
        engine, editor = self.engine, self.editor
        wanted = AgeAndSex(self.age, SEXES.get(sex), frozenset({"sex"}))
        edits = engine.child_spec(wanted, editor, {}, seed).all_edits
        father, mother = (engine.neutral(parent, editor) for parent in (people.father, people.mother))
        children = [
            replace(engine.blend(father, mother, blender, seed).latent, detail={}) for blender in self.blenders
        ]
        if edits:
            children = [engine.edit(child, editor, edits) for child in children]
        return engine.render(children, seed=seed)


def _known_sex(text: str) -> str:
    return text if text in ("m", "f") else ""


def _couple(source: Source, number: int) -> Couple:
    return Couple(id=f"c{number:03d}", sex=source.sex(number))  # type: ignore[arg-type]


def scramble(picture: Image, seed: int) -> Image:
    """The picture cut into blocks that lie in random order: its colours, and no face."""
    from PIL import Image as pil

    side = SIDE // BLOCKS
    picture = _sized(picture)
    places = [(x * side, y * side) for y in range(BLOCKS) for x in range(BLOCKS)]
    order, found = random.Random(seed).sample(places, len(places)), pil.new("RGB", picture.size)
    for (x, y), place in zip(places, order, strict=True):
        found.paste(picture.crop((x, y, x + side, y + side)), place)
    return found


def _sized(picture: Image) -> Image:
    from PIL import Image as pil

    return picture.convert("RGB").resize((SIDE, SIDE), pil.Resampling.LANCZOS)


def _crops(engine: Engine, path: Path, aligned: bool, encode: bool) -> tuple[Image, Latent | None]:
    """The face in a photograph, cut out for people to see, and its latent without detail."""
    from kinblend.faces import align, find_face
    from kinblend.families.encode import enlarge_small
    from kinblend.imaging import read_image

    image = read_image(path)
    if aligned:
        if image.width != image.height:
            raise ImageError(f"{path} is {image.width}×{image.height} pixels; an aligned crop is square")
        crop, latent = image, engine.backbone.encode([image])[0] if encode else None
    else:
        image = enlarge_small(image)
        crop = align(image, find_face(image, name=str(path)).landmarks, SIDE)
        latent = engine.parent(image).latent if encode else None
    return crop, latent and replace(latent, detail={})


def _hashed(options: Mapping[str, Any]) -> dict[str, Any]:
    """Options with the SHA-256 of the files that they name."""
    return {
        name: file_sha256(value) if isinstance(value, (str, Path)) and Path(value).is_file() else value
        for name, value in options.items()
    }


def _keep_answers(folder: Path, study: Study) -> None:
    """Raise `OutputError` where answers to another study are there."""
    if (folder / ANSWERS).exists() and (folder / DESCRIPTION).exists() and StudyFolder(folder).study != study:
        raise OutputError(f"people have answered another study in {folder}; prepare into another folder")


def refuse_while_busy(folder: Path) -> Callable[[], None]:
    """What `locked` calls where another process holds the folder: it raises `UsageError`."""

    def refuse() -> None:
        raise UsageError(f"another process prepares or serves the study in {folder}; end it first")

    return refuse
