"""Options of the morphable projector."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ProjectorOptions(BaseModel):
    """Options of the projector `morphable`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    surround: Literal["auto", "father", "mother", "plain"] = Field(
        "auto",
        description="whose hair, ears, neck and background; auto: of the parent with the larger share; plain: none",
    )
