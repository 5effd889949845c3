"""The options of the editor."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class DirectionOptions(BaseModel):
    """Options of `interfacegan`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    directions: dict[str, Path] = Field({}, description="attribute → .pt, .npy or .safetensors file")
    layers: tuple[int, int] | None = Field(None, description="first and last layer the edit touches")
    keep: tuple[str, ...] = Field(
        (),
        description="attributes that stay as they are read, or, unread, orthogonal to the edit",
    )
