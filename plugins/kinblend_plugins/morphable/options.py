"""Options of the morphable encoder and projector."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class EncoderOptions(BaseModel):
    """Options of the encoder `morphable`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: Literal[512, 1024] = Field(
        512, description="side of the pictures; 1024 for photographs whose faces have so many pixels"
    )


class ProjectorOptions(BaseModel):
    """Options of the projector `morphable`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    background: Literal["auto", "father", "mother", "plain"] = Field(
        "auto",
        title="Hair and background",
        description="whose hair, ears, neck and background; auto: of who has the larger share; plain: a face on grey",
        json_schema_extra={
            "labels": {
                "auto": "Automatic",
                "father": "The father's",
                "mother": "The mother's",
                "plain": "Plain grey",
            },
            "help": "Hair, ears, neck and what is behind them. Automatic: of the parent whom the child takes after.",
        },
    )
