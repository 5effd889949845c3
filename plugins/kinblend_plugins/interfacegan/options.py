"""The options of the editor."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _several(value: Any) -> Any:
    """Names with a comma between them, as a list."""
    return [name for name in value.split(",") if name] if isinstance(value, str) else value


class DirectionOptions(BaseModel):
    """Options of `interfacegan`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    directions: dict[str, Path] = Field({}, description="attribute → .pt, .npy or .safetensors file")
    layers: tuple[int, int] | None = Field(None, description="first and last layer the edit touches")
    keep: Annotated[tuple[str, ...], BeforeValidator(_several)] = Field(
        (),
        description="attributes that stay as they are read, or, unread, orthogonal to the edit",
    )
