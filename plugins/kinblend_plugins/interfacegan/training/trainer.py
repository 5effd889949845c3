"""The trainers of directions, for any backbone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kinblend import Backbone, Engine
from kinblend.datasets import load_analyser
from kinblend.tensor_files import load_file
from kinblend_plugins.interfacegan.layer_option import layer_slice
from kinblend_plugins.interfacegan.training.generated_faces import Plan, open_sampler, train_generated
from kinblend_plugins.interfacegan.training.options import (
    DeviceOptions,
    FoundOptions,
    GanspaceOptions,
    GeneratedOptions,
    RatedOptions,
    SefaOptions,
)
from kinblend_plugins.interfacegan.training.own_ratings import read_own
from kinblend_plugins.interfacegan.training.picture_measurements import read_parser
from kinblend_plugins.interfacegan.training.rated_attributes import RatedFaces, is_of_impressions, read_rated
from kinblend_plugins.interfacegan.training.rated_faces import train_directions
from kinblend_plugins.interfacegan.training.strips import folder_of, straight, write_strips
from kinblend_plugins.interfacegan.training.unsupervised import (
    Found,
    closed_form_factors,
    codes_to_show,
    principal_components,
    write_found,
)

REPORT_EVERY = 50  # faces


def train_rated(options: RatedOptions, out: Path, progress: Callable[[str], None] | None = None) -> Path:
    """Fit directions to faces that people have rated, and write them to `out`.

    Called again after an interruption it goes on with the faces that were not encoded yet. progress: told how many
    are, and the figures of each attribute. Returns `out`. Raises `InputError` and, for too few faces,
    `UnsupportedError`.
    """
    tell = progress or (lambda _: None)
    rated = _rated(options, tell)
    count = _counting("encoded", tell)
    train_directions(_backbone(options), rated, out, options.method, count, tell, strips=options.strips)
    if options.strips:
        tell(f"pictures of each are in {folder_of(out)}")
    return out


def _rated(options: RatedOptions, tell: Callable[[str], None]) -> RatedFaces:
    """The faces and their ratings. Those of One Million Impressions are known by their columns, where none is asked
    for."""
    if not options.columns and not options.file_column and is_of_impressions(options.faces, options.ratings):
        return read_rated(options.faces, options.ratings, tell)
    return read_own(options.faces, options.ratings, options.columns, options.file_column, tell)


def train_generated_directions(
    options: GeneratedOptions, out: Path, progress: Callable[[str], None] | None = None
) -> Path:
    """Fit directions to pictures that the backbone's generator draws and networks look at, and write them to `out`.

    Called again after an interruption it goes on where it stopped. progress: told how many pictures were looked at,
    and the figures of each attribute. Returns `out`. Raises `UnsupportedError` for a projector without a mapping
    network.
    """
    tell = progress or (lambda _: None)
    plan = Plan(options.pictures, options.couples, options.rounds, options.seed)
    parser = None if options.parts is None else read_parser(options.parts)
    part = out.with_suffix(".part.safetensors")
    sampler = open_sampler(_backbone(options), load_analyser(options.analyser), plan, part, parser)
    train_generated(sampler, plan, out, _counting("looked at", tell), tell)
    return out


def train_ganspace(options: GanspaceOptions, out: Path, progress: Callable[[str], None] | None = None) -> Path:
    """Write the main axes of the codes that the backbone's generator draws to `out`, as `component-1` and so on.

    progress: told what share of the variance each has. Returns `out`. Raises `UnsupportedError` for a generator
    without a mapping network.
    """
    backbone = _backbone(options)
    found = principal_components(backbone.projector, options.count, options.samples, options.seed)
    return _write(options, backbone, found, "GANSpace", out, progress)


def train_sefa(options: SefaOptions, out: Path, progress: Callable[[str], None] | None = None) -> Path:
    """Write the directions that change the generator's styles most to `out`, as `component-1` and so on.

    progress: told what share of the change each has. Returns `out`. Raises `UnsupportedError` for a generator without
    styles.
    """
    backbone = _backbone(options)
    layers = layer_slice(options.layers, backbone.space, backbone.projector.layer_groups)
    return _write(
        options, backbone, closed_form_factors(backbone.projector, options.count, layers), "SeFa", out, progress
    )


def _write(
    options: FoundOptions,
    backbone: Backbone,
    found: Found,
    source: str,
    out: Path,
    progress: Callable[[str], None] | None,
) -> Path:
    layers = layer_slice(options.layers, backbone.space, backbone.projector.layer_groups)
    lines = write_found(out, found, backbone.space, layers, source)
    if options.strips:
        steps = load_file(out)
        drawn = codes_to_show(backbone.projector)
        write_strips(backbone, list(steps), straight(steps), drawn, folder_of(out))
        lines.append(f"pictures of each are in {folder_of(out)}")
    if progress is not None:
        for line in lines:
            progress(line)
    return out


def _backbone(options: DeviceOptions) -> Backbone:
    given = (options.backbone or None, options.device, options.precision, options.memory_budget)
    return Engine(*given).backbone


def _counting(done_what: str, tell: Callable[[str], None]) -> Callable[[int, int], None]:
    def count(done: int, of: int) -> None:
        if done % REPORT_EVERY == 0 or done == of:
            tell(f"{done_what} {done} of {of}")

    return count
