"""What the trainers can be told. Every regulariser of `learned` is an option; `ablation` goes through them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator


def _several(value: Any) -> Any:
    """One value as a list of one; "age,smile" as two."""
    if isinstance(value, str):
        return [part for part in value.split(",") if part]
    return [value] if isinstance(value, Path) else value


Paths = Annotated[tuple[Path, ...], BeforeValidator(_several)]
Names = Annotated[tuple[str, ...], BeforeValidator(_several)]


class PartsTrainOptions(BaseModel):
    """Options of the trainer `parts`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    backbone: str = Field("", description="the pack whose pictures are looked at; default: as for `run`")
    people: int = Field(64, ge=1, le=10_000, description="who are drawn and looked at")
    parts: Names = Field((), description="the parts that get maps, a comma between them; default: all")
    seed: int = Field(0, ge=0, description="of what is drawn")
    device: str | None = Field(None, description="auto, cpu, cuda or cuda:N")
    precision: str | None = Field(None, description="auto, fp32, bf16 or fp16")
    memory_budget: str | None = Field(None, description="device memory to stay within, such as 2GiB")


class HeredityOptions(BaseModel):
    """Options of the trainer `likeness`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trios: Paths = Field(min_length=1, description="what `kinblend families encode` wrote; several, comma between")
    identity: str | None = Field(
        None, description="some of the networks that the trios were encoded with, such as dlib; default: all of them"
    )
    shuffle_children: bool = Field(
        False, description="give families each other's children: a control to compare with"
    )
    seed: int = Field(0, description="of the split and the order")


class TrainOptions(BaseModel):
    """Options of the trainer `learned`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    trios: Paths = Field(min_length=1, description="what `kinblend families encode` wrote; several, comma between")
    identity: str | None = Field(
        None, description="some of the networks that the trios were encoded with, such as dlib; default: all of them"
    )
    mirrored: Paths = Field((), description="the same in the same order, encoded mirrored: seen half of the time")
    backbone: str = Field("", description="the pack the trios were encoded with; default: as for `run`")
    bridge: Literal["render", "proxy", "projection"] = Field(
        "render", description="what stands between latent and embedding"
    )
    target: Literal["child", "parents", "expected"] = Field(
        "child",
        description="whom a prediction is to resemble: the true child; both parents alike; or the child that "
        "`heredity` lets one expect of them. The last two can be taught by anyone paired with anyone",
    )
    heredity: Path | None = Field(
        None, description="for target=expected: what `kinblend train blender likeness` wrote"
    )
    heredity_share: float = Field(
        0.5, ge=0, le=1, description="for target=expected: of what is expected; the rest is the parents' mean"
    )
    drawn: int = Field(
        0,
        ge=0,
        description="people to draw from the generator and to pair with the families', where these only teach",
    )
    proxy: Path | None = Field(
        None, description="file of the proxy: read where it is, else written; default beside out"
    )
    proxy_samples: int = Field(12000, ge=256, description="pictures that the proxy learns from")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="of the networks in a step; auto: fp32 for projection, to reproduce it, else bf16"
    )
    device: str = Field("auto", description="where a step is computed: auto, cpu, cuda or cuda:N")
    devices: str = Field(
        "1",
        coerce_numbers_to_str=True,
        description="how many devices share each batch, or their names: cuda:0,cuda:1",
    )
    picture_size: int | None = Field(
        None, ge=32, description="px of the pictures in between; default: as many as the identity network can see"
    )
    checkpointing: bool = Field(False, description="gradient checkpointing: less memory, a third more time")
    head: Literal["full", "low-rank", "per-layer", "element", "offset", "displacement"] = Field(
        "full", description="the network"
    )
    symmetric: bool = Field(False, description="w(f, m) + w(m, f) = 1 by construction")
    start: Path | None = Field(
        None, description="weights to begin from, of the same head, for example those trained through a proxy"
    )
    edits: Names = Field((), description="attributes whose strengths are learned too: age,gender,smile")
    epochs: int = Field(
        20, ge=0, description="at most; the best one is kept. 0: the untrained network, fitted for displacement"
    )
    patience: int = Field(5, ge=1, description="epochs without a better validation before it ends")
    select: Literal["loss", "auc"] = Field("loss", description="what makes an epoch the best, on validation families")
    batch: int = Field(16, ge=2, description="trios at a time")
    rate: float = Field(5e-5, gt=0, description="AdamW's learning rate")
    weight_decay: float = Field(1e-5, ge=0, description="AdamW's")
    clip: float = Field(1.0, ge=0, description="largest norm of a gradient; 0 for any")
    plateau: bool = Field(True, description="halve the rate after two epochs without a better validation loss")
    dropout: tuple[float, float] = Field((0.2, 0.5), description="in the first and the last epoch")
    noise: float = Field(0.05, ge=0, description="standard deviation of the noise on the codes; decays to 0")
    average: float = Field(0.9, ge=0, lt=1, description="decay of the running average of the weights; 0 for none")
    swap: bool = Field(True, description="change the parents' places half of the time")
    contrast: float = Field(0.0, ge=0, le=1, description="share of the loss that ranks the own child before others'")
    pretrain: int = Field(0, ge=0, description="epochs on synthetic trios before the real ones")
    shuffle_children: bool = Field(
        False, description="give families each other's children: a control to compare with"
    )
    ablate: bool = Field(False, description="train a grid that leaves each regulariser out, and write its table")
    seed: int = Field(0, description="of the split, the order, the noise and the first weights")

    @model_validator(mode="after")
    def _fitting(self) -> TrainOptions:
        if (self.target == "expected") != (self.heredity is not None):
            raise ValueError("target=expected and heredity=FILE go together: give both or neither")
        if not self.paired:
            if self.drawn:
                raise ValueError("drawn people have no children; use target=parents or target=expected")
            return self
        if self.bridge == "projection":
            raise ValueError(
                f"target={self.target} compares pictures with photographs; use the bridge render or proxy"
            )
        if self.shuffle_children:
            raise ValueError(f"target={self.target} looks at no children, so there are none to shuffle")
        return self

    @property
    def paired(self) -> bool:
        """Whether anyone is paired with anyone, instead of the parents of a true child."""
        return self.target != "child"

    @property
    def mixed(self) -> bool:
        """Whether a step computes in bfloat16 where that is safe. Weights, sums and losses stay float32."""
        return self.precision == "bf16" or (self.precision == "auto" and self.bridge != "projection")
