"""What a `pack.json` must say. Apart from `packs`, because pydantic is slow to import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from kinblend.errors import PackError
from kinblend.validation import explain, missing_fields, shortened


def _plain_name(name: str) -> str:
    if Path(name).name != name or not name.endswith(".safetensors"):
        raise ValueError("it must be the plain name of a .safetensors file")
    return name


def _printable(name: str) -> str:
    if not name.isprintable():
        raise ValueError("it must be printable")
    return name


FileName = Annotated[str, AfterValidator(_plain_name)]


class File(BaseModel):
    """One file of a pack."""

    model_config = ConfigDict(strict=True)

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0)


class Description(BaseModel):
    """What every pack says; it may say more."""

    model_config = ConfigDict(strict=True, extra="allow")

    version: Literal[1, 2] = Field(alias="schema")
    name: Annotated[str, AfterValidator(_printable)] = Field(min_length=1, max_length=100)
    encoder: str | None
    projector: str
    layers: int = Field(ge=1, le=100_000)
    dim: int = Field(ge=1, le=100_000)
    resolution: int = Field(ge=1, le=100_000)
    generator: FileName
    settings: dict[str, Any] = {}
    files: dict[FileName, File]

    @model_validator(mode="after")
    def _lists_its_generator(self) -> Description:
        if self.generator not in self.files:
            raise ValueError(f"'files' must list the generator {self.generator!r}")
        return self


def check_description(path: Path, description: Any) -> None:
    """Raise `PackError` that names what is wrong with the description read from `path`."""
    try:
        Description.model_validate(description)
    except ValidationError as error:
        if missing := missing_fields(error):
            raise PackError(f"{path} can't describe a pack: it lacks {', '.join(missing)}") from error
        place, value, why = explain(error)
        where = f"{place}={shortened(value)}" if place else "it"
        raise PackError(f"{path} can't describe a pack: {where}: {why}") from error
