"""The options of the editor."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _several(value: Any) -> Any:
    """Names with a comma between them, as a list."""
    return [name.strip() for name in value.split(",") if name.strip()] if isinstance(value, str) else value


def _as_text(value: Any) -> Any:
    """A layer that was given as a number, as a text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_several)]
Layers = Annotated[tuple[int, int] | str | None, BeforeValidator(_as_text)]  # as `layer_option.layer_slice` takes it


class DirectionOptions(BaseModel):
    """Options of `interfacegan`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    directions: dict[str, Path] = Field({}, description="attribute → .pt, .npy or .safetensors file")
    layers: Layers = Field(
        None,
        description="first and last layer the edit touches, as [0, 7]; or a range, 0-7, a layer, a group of the "
        "backbone's, or coarse, middle, fine",
    )
    keep: Names = Field(
        (),
        description="attributes that stay as they are read, or, unread, orthogonal to the edit",
    )
