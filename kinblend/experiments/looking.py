"""Pictures of codes and of people, and what analysers say of them; nothing is looked at twice.

What was seen is kept by the code or the picture that it was seen in, so that an experiment that was ended goes on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kinblend.cancellation import check_cancelled
from kinblend.errors import UsageError
from kinblend.evaluation.readings import ask_analyser, usable_analysers
from kinblend.experiments.readings import Looks, Reading
from kinblend.families.prepare.cache import StageCache, StageResult
from kinblend.plugins import load_plugins
from kinblend.types import Latent

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from kinblend.backbone import Backbone

SIDE = 256  # px of what analysers get
CHUNK = 4  # faces that are looked at together
Progress = Callable[[int, int], None]


class Looker:
    """Asks analysers about faces.

    Args:
        backbone: draws codes.
        analysers: names of analysers, the first the more trusted; none: `usable_analysers()`.
        cache: a folder for what was seen.

    Raises `UnknownPluginError`, and `UsageError` where none is left.
    """

    def __init__(self, backbone: Backbone, analysers: Sequence[str], cache: Path) -> None:
        plugins = load_plugins()
        self.backbone, self.names = backbone, list(dict.fromkeys(analysers or usable_analysers()))
        if not self.names:
            raise UsageError("no analyser is installed; see `kinblend analysers list`")
        specs = [plugins["analyser"].get(name) for name in self.names]
        self._ask = {spec.name: partial(ask_analyser, spec.name) for spec in specs}
        self._seen = {
            spec.name: StageCache.of(
                cache, spec.name, SIDE, plugins.distribution_of(spec), sorted(spec.required_versions().items())
            )
            for spec in specs
        }
        self._before = hashlib.sha256(f"{backbone.space.sha256} {SIDE}".encode())

    def codes(self, codes: Tensor, progress: Progress | None = None) -> list[Looks]:
        """What is seen in pictures of codes [n, L, D], detail not included."""
        keys = [self._key(code) for code in codes]
        return self._look(keys, lambda rows: self.draw(codes[rows]), progress)

    def photographs(
        self, names: Sequence[str], crop: Callable[[int], Image], progress: Progress | None = None
    ) -> list[Looks]:
        """What is seen in faces of photographs.

        names: of each, what nothing else has, such as the SHA-256 of its file. crop: gives the RGB crop of one of
        them in FFHQ geometry; it is asked only for what was not seen before."""
        keys = [hashlib.sha256(f"photograph {name}".encode()).hexdigest() for name in names]
        return self._look(keys, lambda rows: [_sized(crop(row)) for row in rows], progress)

    def draw(self, codes: Tensor) -> list[Image]:
        """Pictures of codes [n, L, D] at 256 pixels, one by one: how a network rounds depends on the batch."""
        latents = [Latent(code.clone(), self.backbone.space) for code in codes]
        return [_sized(self.backbone.render([latent], size=SIDE)[0]) for latent in latents]

    def _key(self, code: Tensor) -> str:
        digest = self._before.copy()
        digest.update(code.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def _look(
        self, keys: Sequence[str], pictures: Callable[[list[int]], list[Image]], progress: Progress | None
    ) -> list[Looks]:
        found: list[Mapping[str, Reading]] = [dict(self._known(key)) for key in keys]
        missing = [row for row, seen in enumerate(found) if len(seen) < len(self.names)]
        done = len(keys) - len(missing)
        for start in range(0, len(missing), CHUNK):
            check_cancelled()
            rows = missing[start : start + CHUNK]
            for row, seen in zip(rows, self._ask_all(pictures(rows)), strict=True):
                found[row] = seen
                for who, reading in seen.items():
                    self._seen[who].write(keys[row], StageResult(reading.record()))
            done += len(rows)
            if progress is not None:
                progress(done, len(keys))
        return found

    def _known(self, key: str) -> Iterator[tuple[str, Reading]]:
        for who, cache in self._seen.items():
            record = cache.read(key)
            if record is not None and {"numbers", "classes"} <= set(record):
                yield who, Reading.of_record(record)

    def _ask_all(self, crops: Sequence[Image]) -> list[dict[str, Reading]]:
        answers: list[dict[str, Reading]] = [{} for _ in crops]
        for who, ask in self._ask.items():
            for answer, reading in zip(answers, ask(crops), strict=True):
                answer[who] = reading
        return answers


def _sized(picture: Image) -> Image:
    from PIL import Image as pil

    picture = picture.convert("RGB")
    return picture if picture.size == (SIDE, SIDE) else picture.resize((SIDE, SIDE), pil.Resampling.LANCZOS)
