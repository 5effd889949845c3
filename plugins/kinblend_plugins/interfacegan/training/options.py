"""Options of the trainers."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from kinblend_plugins.interfacegan.options import Layers, Names
from kinblend_plugins.interfacegan.training.rated_directions import Method


class DeviceOptions(BaseModel):
    """Which backbone, and where it runs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    backbone: str = Field("", description="the pack whose latent space gets directions; default: as for `run`")
    device: str | None = Field(None, description="auto, cpu, cuda or cuda:N")
    precision: str | None = Field(None, description="auto, fp32, bf16, fp16")
    memory_budget: str | None = Field(None, description="device memory to stay within, such as 2GiB")


class FoundOptions(DeviceOptions):
    """What the trainers without labels have in common."""

    count: int = Field(10, ge=1, le=512, description="directions, the strongest first")
    layers: Layers = Field(
        None, description="layers that they move, as [0, 7], 0-7, a group of the backbone's, or coarse; default: all"
    )
    strips: bool = Field(True, description="write pictures of what each direction does")


class GanspaceOptions(FoundOptions):
    """Options of the trainer `ganspace`."""

    samples: int = Field(10_000, ge=100, description="codes that the generator draws")
    seed: int = Field(0, ge=0, description="of what is drawn")


class SefaOptions(FoundOptions):
    """Options of the trainer `sefa`."""


class RatedOptions(DeviceOptions):
    """Options of the trainer `rated`."""

    faces: Path = Field(description="aligned faces, a folder or a zip")
    ratings: Path = Field(description="table of ratings and labels, with a column of the faces' file names")
    columns: Names = Field(
        (), description="columns that are used, a comma between them; default: all of numbers or of two values"
    )
    file_column: str | None = Field(None, description="column of file names; default: the one that names most faces")
    method: Method = Field("mean", description="how directions are fitted; svm needs scikit-learn")
    strips: bool = Field(True, description="write pictures of what each direction does")


class GeneratedOptions(DeviceOptions):
    """Options of the trainer `generated`."""

    pictures: int = Field(3000, ge=300, description="pictures that the generator draws as it is")
    couples: int = Field(200, ge=20, description="couples whose mean codes are moved, once in each round")
    rounds: int = Field(3, ge=1, description="rounds that calibrate age and sex")
    analyser: str | None = Field(None, description="tells age and sex; default: the one that plugins prefer")
    parts: Path | None = Field(
        None, description="network for the parts of a face (.tflite, 19 classes): hair, headwear, glasses"
    )
    seed: int = Field(0, ge=0, description="of what is drawn")
