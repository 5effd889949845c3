"""Options of the encoder."""

from __future__ import annotations

from pydantic import Field

from kinblend.inversion_options import TuningOptions

REFINE = 40  # docs/ffhq-mobile.md has likeness, realism and seconds by steps


class EncoderOptions(TuningOptions):
    """Options of the encoder `wplus`."""

    refine: int = Field(REFINE, ge=0, le=1000, description="steps of optimisation after the network; 0 for none")
