"""Every hook a plugin can implement. A plugin is a module with some of these, each marked `@kinblend.hookimpl`,
named by an entry point in group `kinblend`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from kinblend.registry import PluginSpec
    from kinblend.storage.pack_sources import PackSource

hookspec = pluggy.HookspecMarker("kinblend")
hookimpl = pluggy.HookimplMarker("kinblend")

Register = Callable[["PluginSpec"], None]


@hookspec
def kinblend_register_encoders(register: Register) -> None:
    """Register encoders: classes derived from `kinblend.Encoder`."""


@hookspec
def kinblend_register_blenders(register: Register) -> None:
    """Register blenders: classes derived from `kinblend.Blender`."""


@hookspec
def kinblend_register_editors(register: Register) -> None:
    """Register editors: classes derived from `kinblend.Editor`."""


@hookspec
def kinblend_register_projectors(register: Register) -> None:
    """Register projectors: classes derived from `kinblend.Projector`."""


@hookspec
def kinblend_register_trainers(register: Register) -> None:
    """Register trainers: functions `(options, out: Path, progress) -> Path` that write a model pack (of a backbone:
    `kinblend train backbone NAME`) or a file of weights (of the blender of the same name: `kinblend train blender
    NAME`)."""


@hookspec
def kinblend_register_importers(register: Register) -> None:
    """Register importers: functions `(checkpoint: Path, out: Path, name: str) -> Path | None` that turn a published
    checkpoint into a model pack in the folder `out`, which they make, or return None where the file is not of their
    kind. A `CheckpointError` counts where no other importer knows the file. They never execute what a checkpoint
    holds."""


@hookspec
def kinblend_register_datasets(register: Register) -> None:
    """Register readers of kinship data sets: functions `(path: Path) -> KinshipSet | None` that describe the families
    in a folder or file, defects included, or return None where it is not of their kind."""


@hookspec
def kinblend_register_analysers(register: Register) -> None:
    """Register analysers of faces: functions `(crops: Sequence[Image]) -> Sequence[Mapping]` that take RGB crops in
    FFHQ geometry and guess, for each, what they know of age, gender (m, f), race and emotion, with …_confidence.

    What else they know goes into two mappings by names of their own: "attributes", numbers, and "classes", words.
    None, NaN and names that are missing mean that nothing is known."""


@hookspec
def kinblend_register_detectors(register: Register) -> None:
    """Register face detectors: classes derived from `kinblend.face_interfaces.FaceDetector`, made without
    arguments."""


@hookspec
def kinblend_register_landmarkers(register: Register) -> None:
    """Register landmarkers: classes derived from `kinblend.face_interfaces.Landmarker`, made without arguments."""


@hookspec
def kinblend_register_identity_networks(register: Register) -> None:
    """Register identity networks: classes derived from `kinblend.IdentityNetwork`, made without arguments."""


@hookspec
def kinblend_register_upscalers(register: Register) -> None:
    """Register upscalers: classes derived from `kinblend.face_interfaces.Upscaler`, made without arguments."""


@hookspec
def kinblend_register_evaluations(register: Register) -> None:
    """Register evaluations: functions whose annotated parameters are arguments and flags, as typer reads them, for
    `kinblend evaluate NAME`. A built-in one of the same name stays."""


@hookspec
def kinblend_register_benchmarks(register: Register) -> None:
    """Register steps for `kinblend bench`: functions `(backbone: Backbone, batch: int, precision: str) -> work` that
    return a function to be called and timed, or raise `UnsupportedError` with the reason why they can't. A built-in
    step of the same name stays."""


@hookspec
def kinblend_register_commands(register: Register) -> None:
    """Register commands of `kinblend`: functions whose annotated parameters are arguments and flags, as typer reads
    them. A built-in command of the same name stays."""


@hookspec
def kinblend_register_packs(register: Callable[[PackSource], None]) -> None:
    """Register model packs: ones that the plugin ships, and ones that `kinblend models pull` can fetch."""


@hookspec
def kinblend_before_stage(stage: str, run: dict[str, Any]) -> None:
    """Called before a stage of a run ("detect", "encode", "blend", "edit", "render", "compare")."""


@hookspec
def kinblend_after_stage(stage: str, run: dict[str, Any], seconds: float) -> None:
    """Called after a stage of a run, with the wall time it took."""


@hookspec
def kinblend_on_error(stage: str, run: dict[str, Any], error: BaseException) -> None:
    """Called when a stage fails; the error is raised all the same."""
