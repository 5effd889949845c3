"""Options of the encoders."""

from __future__ import annotations

from pydantic import Field

from kinblend.inversion_options import TuningOptions


class RestyleOptions(TuningOptions):
    """Options of `restyle`."""

    passes: int | None = Field(
        None, ge=1, le=50, description="how often a reconstruction is looked at and mended; default: the pack's, or 5"
    )


class HyperStyleOptions(TuningOptions):
    """Options of `hyperstyle`."""

    passes: int | None = Field(
        None, ge=1, le=50, description="how often the generator's weights are changed; default: the pack's, or 5"
    )
