"""The other parent's likely face: a blend, turned round.

If a child is the average of its parents, the other parent is the child, and as far again from the known one. Real
children are no averages, and on families that step made the prediction worse (docs/partner.md); so how much of it is
made is a number, 0 by default, and what is found is shrunk towards the average person. Source of the task: StyleDiT
(Chiu et al. 2024, "StyleDiT: A Unified Framework for Diverse Child and Partner Faces Synthesis"); the method is
another.
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
# What is left of what sets the other parent apart from the average person: with all of it, faces that were aged by
# decades come out withered.
KEPT = 0.7


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


def expected_code(child: Tensor, parent: Tensor, typical: Tensor, inverse: float = 0.0, kept: float = KEPT) -> Tensor:
    """The other parent's code: typical + kept·(child + inverse·(child − parent) − typical), all float32 [L, D].

    typical: of an average person of the other parent's age and sex.

    Example:
        >>> import torch
        >>> father, mother = torch.ones(4, 512), torch.zeros(4, 512)
        >>> found = expected_code((father + mother) / 2, father, father, inverse=1, kept=1)
        >>> bool((found == mother).all())
        True
    """
    return typical + kept * (child + inverse * (child - parent) - typical)


def likely_sex(editor: Editor, code: Tensor) -> PartnerSex | None:
    """Which sex a code, float32 [L, D], looks like: the nearer one; None where the editor can't tell."""
    if not {"female", "male"} <= set(editor.targets().get("gender", ())):
        return None
    away = {
        word: abs(resolve_strengths(editor, code, {"gender": Target(word)})["gender"]) for word in ("female", "male")
    }
    return cast("PartnerSex", min(away, key=lambda word: away[word]))


def plan_partner(
    editor: Editor, age: float | None, sex: PartnerSex | None, inverse: float = 0.0
) -> dict[str, EditValue]:
    """The edits that give everybody one age and, if it is named, one sex.

    age: None for ADULT, where the editor can set ages. Raises `UsageError` for what the editor can't do.
    """
    if sex is not None and sex not in OTHER:
        raise UsageError(f"sex {sex!r}: use female or male")
    if not 0 <= inverse <= 1:
        raise UsageError(f"inverse {inverse!r}: use 0 to 1")
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
    inverse: float = 0.0,
) -> Latent:
    """The other parent's latent. edits: their age and sex. inverse: as for `expected_code`.

    Both people get a neutral expression and the other parent's age and sex before they are compared, so that what a
    child and a man differ in is not taken for what runs in the family.
    """
    average = Latent(_average(engine), engine.backbone.space)
    calm = [engine.neutral(one, editor) for one in (child, parent)]
    one, other, typical = (engine.edit(person, editor, edits) for person in (*calm, average))
    return replace(one, code=expected_code(one.code, other.code, typical.code, inverse))


def predict_partner(
    engine: Engine,
    child: Parent,
    parent: Parent,
    editor: Editor | None = None,
    *,
    age: float | None = None,
    sex: PartnerSex | None = None,
    inverse: float = 0.0,
    seed: int = 0,
) -> Partner:
    """Who the other parent of a child may be.

    child, parent: people whom `Engine.parent` found. age: of the other parent in years; None: 35, where the backbone
        can set ages. sex: theirs; None: the other one than the known parent seems to have. inverse: how far from the
        known parent, beyond the child: 0 for the child's own face, grown up, 1 as if the child were the exact average
        of both. seed: of noise, where the projector draws any.
    Raises `UsageError` for an age or a sex that the backbone can't be asked for, and for an inverse out of range.
    """
    mover = editor or engine.editor()
    plan_partner(mover, age, sex, inverse)
    chosen = sex or _opposite(likely_sex(mover, parent.latent.code))
    edits = plan_partner(mover, age, chosen)
    latent = partner_latent(engine, child.latent, parent.latent, mover, edits, inverse)
    goal = edits.get("age")
    years = float(goal.value) if isinstance(goal, Target) else None
    record = {
        "versions": versions(),
        "backbone": engine.backbone.name,
        "latent_space": engine.backbone.space.sha256,
        "inputs": {"child": dict(child.source or {}), "parent": dict(parent.source or {})},
        "editor": describe_plugin(mover),
        "inverse": inverse,
        "age": years,
        "sex": chosen,
        "sex_from": "option" if sex else "the known parent's",
        "seed": seed,
    }
    warnings = [*child.warnings, *parent.warnings, *edit_warnings(mover, edits)]
    return Partner(engine.render(latent, seed=seed), latent, chosen, years, warnings, record)


def _opposite(sex: PartnerSex | None) -> PartnerSex | None:
    return None if sex is None else OTHER[sex]


def _average(engine: Engine) -> Tensor:
    """The average person's code, float32 [L, D]; zero where the generator draws nobody."""
    import torch

    projector, space = engine.backbone.projector, engine.backbone.space
    if isinstance(projector, SamplesLatents):
        return projector.average().clone()
    return torch.zeros(space.layers, space.dim)
