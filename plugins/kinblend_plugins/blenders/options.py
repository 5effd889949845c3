"""The options of the built-in strategies. Every share is the father's."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from kinblend.errors import UsageError

# Shares of a backbone's groups of layers, in turn, where `layer` is told nothing.
GROUP_SHARES = (0.75, 0.25)
# Titles and the extras "ends", "widget", "starts", "labels" and "help" are for forms: what the ends of a slider mean,
# a slider for each group of layers and where these begin, in turn, choices and fields in words for people. "repeats"
# says that pictures are made so often: the web app keeps that within limits.
Share = Annotated[float, Field(ge=0, le=1, json_schema_extra={"ends": ["mother", "father"]})]
STRONGEST = 1.5  # influence of a parent
Influence = Annotated[float, Field(ge=0, le=STRONGEST, json_schema_extra={"ends": ["weaker", "stronger"]})]
NO_HELP: dict[str, Any] = {"help": ""}  # the title and the ends of the slider say it all
TRAITS = {
    "group": "a trait of one part",
    "dimension": "a trait of the whole face",
    "layer": "all of one layer",
    "element": "every trait by itself",
}


def _plain(value: Any) -> Any:
    """A tensor or array of shares as one list, whatever its shape; anything else as it is."""
    return value.reshape(-1).tolist() if hasattr(value, "tolist") else value


def _named(value: Any) -> Any:
    """As `_plain`, and layers given as numbers ({3: 0.2}) by their names."""
    value = _plain(value)
    return {str(name): share for name, share in value.items()} if isinstance(value, dict) else value


def _as_lists(value: Any) -> Any:
    """A tensor or array as nested lists; anything else as it is."""
    return value.tolist() if hasattr(value, "tolist") else value


def _registered(name: str) -> str:
    """The name of an identity network, if there is one."""
    from kinblend.identity import check_identity  # which brings PyTorch

    try:
        return check_identity(name)
    except UsageError as error:
        raise ValueError(str(error)) from error


def _with_identities(schema: dict[str, Any]) -> None:
    """What forms and lists are told of such an option: the choices there are."""
    from kinblend.identity import identity_names

    schema |= {"enum": identity_names(), "help": "The network that says who looks like whom."}


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SlerpOptions(_Options):
    """Options of `slerp`."""

    share: Share = Field(0.5, title="Who it takes after", description="the father's share", json_schema_extra=NO_HELP)


class AverageOptions(SlerpOptions):
    """Options of `average`."""

    father_influence: Influence = Field(
        1.0,
        title="How strongly he comes through",
        description="what of the father differs from the mean face counts so many times; beyond 1 it is exaggerated",
        json_schema_extra=NO_HELP,
    )
    mother_influence: Influence = Field(
        1.0, title="How strongly she comes through", description="the same of the mother", json_schema_extra=NO_HELP
    )


class PartsOptions(_Options):
    """Options of `parts`."""

    parts: dict[str, Literal["father", "mother"]] = Field(
        {},
        title="From whom",
        description="part → the parent whom it comes from, {eyes: mother, nose: father}; the others by the share",
        json_schema_extra={"widget": "parts", "help": "Click a part: father, mother, or mixed."},
    )
    share: Share = Field(
        0.5,
        title="Everything else",
        description="the father's share of all that is not named",
        json_schema_extra=NO_HELP,
    )
    weights: Path | None = Field(None, description="maps of the parts, .safetensors; default: the pack's own")


class LikenessOptions(SlerpOptions):
    """Options of `likeness`."""

    steps: int = Field(
        20,
        ge=1,
        le=1000,
        title="Rounds of searching",
        description="how often the picture is looked at",
        json_schema_extra={"repeats": True, "help": "More rounds take longer."},
    )
    search: Literal["adam", "gradient"] = Field(
        "adam",
        description="adam moves every element, which takes 20 steps; gradient those that the picture shows most, "
        "which takes 5",
        json_schema_extra={"form": False},
    )
    picture_size: int | None = Field(
        None,
        ge=32,
        le=512,
        description="px of the pictures that are looked at; default: as many as the identity network can see",
        json_schema_extra={"form": False},
    )
    heredity: float = Field(
        0.5,
        ge=0,
        le=1,
        title="Whom it should be like",
        description="0: like both parents; 1: like the child that families let one expect of them",
        json_schema_extra={"ends": ["both parents", "children of such parents"]} | NO_HELP,
    )
    identity: Annotated[str, AfterValidator(_registered)] = Field(
        "dlib",
        title="Judge of likeness",
        description="the network that tells whom it is like, or several with a plus between them",
        json_schema_extra=_with_identities,
    )
    weights: Path | None = Field(None, description="what families taught, .safetensors; default: the pack's own")


class DimensionOptions(_Options):
    """Options of `dimension`."""

    shares: Annotated[dict[int, Share] | list[Share] | Path, BeforeValidator(_plain)] = Field(
        {}, description="dimension → share; or a share for each dimension, as a list or in a .pt, .npy, .safetensors"
    )
    default: Share | None = Field(
        None,
        title="Who it takes after",
        json_schema_extra={"help": "Until you move it, the traits go from the mother's to the father's one by one."},
        description="the share of dimensions not named: 0.5; where none is named, from 0 to 1 one after the other",
    )


class LayerOptions(_Options):
    """Options of `layer`."""

    shares: Annotated[dict[str, Share] | list[Share] | Path, BeforeValidator(_named)] = Field(
        {},
        title="Parts of the face",
        description="layer → share, a layer being a number (3), a range (0-3), a group of the backbone's, or coarse, "
        "middle, fine; or a share for each layer, as a list or in a .pt, .npy, .safetensors",
        json_schema_extra={"widget": "layers", "starts": list(GROUP_SHARES)},
    )
    default: Share | None = Field(
        None,
        description="the share of layers not named: 0.5; where none is named, groups in turn 0.75 and 0.25",
        json_schema_extra={"form": False},  # a form names all layers
    )
    dimensions: Annotated[dict[int, Share] | list[Share] | Path, BeforeValidator(_plain)] = Field(
        {}, description="shares of dimensions, in layers not named"
    )

    @model_validator(mode="after")
    def _either(self) -> "LayerOptions":
        if self.dimensions and not isinstance(self.shares, dict):
            raise ValueError("a share for each layer leaves none for 'dimensions'; name the layers instead")
        return self


class MaskOptions(_Options):
    """Options of `mask`."""

    by: Literal["group", "dimension", "layer", "element"] = Field(
        "group",
        title="What comes whole from one parent",
        description="what is handed down whole; group: a dimension in all layers of a group",
        json_schema_extra={"labels": TRAITS} | NO_HELP,
    )
    share: Share = Field(
        0.5,
        title="Who it takes after",
        description="the chance that what is handed down whole comes from the father",
        json_schema_extra=NO_HELP,
    )
    run: float = Field(
        32,
        ge=1,
        title="Traits that stay together",
        description="how many dimensions side by side are drawn together, on average",
        json_schema_extra={"help": "So many neighbouring traits come from the same parent, on average."},
    )
    file: Path | None = Field(
        None,
        description="a mask of zeros and ones to use instead: [L, D], [D] or [L, 1] in a .pt, .npy, .safetensors",
    )
    mask: Annotated[list[Any] | None, BeforeValidator(_as_lists)] = Field(
        None, description="the same as a list or, in Python, a tensor"
    )

    @model_validator(mode="after")
    def _one_mask(self) -> "MaskOptions":
        if self.file is not None and self.mask is not None:
            raise ValueError("give the mask as 'file' or as 'mask', not both")
        return self


class LearnedOptions(_Options):
    """Options of `learned`."""

    weights: Path | None = Field(
        None, description="the trained network, .safetensors or .pt; default: the pack's own"
    )
    share: Share = Field(
        0.5,
        title="Who it takes after",
        description="moves all weights: 0.5 as the network gives them, 0 mother, 1 father",
        json_schema_extra=NO_HELP,
    )
    symmetric: bool = Field(
        False,
        title="Treat both parents alike",
        description="ask in both orders and average, so that parents count alike",
        json_schema_extra={"help": "The child is the same whoever of them is the father."},
    )
    edits: bool = Field(
        False,
        title="Change age and expression, too",
        description="move the child along the directions that the network was trained with",
        json_schema_extra={"help": "As the network learned it from families."},
    )
