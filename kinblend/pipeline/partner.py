"""The other parent's likely face: a blend, turned round.

If a child is the average of its parents, the other parent is twice the child less the known one. Real children are no
averages, so this is shrunk towards the average person, as families let one expect. Source of the task: StyleDiT (Chiu
et al. 2024, "StyleDiT: A Unified Framework for Diverse Child and Partner Faces Synthesis"); the method is a linear
regression with one coefficient for each of the two people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, cast

from kinblend.errors import UsageError
from kinblend.interfaces import SamplesLatents
from kinblend.pipeline.manifest import describe_plugin, versions
from kinblend.pipeline.request import edit_warnings, resolve_strengths, validate_edits
from kinblend.types import Latent, Target

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

    from kinblend.interfaces import Editor
    from kinblend.pipeline.engine import Engine
    from kinblend.pipeline.request import EditValue
    from kinblend.pipeline.result import Parent

PartnerSex = Literal["female", "male"]
OTHER: Mapping[PartnerSex, PartnerSex] = {"female": "male", "male": "female"}
ADULT = 35.0  # years that the other parent has where nobody says
# How much of what sets the child and the known parent apart from the average person the other parent is expected to
# have: benchmarks/partner.py fits them to families. An exact inverse of an average would be 2 and −1.
CHILD_SHARE, PARENT_SHARE = 0.9, 0.0


@dataclass(frozen=True)
class Partner:
    """The other parent, as predicted.

    picture: RGB. latent: what it was made of. sex, age: that it was given; None where the backbone can't set it.
    warnings: what of the photographs or the request may spoil it. record: how it was made, as JSON has it.
    """

    picture: Image
    latent: Latent
    sex: PartnerSex | None
    age: float | None
    warnings: Sequence[str]
    record: Mapping[str, Any]


def expected_code(
    child: Tensor,
    parent: Tensor,
    average: Tensor,
    child_share: float = CHILD_SHARE,
    parent_share: float = PARENT_SHARE,
) -> Tensor:
    """The other parent's code: average + child_share·(child − average) + parent_share·(parent − average).

    All float32 [L, D]. With shares of 2 and −1 it is exactly whose average with the parent is the child.

    Example:
        >>> import torch
        >>> father, mother, average = torch.ones(4, 512), torch.zeros(4, 512), torch.full((4, 512), 0.3)
        >>> found = expected_code((father + mother) / 2, father, average, 2, -1)
        >>> bool(torch.allclose(found, mother, atol=1e-6))
        True
    """
    return average + child_share * (child - average) + parent_share * (parent - average)


def likely_sex(editor: Editor, code: Tensor) -> PartnerSex | None:
    """Which sex a code, float32 [L, D], looks like: the nearer one; None where the editor can't tell."""
    if not {"female", "male"} <= set(editor.targets().get("gender", ())):
        return None
    away = {
        word: abs(resolve_strengths(editor, code, {"gender": Target(word)})["gender"]) for word in ("female", "male")
    }
    return cast("PartnerSex", min(away, key=lambda word: away[word]))


def plan_partner(editor: Editor, age: float | None, sex: PartnerSex | None) -> dict[str, EditValue]:
    """The edits that give everybody one age and, if it is named, one sex.

    age: None for ADULT, where the editor can set ages. Raises `UsageError` for what the editor can't do.
    """
    if sex is not None and sex not in OTHER:
        raise UsageError(f"sex {sex!r}: use female or male")
    wanted: dict[str, Any] = {}
    if age is None and "years" in editor.targets().get("age", ()):
        age = ADULT
    if age is not None:
        wanted["age"] = Target(float(age), "years")
    if sex is not None:
        wanted["gender"] = Target(sex)
    return validate_edits(editor, wanted)


def partner_latent(
    engine: Engine,
    child: Latent,
    parent: Latent,
    editor: Editor,
    edits: Mapping[str, EditValue],
    shares: tuple[float, float] = (CHILD_SHARE, PARENT_SHARE),
) -> Latent:
    """The other parent's latent. edits: their age and sex. shares: of child and parent, as for `expected_code`.

    Both people get a neutral expression and the other parent's age and sex before they are compared, so that what a
    child and a man differ in is not taken for what runs in the family.
    """
    people = [engine.edit(engine.neutral(one, editor), editor, edits) for one in (child, parent)]
    code = expected_code(people[0].code, people[1].code, _average(engine, people[0].code), *shares)
    return engine.edit(replace(people[0], code=code), editor, edits)


def predict_partner(
    engine: Engine,
    child: Parent,
    parent: Parent,
    editor: Editor | None = None,
    *,
    age: float | None = None,
    sex: PartnerSex | None = None,
    seed: int = 0,
) -> Partner:
    """Who the other parent of a child may be.

    child, parent: people whom `Engine.parent` found. age: of the other parent in years; None: 35, where the backbone
        can set ages. sex: theirs; None: the other one than the known parent seems to have. seed: of noise, where the
        projector draws any.
    Raises `UsageError` for an age or a sex that the backbone can't be asked for.
    """
    mover = editor or engine.editor()
    plan_partner(mover, age, sex)
    chosen = sex or _opposite(likely_sex(mover, parent.latent.code))
    edits = plan_partner(mover, age, chosen)
    latent = partner_latent(engine, child.latent, parent.latent, mover, edits)
    goal = edits.get("age")
    years = float(goal.value) if isinstance(goal, Target) else None
    record = {
        "versions": versions(),
        "backbone": engine.backbone.name,
        "latent_space": engine.backbone.space.sha256,
        "inputs": {"child": dict(child.source or {}), "parent": dict(parent.source or {})},
        "editor": describe_plugin(mover),
        "shares": {"child": CHILD_SHARE, "parent": PARENT_SHARE},
        "age": years,
        "sex": chosen,
        "sex_from": "option" if sex else "the known parent's",
        "seed": seed,
    }
    warnings = [*child.warnings, *parent.warnings, *edit_warnings(mover, edits)]
    return Partner(engine.render(latent, seed=seed), latent, chosen, years, warnings, record)


def _opposite(sex: PartnerSex | None) -> PartnerSex | None:
    return None if sex is None else OTHER[sex]


def _average(engine: Engine, like: Tensor) -> Tensor:
    """The average person's code; zero where the backbone draws nobody, as codes of such are about zero."""
    projector = engine.backbone.projector
    return projector.average() if isinstance(projector, SamplesLatents) else like.new_zeros(like.shape)
