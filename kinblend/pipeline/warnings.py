"""What of a run will hardly give what is meant by it: a line each, for the manifest and the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kinblend.errors import KinblendError, wrap_plugin_errors
from kinblend.identity import load_identity
from kinblend.pipeline.request import edit_warnings
from kinblend.plugins import load_plugins

if TYPE_CHECKING:
    from kinblend.interfaces import Blender, Editor
    from kinblend.pipeline.age_and_sex import ChildSpec
    from kinblend.pipeline.result import Parent


def about_edits(editor: Editor | None, children: Sequence[ChildSpec]) -> list[str]:
    """Edits of the children, their ages among them, beyond what the editor was fitted for."""
    if editor is None:
        return []
    return list(dict.fromkeys(line for child in children for line in edit_warnings(editor, child.all_edits)))


def about_blender(blender: Blender) -> list[str]:
    """What a strategy says of its own options. Raises `PluginError` where it fails."""
    with wrap_plugin_errors(blender.title):
        return [str(line) for line in blender.warnings()]


def about_siblings(blender: Blender, children: Sequence[ChildSpec], *, varied: bool = False) -> list[str]:
    """Several children by a strategy that does not look at the seed. varied: siblings or mutations were asked for."""
    if len(children) < 2 or blender.stochastic or varied:
        return []
    differ = len({child.sex for child in children}) > 1
    said = f"{blender.title} makes the same child of every seed: these {len(children)} "
    others = " or ".join(f"'{name}'" for name in _stochastic_blenders())
    offer = f"; for others use {others}, or ask for siblings" if others else "; for others ask for siblings"
    return [said + ("differ in sex alone" if differ else "are all the same") + offer]


def about_parents(father: Parent, mother: Parent, cosine: float) -> list[str]:
    """One photograph given twice, also under another name or in another format; or two of one person.

    cosine: between the embeddings of both faces.
    """
    same_source = bool(father.source) and father.source == mother.source and father.face == mother.face
    if same_source or (father.crop.size == mother.crop.size and father.crop.tobytes() == mother.crop.tobytes()):
        return ["father and mother are the same photograph: the child is of one person"]
    network = load_identity()
    alike = network.scale.same_person if network.scale else None
    if alike is None or cosine < alike:
        return []
    return [
        f"father and mother look like one person: by {network.name} they are as alike ({cosine:.2f}) as two "
        f"photographs of one person ({alike:.2f})"
    ]


def about_photographs(father: Parent, mother: Parent) -> list[str]:
    """What of the parents' photographs may spoil a child."""
    people = {"father": father, "mother": mother}
    return [f"the {who}'s picture: {line}" for who, parent in people.items() for line in parent.warnings]


def _stochastic_blenders() -> list[str]:
    """The names of strategies that draw from the seed, the most preferred first."""
    found = []
    for spec in load_plugins()["blender"].by_preference():
        try:
            draws = bool(getattr(spec.load(), "stochastic", False))
        except KinblendError:  # whoever uses it is told
            continue
        if draws:
            found.append(spec.name)
    return found
