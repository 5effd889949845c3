"""What clients may ask for, and what they are told: the models of the interface for programs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidatorFunctionWrapHandler, WrapValidator
from pydantic_core import PydanticCustomError

from kinblend.family_tree.people import Sex, TreeDefaults
from kinblend.pipeline.age_and_sex import DEFAULT_AGE, DEFAULT_SEX, OLDEST, YOUNGEST, AgeAndSex, SexChoice
from kinblend.pipeline.request import ChildOptions
from kinblend.pipeline.variation import MOST_MUTATION, MOST_SIBLINGS
from kinblend.web.problems import Problem

MAX_SEED = 2**53 - 1 - 64  # what JavaScript counts exactly, and room for brothers and sisters
MAX_CHILDREN = 8

Id = Annotated[str, Field(pattern="^[0-9a-f]{32}$")]
Strength = Annotated[float, Field(ge=-100, le=100)]
TargetText = Annotated[
    str, Field(pattern="^([0-9]{1,3}([.][0-9]{1,2})?y|[a-z]{1,32})$", description="years (8y), or a word (male)")
]
Upscaler = Annotated[str | None, Field(max_length=64)]
Name = Annotated[str, Field(min_length=1, max_length=24)]  # of a child, on a card
Title = Annotated[str, Field(max_length=60)]


def _edit(value: Any, check: ValidatorFunctionWrapHandler) -> Any:
    try:
        return check(value)
    except ValidationError:
        words = 'give a number from -100 to 100, or a target such as "8y" or "female"'
        raise PydanticCustomError("edit", words) from None


Edit = Annotated[Strength | TargetText, WrapValidator(_edit)]
Years = Annotated[float, Field(ge=YOUNGEST, le=OLDEST)]


class WebOptions(ChildOptions):
    """How a child is made of two parents; bounded more tightly than elsewhere."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    age: Years | None = Field(DEFAULT_AGE, description="in years; null: as old as the blend of the parents")
    sex: SexChoice | None = Field(
        DEFAULT_SEX, description="any: drawn from each child's seed; null: as the blend of the parents is"
    )
    edits: dict[str, Edit] = Field(
        {}, description="attribute → strength, or a target; one of age or gender takes the place of their defaults"
    )
    seed: int = Field(0, ge=0, le=MAX_SEED, description="everything random is drawn from it")

    @property
    def given(self) -> dict[str, Any]:
        """The fields of a `ChildRequest`; age and sex that nobody sent are asked for by default."""
        fields = {name: getattr(self, name) for name in ChildOptions.model_fields}
        return fields | {"by_default": tuple(sorted({"age", "sex"} - self.model_fields_set))}

    @property
    def age_and_sex(self) -> AgeAndSex:
        """Age and sex, with which of them nobody asked for."""
        return AgeAndSex(self.age, self.sex, frozenset(self.given["by_default"]))


class PreviewRequest(WebOptions):
    """One child, small and soon."""

    father: Id
    mother: Id


class ChildrenRequest(PreviewRequest):
    """Children of two photographs that were sent before."""

    children: int = Field(1, ge=1, le=MAX_CHILDREN, description="how many; each has a seed of its own")


class DirectRequest(WebOptions):
    """What the part `order` of a form with both photographs holds, as JSON."""

    children: int = Field(1, ge=1, le=MAX_CHILDREN)
    father_face: int | None = Field(
        None, ge=1, le=99, description="which face, from the left, where there are several"
    )
    mother_face: int | None = Field(None, ge=1, le=99)
    upscaler: Upscaler = Field(
        None, description="enlarges faces of less than 256 pixels; null: they stay as they are"
    )


class PartnerRequest(BaseModel):
    """The other parent of a child: two photographs that were sent before."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    child: Id
    parent: Id = Field(description="the parent who is known")
    age: Years | None = Field(None, description="of the other parent; null: 35, where the backbone knows ages")
    sex: Literal["female", "male"] | None = Field(
        None, description="of the other parent; null: the other one than the known parent seems to have"
    )
    inverse: float = Field(
        0.0, ge=0, le=1, description="how far from the known parent, beyond the child; 1: as if it were their average"
    )
    seed: int = Field(0, ge=0, le=MAX_SEED)


class TreePerson(BaseModel):
    """Somebody in a family tree, with the fields of the file that `kinblend tree` reads. photo: an id."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    name: str
    photo: Id | None = None
    father: str | None = Field(None, description="the name of another person")
    mother: str | None = None
    age: float | None = Field(None, description="in years; of a photograph, how old the person is in it")
    sex: Sex | None = None
    blender: str | None = Field(None, description="the strategy, of this child alone")
    blender_options: dict[str, Any] = {}
    siblings: float | None = Field(None, ge=0, le=MOST_SIBLINGS, description="how far from brothers and sisters")
    mutation: float | None = Field(None, ge=0, le=MOST_MUTATION, description="the share of neither parent")
    edits: dict[str, Edit] = {}
    seed: int | None = Field(None, ge=0, le=MAX_SEED)


class TreeRequest(TreeDefaults):
    """A family tree, as the file has it that `kinblend tree` reads."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    person: list[TreePerson]


class FaceChoice(BaseModel):
    """Which face of a photograph is meant."""

    model_config = ConfigDict(extra="forbid", strict=True)

    face: int = Field(ge=1, le=99, description="counted from the left")


class FaceAnswer(BaseModel):
    """A face of a photograph that has several. box: left, top, right, bottom, as shares of width and height."""

    number: int
    box: tuple[float, float, float, float]
    picture: str


class PhotoAnswer(BaseModel):
    """A photograph, looked at. ready: whether it is clear whose face is meant."""

    id: str
    ready: bool
    face: int | None = Field(description="the face that was chosen, where there are several")
    faces: list[FaceAnswer] = Field(description="empty where there is but one face")
    crop: str | None = Field(description="the face as it was cut out")
    warnings: list[str] = Field(description="what may spoil the child: sentences for people")
    small: bool = Field(description="whether the face is so small that an upscaler would help")


class AnalysisAnswer(BaseModel):
    """What an independent network sees in a child's picture: age in years; sex, and how sure it is, 0 to 1."""

    age: float | None
    sex: Literal["girl", "boy"] | None
    sex_confidence: float | None


class ChildAnswer(BaseModel):
    """One child. similarity: the cosine between its face's embedding and each parent's, in [−1, 1].

    age, sex: what was asked of it; null where nothing was. resemblance: what the similarity means, as a sentence.
    """

    number: int
    seed: int
    age: float | None
    sex: Literal["girl", "boy"] | None
    seen: AnalysisAnswer | None = Field(description="null unless the server asks a judge")
    similarity: dict[Literal["father", "mother"], float]
    resemblance: dict[str, str] | None = Field(description="null where no scale is known")
    picture: str
    png: str
    weights: str | None = Field(description="where its weight map is; null where the blend is no weighted sum")
    morph: str
    animation: str
    ages: str | None = Field(description="where it is at several ages; null where this backbone knows none")
    growing: str | None = Field(description="the same as an animation")


class OrderAnswer(BaseModel):
    """How far an order has come."""

    id: str
    status: Literal["queued", "running", "done", "failed"]
    stage: str | None
    ahead: int = Field(description="how many jobs wait before it")
    events: str
    problem: Problem | None
    warnings: list[str] = Field(description="what may spoil it: sentences for people")


class ChildrenAnswer(OrderAnswer):
    """How far an order has come, and what came of it."""

    children: list[ChildAnswer]
    sheet: str | None
    bundle: str | None


class PartnerAnswer(OrderAnswer):
    """The other parent, once the face is there. age, sex: that it was given; null where the backbone can't set it."""

    age: float | None
    sex: Literal["female", "male"] | None
    picture: str | None
    png: str | None


class TreePersonAnswer(BaseModel):
    """Somebody in a family tree. generation: 0 for the oldest. png: of predicted people, in full."""

    name: str
    generation: int
    father: str | None
    mother: str | None
    predicted: bool
    age: float | None
    sex: Literal["girl", "boy"] | None
    picture: str | None
    png: str | None


class TreeAnswer(OrderAnswer):
    """A family tree. stage: who is being made. done, total: how many are, and of how many."""

    done: int
    total: int
    people: list[TreePersonAnswer]
    picture: str | None
    png: str | None
    bundle: str | None


class TreeFileAnswer(TreeDefaults):
    """A family tree's file, read and checked but for its photographs, which it names."""

    person: list[dict[str, Any]]
    warnings: list[str]


class LayerWeights(BaseModel):
    """One layer of a weight map. values: the father's share of each dimension in use: 0 (mother) to 255 (father)."""

    layer: int
    part: str
    share: float
    values: list[int]


class StrategyAnswer(BaseModel):
    """A blender. options: the JSON schema of its options. stochastic: whether the seed changes its children.

    note: why it is not available on this backbone, where it is not: it has no weights for it.
    """

    name: str
    summary: str
    origin: str
    stochastic: bool
    available: bool
    note: str | None
    options: dict[str, Any]


class AttributeAnswer(BaseModel):
    """What an editor can move. units: units and words in which a target can be given, beside a strength."""

    name: str
    note: str
    units: list[str]
