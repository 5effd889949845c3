"""The options of the built-in strategies. Every share is the father's."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AverageOptions(_Options):
    """Options of `average`."""

    share: Share = Field(0.5, description="the father's share")


class SlerpOptions(AverageOptions):
    """Options of `slerp`."""


class DimensionOptions(_Options):
    """Options of `dimension`."""

    shares: dict[int, Share] | list[Share] = Field({}, description="dimension → share, or one share per dimension")
    default: Share = Field(0.5, description="the share of dimensions not named")


class LayerOptions(_Options):
    """Options of `layer`."""

    shares: dict[str, Share] = Field(
        {}, description="layer → share: a number (3), a range (0-3), or coarse, middle, fine"
    )
    default: Share = Field(0.5, description="the share of layers not named")
    dimensions: dict[int, Share] = Field({}, description="dimension → share, in layers not named")


class MaskOptions(_Options):
    """Options of `mask`."""

    by: Literal["dimension", "layer", "element"] = Field("element", description="what is handed down whole")
    share: Share = Field(0.5, description="the chance that a gene comes from the father")
