"""Options of the training."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class TrainOptions(BaseModel):
    """Options of `kinblend train encoder`.

    First the network learns codes from pictures drawn of them; then it learns through the picture, which costs about
    seven times as much a face and is what makes people recognisable.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    samples: int = Field(12_000, ge=64, description="pictures that are drawn to learn from")
    photos: Path | None = Field(
        None, description="zip or folder of FFHQ-aligned photographs, learned from without codes"
    )
    photo_share: float = Field(
        0.25, ge=0, le=1, description="share of the steps through the picture that take photographs"
    )
    start: bool = Field(False, description="go on from the encoder that the pack has, rather than from nothing")
    code_minutes: float = Field(25, ge=0, description="minutes of learning codes")
    picture_minutes: float = Field(60, ge=0, description="minutes of learning through the picture")
    code_batch: int = Field(32, ge=2, description="faces in a step of learning codes")
    picture_batch: int = Field(8, ge=2, description="faces in a step through the picture")
    picture_size: int = Field(
        256, ge=16, description="px of the pictures that are compared; 128 takes half the time where there is a head"
    )
    code_rate: float = Field(6e-4, gt=0, description="learning rate for codes")
    picture_rate: float = Field(3e-4, gt=0, description="learning rate through the picture")
    identity: float = Field(5.0, ge=0, description="weight of the identity loss")
    prior: float = Field(0.03, ge=0, description="weight of the distance between whitened codes")
    offsets: float = Field(0.05, ge=0, description="weight of the offsets' squares: small offsets stay near W")
    age: Path | None = Field(
        None, description="direction of age, [D] or [L, D]: children and the old are drawn more often"
    )
    device: str = Field("auto", description="auto, cpu, cuda or cuda:N")
    devices: str = Field(
        "1",
        coerce_numbers_to_str=True,
        description="how many devices share each batch, or their names: cuda:0,cuda:1",
    )
    workers: int | None = Field(
        None,
        ge=1,
        description="processes that draw samples; default: what the machine has room for, one on a GPU",
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="of the network; auto is bf16 where it is fast"
    )
    seed: int = Field(0, ge=0, description="of what is drawn and of the first weights")
    backbone: str = Field("", description="the pack whose generator gets an encoder; default: as for `run`")
