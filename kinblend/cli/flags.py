"""Flags that several commands share, and the engine they describe."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kinblend.cli.output import set_quiet
from kinblend.settings import load_settings

if TYPE_CHECKING:
    from kinblend.pipeline import Engine

Backbone = Annotated[str | None, typer.Option("--backbone", help="Model pack: a name or a folder.")]
Device = Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda, cuda:N.")]
Precision = Annotated[str | None, typer.Option("--precision", help="auto, fp32, bf16, fp16; bf16,projector=fp32.")]
Budget = Annotated[str | None, typer.Option("--memory-budget", help="Device memory for weights, such as 2GiB.")]
Face = Annotated[
    int | None, typer.Option("--face", min=1, help="Which face, from the left, where there are several.")
]
Aligned = Annotated[bool, typer.Option("--aligned", help="The picture is an aligned crop already.")]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="PART.KEY=VALUE", help="An option of a part, such as blender.share=0.3; repeatable."
    ),
]
Edits = Annotated[
    list[str] | None,
    typer.Option(
        "--edit", help="attribute=strength in standard deviations, or a target (age=8y, gender=male); repeatable."
    ),
]
Editor = Annotated[str | None, typer.Option("--editor", help="What makes the edits; see `kinblend editors list`.")]
Neutral = Annotated[
    bool,
    typer.Option("--neutral/--no-neutral", help="Make expressions neutral and turn heads ahead before blending."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, max=2**63 - 2, help="Everything random is drawn from it.")]
# Every command has these two; `tests/cli/test_output.py` looks.
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Quiet = Annotated[bool, typer.Option("--quiet", callback=set_quiet, help="Nothing on stderr but errors.")]


def open_engine(
    backbone: str | None = None,
    device: str | None = None,
    precision: str | None = None,
    memory_budget: str | None = None,
    sets: Mapping[str, Mapping[str, Any]] | None = None,
) -> Engine:
    """An engine as flags, environment and `kinblend.toml` say. sets: options by kind, as `parse_sets` gives them."""
    settings = load_settings(backbone=backbone, device=device, precision=precision, memory_budget=memory_budget)
    from kinblend.pipeline import Engine

    return Engine(
        settings.backbone,
        settings.device,
        settings.precision,
        settings.memory_budget,
        encoder_options=(sets or {}).get("encoder"),
        projector_options=(sets or {}).get("projector"),
    )


def default_out(source: Path, suffix: str, out: Path | None) -> Path:
    """`out`, or the name of `source` with another suffix in the folder we stand in."""
    return out or Path(source.with_suffix(suffix).name)
