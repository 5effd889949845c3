"""What processes of an evaluation or a training share: an open backbone, results in order, latents as bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeVar, cast

from kinblend.backbone import Backbone, make_plugin
from kinblend.batch.worker import EngineOptions
from kinblend.pipeline import Engine
from kinblend.progress import listening, tell_progress
from kinblend.tensor_files import load
from kinblend.types import Latent
from kinblend.workers import Workers, opened_workers, results_in_order, suggested_workers

if TYPE_CHECKING:
    from kinblend.interfaces import Blender
    from kinblend.types import LatentSpace

Job = TypeVar("Job")
Result = TypeVar("Result")
CODE, DETAIL = "code", "detail."


class SharedBackbone:
    """A backbone that jobs take along: as it is within this process; in others each opens its own, once.

    opened: an engine, where jobs blend and edit, or its backbone alone. warm: whether a job has used it, in this
    process.
    """

    def __init__(self, opened: Engine | Backbone | EngineOptions) -> None:
        self._opened, self.warm = opened, False
        self._blenders: dict[str, Blender] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (json.dumps(asdict(self.options), sort_keys=True, default=str),)

    @property
    def options(self) -> EngineOptions:
        """What opens the same in another process."""
        if isinstance(self._opened, EngineOptions):
            return self._opened
        opened = self.backbone
        return EngineOptions(
            str(opened.pack.folder),
            str(opened.pool.device),
            opened.pool.precision,
            None if opened.pool.budget is None else str(opened.pool.budget),
            dict(opened.encoder_options),
            dict(opened.projector_options),
            opened.chosen_encoder,
        )

    @property
    def engine(self) -> Engine:
        """The engine; opened now where it is not yet."""
        if not isinstance(self._opened, Engine):
            self._opened = self.options.open()
        return self._opened

    @property
    def backbone(self) -> Backbone:
        """The backbone alone."""
        return self._opened if isinstance(self._opened, Backbone) else self.engine.backbone

    def blender(self, name: str, options: Mapping[str, Any]) -> Blender:
        """A strategy for it, made once. Raises `UsageError`."""
        key = json.dumps([name, options], sort_keys=True, default=str)
        if key not in self._blenders:
            self._blenders[key] = cast("Blender", make_plugin("blender", name, self.backbone.context, options))
        return self._blenders[key]


@lru_cache(maxsize=1)
def _reopened(options: str) -> SharedBackbone:
    """The same one for all jobs of a process, until one comes with other options."""
    return SharedBackbone(EngineOptions(**json.loads(options)))


def share_work(
    workers: int | Workers | None,
    work: Callable[[Job], Result],
    jobs: Sequence[Job],
    progress: Callable[[int, int], None] = tell_progress,
) -> list[Result]:
    """Results of `work`, a module's function, in the order of its jobs, whoever does them.

    workers: of a number, so many processes, 1 being this one; None: what this machine has room for.
    progress: told how many of how many are done.
    Raises `WorkerLostError`, as `results_in_order` does.
    """
    with opened_workers(suggested_workers() if workers is None else workers, len(jobs)) as crew:
        return results_in_order(crew, partial(_silent, work), jobs, progress)


def pack_latent(latent: Latent) -> bytes:
    """Code and detail as the bytes of a safetensors file. Tensors themselves would be sent to another process as
    shared memory, which is gone when that process is killed."""
    from safetensors.torch import save

    detail = {f"{DETAIL}{name}": value.contiguous().clone() for name, value in latent.detail.items()}
    return save({CODE: latent.code.contiguous().clone(), **detail})


def unpack_latent(data: bytes, space: LatentSpace) -> Latent:
    """What `pack_latent` was given."""
    tensors = load(data, "a latent")
    code = tensors.pop(CODE)
    return Latent(code, space, {name.removeprefix(DETAIL): value for name, value in tensors.items()})


def _silent(work: Callable[[Job], Result], job: Job) -> Result:
    """What a job tells of its progress is of itself alone, so nobody listens."""
    with listening(lambda *_: None):
        return work(job)
