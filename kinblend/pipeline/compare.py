"""The same two people and the same request, by several strategies."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.errors import UsageError
from kinblend.files import check_target, checked_path, write_errors
from kinblend.imaging.encode import write_picture
from kinblend.imaging.sheet import sheet
from kinblend.pipeline.result import Result, files_of, folder_of, stale_files
from kinblend.plugins import load_plugins

if TYPE_CHECKING:
    from PIL.Image import Image

    from kinblend.backbone import Backbone
    from kinblend.pipeline.engine import Engine
    from kinblend.pipeline.request import ChildRequest, Picture

SHEET = "compare.png"
COLUMNS = (4, 3, 5)  # of a sheet of one child by each strategy

OnStage = Callable[[str, str], None]  # the strategy's name, the stage


@dataclass(frozen=True)
class Comparison:
    """results: what a run of each strategy gave, by its name; the parents are the same."""

    results: Mapping[str, Result]

    @property
    def warnings(self) -> list[str]:
        """Those of all runs, each once; what concerns one strategy alone begins with its name."""
        runs = {name: result.warnings for name, result in self.results.items()}
        common = [line for line in next(iter(runs.values())) if all(line in lines for lines in runs.values())]
        return common + [f"{name}: {line}" for name, lines in runs.items() for line in lines if line not in common]

    def sheet(self, side: int = 384) -> Image:
        """Father and mother, and the child by each strategy with its name below. side: of each, in pixels.

        Of several children each strategy has a row.
        """
        results = list(self.results.values())
        parents = [results[0].father.crop, results[0].mother.crop]
        made = [[child.image for child in result.children] for result in results]
        count = len(made[0])
        if count == 1:
            pictures = [*parents, *(picture for [picture] in made)]
            columns = min(COLUMNS, key=lambda number: -len(pictures) % number)
            return sheet(pictures, columns=columns, side=side, captions=["Father", "Mother", *self.results])
        from PIL import Image as pil

        blank = [pil.new("RGB", (1, 1), "white")] * (count - len(parents))
        pictures = [*parents, *blank, *(picture for row in made for picture in row)]
        captions = [line for name, result in self.results.items() for line in _captions(name, result)]
        return sheet(pictures, columns=count, side=side, captions=["Father", "Mother", *[""] * len(blank), *captions])

    def save(self, target: str | Path, *, side: int = 384) -> list[Path]:
        """Write the sheet, and what `Result.save` writes of each strategy.

        target: a folder for `compare.png` and a folder of each strategy; or the sheet itself, such as `anna.jpg`:
            what belongs to a strategy is then called `anna-NAME.jpg`, `anna-NAME.safetensors`, `anna-NAME.json`.
        Raises what `Result.save` does.
        """
        picture = sheet_of(target)
        with write_errors(picture):
            check_target(picture)
            places = targets_of(target, list(self.results))
            written = [path for name, result in self.results.items() for path in result.save(places[name])]
            write_picture(picture, self.sheet(side))
        return [picture, *written]


def compare_strategies(
    engine: Engine,
    father: Picture,
    mother: Picture,
    requests: Mapping[str, ChildRequest],
    on_stage: OnStage | None = None,
) -> Comparison:
    """Children of two people by several strategies. The parents are encoded once.

    father, mother: as `Engine.run` takes them. requests: one for each strategy, by the name that it is shown under;
    `requests_of` makes them of one request. on_stage: called with the strategy's name and the stage that begins.
    Raises what `Engine.run` does; `UsageError` for an unknown strategy or option before any work.
    """
    if not requests:
        raise UsageError("name at least one strategy")
    for request in requests.values():
        engine.blender(request.blender, request.blender_options)
    results: dict[str, Result] = {}
    for name, request in requests.items():

        def begin(stage: str, name: str = name) -> None:
            if on_stage:
                on_stage(name, stage)

        result = engine.run(father, mother, request, on_stage=begin)
        father, mother = result.father, result.mother  # who are known by now
        results[name] = result
    return Comparison(results)


def requests_of(
    request: ChildRequest, strategies: Sequence[str], options: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, ChildRequest]:
    """A request for each strategy, by its name. options: of each. Raises `UsageError` for a name that comes twice."""
    if twice := sorted({name for name in strategies if strategies.count(name) > 1}):
        raise UsageError(
            f"a strategy is compared with others, not with itself: {', '.join(twice)} stands there twice"
        )
    asked, own = request.model_dump(exclude_unset=True), options or {}
    return {
        name: type(request).of(
            asked | {"blender": name} | ({"blender_options": dict(own[name])} if own.get(name) else {})
        )
        for name in strategies
    }


def usable_strategies(backbone: Backbone) -> tuple[list[str], list[str]]:
    """The preferred strategies that a backbone has all weights for; and why each of the others is left out."""
    preferred = [spec for spec in load_plugins()["blender"] if spec.preferred]
    lacking = {spec.name: backbone.lacks(spec) for spec in preferred}
    return [name for name, why in lacking.items() if not why], [why for why in lacking.values() if why]


def sheet_of(target: str | Path) -> Path:
    """Where `Comparison.save` writes the sheet."""
    place = checked_path(target, "a folder")
    return place if folder_of(place) != place else place / SHEET


def targets_of(target: str | Path, names: Sequence[str]) -> dict[str, Path]:
    """What `Comparison.save` gives to `Result.save`, by strategy."""
    picture = sheet_of(target)
    if picture != Path(target):
        return {name: Path(target) / name for name in names}
    return {name: picture.with_name(f"{picture.stem}-{name}{picture.suffix}") for name in names}


def compared_files(target: str | Path, names: Sequence[str], children: int) -> list[Path]:
    """All that `Comparison.save` writes or removes. Raises `OutputError` where something may not be written."""
    found = [sheet_of(target)]
    for place in targets_of(target, names).values():
        files = files_of(place, children)
        found += [*files, *stale_files(place, files)]
    for path in found:
        check_target(path)
    return found


def _captions(name: str, result: Result) -> list[str]:
    return [f"{name}, {caption}" for caption in result.captions()[2:]]
