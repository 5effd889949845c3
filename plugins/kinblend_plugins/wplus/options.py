"""Options of the encoder."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

REFINE = 40  # docs/ffhq-mobile.md has likeness, realism and seconds by steps


class EncoderOptions(BaseModel):
    """Options of the encoder `wplus`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    refine: int = Field(REFINE, ge=0, le=1000, description="steps of optimisation after the network; 0 for none")
