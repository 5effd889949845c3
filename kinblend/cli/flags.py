"""Flags that several commands share, and the engine they describe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kinblend.cli.completion import names, packs
from kinblend.cli.output import set_quiet
from kinblend.errors import UsageError
from kinblend.settings import load_settings

if TYPE_CHECKING:
    import torch

    from kinblend.pipeline import Engine
    from kinblend.workers import Workers as Crew

CHILD, MACHINE, OUTPUT = "The child", "Model and machine", "Output"  # panels of the help

Backbone = Annotated[
    str | None,
    typer.Option(
        "--backbone",
        metavar="NAME",
        help="Model pack: one of `kinblend models list`, or a folder. Default: the best one that is installed.",
        rich_help_panel=MACHINE,
        autocompletion=packs,
    ),
]
Encoder = Annotated[
    str | None,
    typer.Option(
        "--encoder",
        metavar="NAME",
        help="What finds the latents of photographs, one of `kinblend encoders list`. Default: the pack's own.",
        rich_help_panel=MACHINE,
        autocompletion=names("encoder"),
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device", metavar="TEXT", help="auto, cpu, cuda or cuda:N. Default: auto.", rich_help_panel=MACHINE
    ),
]
Precision = Annotated[
    str | None,
    typer.Option(
        "--precision",
        metavar="TEXT",
        help="auto, fp32, bf16 or fp16; for one part alone, bf16,projector=fp32. Default: auto.",
        rich_help_panel=MACHINE,
    ),
]
Budget = Annotated[
    str | None,
    typer.Option(
        "--memory-budget",
        metavar="SIZE",
        help="Device memory for weights, such as 2GiB. Default: no limit.",
        rich_help_panel=MACHINE,
    ),
]
Face = Annotated[
    int | None, typer.Option("--face", min=1, help="Which face, from the left, where there are several.")
]
UPSCALE = "Enlarge a face of less than 256 px first: one of `kinblend upscalers list`."
Upscale = Annotated[str | None, typer.Option("--upscale", help=UPSCALE)]
Aligned = Annotated[bool, typer.Option("--aligned", help="The picture is an aligned crop already.")]
_SET = "An option of a part, such as blender.share=0.3; repeatable. `kinblend blenders show NAME` lists them."
Sets = Annotated[list[str] | None, typer.Option("--set", metavar="PART.KEY=VALUE", help=_SET)]
ChildSets = Annotated[
    list[str] | None, typer.Option("--set", metavar="PART.KEY=VALUE", help=_SET, rich_help_panel=CHILD)
]
EDIT = "attribute=strength in standard deviations (smile=1), or a target (age=8y, gender=male); repeatable."
Edits = Annotated[list[str] | None, typer.Option("--edit", metavar="NAME=VALUE", help=EDIT, rich_help_panel=CHILD)]
Blender = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Strategy, one of `kinblend blenders list`. Default: the first of them.",
        rich_help_panel=CHILD,
        autocompletion=names("blender"),
    ),
]
Editor = Annotated[
    str | None,
    typer.Option(
        "--editor",
        metavar="NAME",
        help="What makes the edits, one of `kinblend editors list`. Default: the first of them.",
        rich_help_panel=CHILD,
        autocompletion=names("editor"),
    ),
]
Children = Annotated[int, typer.Option("--children", min=1, help="How many children.", rich_help_panel=CHILD)]
SIBLINGS = typer.Option(
    "--siblings",
    metavar="X",
    min=0.0,
    max=1.5,
    help="How different children of one couple are, 0 to 1.5; 1: as real brothers and sisters.",
    rich_help_panel=CHILD,
)
Siblings = Annotated[float, SIBLINGS]
MUTATION = typer.Option(
    "--mutation",
    metavar="X",
    min=0.0,
    max=0.5,
    help="The share of a child's genes that come from somebody else of its age and sex, 0 to 0.5.",
    rich_help_panel=CHILD,
)
Mutation = Annotated[float, MUTATION]
Neutral = Annotated[
    bool,
    typer.Option(
        "--neutral/--no-neutral",
        help="Make expressions neutral and turn heads ahead before blending.",
        rich_help_panel=CHILD,
    ),
]


def _checked_seed(seed: int) -> int:
    if not 0 <= seed < 2**63 - 1:
        raise typer.BadParameter(f"use 0 to {2**63 - 2}")
    return seed


ChildSeed = Annotated[
    int,
    typer.Option("--seed", callback=_checked_seed, help="Everything random is drawn from it.", rich_help_panel=CHILD),
]
Seed = Annotated[int, typer.Option("--seed", callback=_checked_seed, help="Everything random is drawn from it.")]
Judge = Annotated[
    bool,
    typer.Option(
        "--judge/--no-judge",
        help="Note which age and sex an independent network sees; takes about a second.",
        rich_help_panel=MACHINE,
    ),
]
Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        show_default=False,
        help="Processes. Default: what cores and memory have room for.",
        rich_help_panel=MACHINE,
    ),
]
EvaluationWorkers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        show_default=False,
        help="Processes of one thread each; the figures are the same. Default: what cores and memory have room for, "
        "one on a GPU.",
        rich_help_panel=MACHINE,
    ),
]
TimedWorkers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=1,
        show_default=False,
        help="Processes of one thread each: the same figures sooner. Default: 1, for the seconds that are measured.",
        rich_help_panel=MACHINE,
    ),
]
Ray = Annotated[
    str | None,
    typer.Option(
        "--ray",
        metavar="ADDRESS",
        help="Work on a Ray cluster: host:port, auto for the one of this machine, local to start one here.",
        rich_help_panel=MACHINE,
    ),
]
GpusEach = Annotated[
    float,
    typer.Option(
        "--gpus-each", min=0, max=1, help="With --ray: the share of a GPU for each process.", rich_help_panel=MACHINE
    ),
]
# Every command has these two; `tests/cli/test_output.py` looks.
Json = Annotated[bool, typer.Option("--json", help="Print JSON.", rich_help_panel=OUTPUT)]
Quiet = Annotated[
    bool, typer.Option("--quiet", callback=set_quiet, help="Nothing on stderr but errors.", rich_help_panel=OUTPUT)
]


def open_engine(
    backbone: str | None = None,
    device: str | None = None,
    precision: str | None = None,
    memory_budget: str | None = None,
    sets: Mapping[str, Mapping[str, Any]] | None = None,
    encoder: str | None = None,
) -> Engine:
    """An engine as flags, environment and `kinblend.toml` say. sets: options by kind, as `parse_sets` gives them."""
    settings = load_settings(
        backbone=backbone, device=device, precision=precision, memory_budget=memory_budget, encoder=encoder
    )
    from kinblend.pipeline import Engine

    return Engine(
        settings.backbone,
        settings.device,
        settings.precision,
        settings.memory_budget,
        encoder=settings.encoder,
        encoder_options=(sets or {}).get("encoder"),
        projector_options=(sets or {}).get("projector"),
    )


def check_workers(ray: str | None, gpus_each: float, workers: int | None) -> None:
    """Raise `UsageError` for flags that don't go together: before work that takes long."""
    if ray is not None and workers is not None:
        raise UsageError("--workers counts processes of this machine; leave it out with --ray")
    if ray is None and gpus_each:
        raise UsageError("--gpus-each says what a process of a Ray cluster takes; give --ray, too")


def evaluation_workers(device: torch.device) -> int | None:
    """`default` of `open_workers` for networks on this device: a GPU is shared by nobody."""
    return None if device.type == "cpu" else 1


@contextmanager
def open_workers(
    ray: str | None, gpus_each: float, workers: int | None, default: int | None = None
) -> Iterator[Crew | int]:
    """A Ray cluster where one is asked for; else how many processes.

    default: where `workers` is None; None: what this machine has room for."""
    check_workers(ray, gpus_each, workers)
    if ray is not None:
        from kinblend.ray_workers import RayWorkers

        with RayWorkers(ray, gpus_each) as cluster:
            yield cluster
        return
    from kinblend.workers import suggested_workers

    yield workers or default or suggested_workers()


def default_out(source: Path, suffix: str, out: Path | None) -> Path:
    """`out`, or the name of `source` with another suffix in the current directory."""
    return out or Path(source.with_suffix(suffix).name)
