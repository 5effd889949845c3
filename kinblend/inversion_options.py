"""Options that encoders by optimisation share. They stand apart from `kinblend.inversion`, which needs PyTorch: a
command that only shows options should not."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field


@dataclass(frozen=True)
class Weights:
    """What the terms of the loss of `kinblend.inversion.refine` count.

    decay: the share of the whitened code that each step takes away: the prior, decoupled from Adam's steps as weight
    decay is by Loshchilov and Hutter 2019. In the loss, the prior would need hundreds of steps. rate, offset_rate:
    Adam's steps for whitened codes and offsets.
    """

    pixels: float = 1.0
    identity: float = 5.0
    features: float = 2.0
    offsets: float = 0.05
    decay: float = 0.03
    rate: float = 0.06
    offset_rate: float = 0.02


class TuningOptions(BaseModel):
    """Options of encoders that can go on by fitting the generator's weights to the photograph."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tune: int = Field(
        0,
        ge=0,
        le=1000,
        description="steps of pivotal tuning: the generator is fitted to the photograph; 30 are enough, 0 for none",
    )
