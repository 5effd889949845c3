"""Options of the projector."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class ProjectorOptions(BaseModel):
    """Options of the projector `stylegan2`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    compile: bool = Field(
        False,
        description="draw pictures through torch.compile, which needs a C++ compiler; slower on processors",
        json_schema_extra={"form": False},
    )
