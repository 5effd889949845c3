"""The editor. Source: Shen et al., InterFaceGAN, 2020 (sections 2.2 and 2.3, conditional manipulation)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from kinblend import AttributeLabel, Context, Editor, Target
from kinblend.errors import UnsupportedError, UsageError
from kinblend_plugins.interfacegan.direction_file import Direction, Packed, read_packed
from kinblend_plugins.interfacegan.directions import read_direction
from kinblend_plugins.interfacegan.labels import LABELS
from kinblend_plugins.interfacegan.layer_option import layer_slice

if TYPE_CHECKING:
    from pydantic import BaseModel

SOFT = 0.3  # standard deviations over which an attribute goes that a face can't have
MAX_SD = 2.5  # standard deviations by which a strength may be corrected
ROUNDS = 8  # in which targets are approached together


class DirectionEditor(Editor):
    """w + strength · direction, for several attributes at once.

    Directions come from the options and, for names not given there, from the pack's `directions.safetensors`. Those
    of the pack may be of codes with the mapping network's last leaky ReLU undone, where codes are nearly Gaussian.
    """

    def __init__(self, options: BaseModel, context: Context) -> None:
        super().__init__(options, context)
        packed = context.files.get("directions.safetensors")
        self._packed = Packed() if packed is None else read_packed(packed, self.space)
        self._given = {
            name: Direction(read_direction(path, name, self.space), f"from {path.name}")
            for name, path in self.options.directions.items()
        }
        self._directions = {**self._packed.directions, **self._given}
        for name in self.options.keep:
            self._known(name)
        self._layers = layer_slice(self.options.layers, self.space, context.layer_groups)

    def attributes(self) -> dict[str, str]:
        return {name: d.note for name, d in self._directions.items() if not d.facts.get("pose")}

    def labels(self) -> dict[str, AttributeLabel]:
        return {name: LABELS[name] for name in self.attributes() if name in LABELS}

    def edit(self, codes: Tensor, strengths: Mapping[str, float]) -> Tensor:
        plain = codes.float().cpu()
        before = self._packed.undo(plain)
        for name, strength in strengths.items():
            if self._is_plain(name):
                plain = plain + self._change(name, plain, strength)
        start = self._packed.undo(plain)
        moved = start.clone()
        for name, strength in strengths.items():
            if not self._is_plain(name):
                moved = moved + self._change(name, before, strength)
        for name, direction in self._directions.items():
            if "unless" in direction.facts and name not in strengths:
                moved = moved + self._inside(self._outgrown(direction, before, moved, strengths))
        for name, which in self._held(strengths).items():
            moved = moved + self._inside(self._brought_back(self._known(name), which, before, moved))
        edited = torch.where(moved == start, plain, self._packed.redo(moved))
        for name, direction in self._directions.items():
            if "removed" in direction.facts and name not in strengths:
                edited = edited + self._inside(self._removed(direction, before, edited, strengths))
        return self._with_kept(before, edited, [name for name in self.options.keep if name not in strengths]).to(
            codes
        )

    def _is_plain(self, name: str) -> bool:
        """Whether a direction is of codes as they are: a user's, or one that was published so."""
        return name in self._given or bool(self._known(name).facts.get("plain"))

    def _change(self, name: str, codes: Tensor, strength: float) -> Tensor:
        """What an edit adds to codes [n, L, D] in the layers that it touches."""
        return self._inside(self._without_kept(name, self._known(name).change(codes, strength)[:, self._layers]))

    def _inside(self, change: Tensor) -> Tensor:
        """A change of the layers that may be touched, or of all, as one of all: [n, L, D], zero elsewhere."""
        whole = change.new_zeros(len(change), self.space.layers, self.space.dim)
        whole[:, self._layers] = change if change.shape[1] < self.space.layers else change[:, self._layers]
        return whole

    def _held(self, strengths: Mapping[str, float]) -> dict[str, str]:
        """Attributes that the edits take along: they stay as they are ("both") or grow no further ("more")."""
        found: dict[str, str] = {}
        for name in strengths:
            found |= self._known(name).facts.get("holds", {})
        return {name: which for name, which in found.items() if self._is_readable(name) and name not in strengths}

    def _is_readable(self, name: str) -> bool:
        """Whether a code tells how much of an attribute it has: a user's own direction only moves codes."""
        return name in self._directions and self._known(name).reader is not None

    def _brought_back(self, direction: Direction, which: str, codes: Tensor, edited: Tensor) -> Tensor:
        """What takes from edited codes [n, L, D] how far an attribute went along with the edits."""
        gone = (direction.reading(edited) - direction.reading(codes)) / direction.facts["sd"]
        gone = gone.clamp(min=0) if which == "more" else gone
        return self._moved_back(gone, direction, direction.step)

    @staticmethod
    def _moved_back(gone: Tensor, direction: Direction, step: Tensor) -> Tensor:
        """The change along `step` by which an attribute's reading falls by `gone` [n] standard deviations."""
        assert direction.reader is not None, "nothing is known of how to read it"
        result: Tensor = -(gone / (step * direction.reader).sum())[:, None, None] * step
        return result

    def _with_kept(self, before: Tensor, edited: Tensor, names: Sequence[str]) -> Tensor:
        """Edited codes [n, L, D], moved until the attributes to keep are read as before; `before` is undone."""
        kept = [(self._is_plain(name), self._known(name)) for name in names if self._known(name).reader is not None]
        for _ in range(ROUNDS if kept else 0):
            for plain, direction in kept:
                undone, step = self._packed.undo(edited), self._inside(direction.step[None, self._layers])[0]
                gone = direction.deviations(undone) - direction.deviations(before)
                back = self._moved_back(gone, direction, step)
                edited = edited + back if plain else self._packed.redo(undone + back)
        return edited

    def _outgrown(
        self, direction: Direction, codes: Tensor, edited: Tensor, strengths: Mapping[str, float]
    ) -> Tensor:
        """What takes from edited codes [n, L, D] an attribute that they can't have any more: a beard at eight."""
        lost = self._below(direction.facts["unless"], codes, edited, strengths)
        excess = (direction.reading(edited) - direction.facts["none"]).clamp(min=0) / direction.facts["sd"]
        result: Tensor = -(lost * excess)[:, None, None] * direction.step
        return result

    def _removed(self, direction: Direction, codes: Tensor, edited: Tensor, strengths: Mapping[str, float]) -> Tensor:
        """What takes from edited codes [n, L, D] what no child has: stubble, of the boys among them.

        The same amount goes from each; where the direction has a reader, so does what is read after that above
        "none", by "most" standard deviations at most. codes: undone, from before the edits.
        """
        facts, undone = direction.facts["removed"], self._packed.undo(edited)
        lost = self._below(facts["unless"], codes, undone, strengths)
        for other, limit in facts["of"].items():
            share = (self._reached(other, codes, undone, strengths) - limit) / (SOFT * self._known(other).facts["sd"])
            lost = lost * share.clamp(0, 1)
        amount = torch.full_like(lost, facts["amount"])
        if direction.reader is not None:
            left = self._packed.undo(edited - facts["amount"] * direction.step)
            above = (direction.reading(left) - facts["none"]) / direction.facts["sd"]
            amount = amount + above.clamp(0, facts["most"])
        return -(lost * amount)[:, None, None] * direction.step

    def _below(
        self, limits: Mapping[str, float], codes: Tensor, edited: Tensor, strengths: Mapping[str, float]
    ) -> Tensor:
        """How far, from 0 to 1, the edits bring codes below one of these values of other attributes: [n]."""
        lost = codes.new_zeros(len(codes))
        for other, limit in limits.items():
            if strengths.get(other, 0) < 0 and self._is_readable(other):
                reached = self._reached(other, codes, edited, strengths)
                share = (limit - reached) / (SOFT * self._known(other).facts["sd"])
                lost = torch.maximum(lost, share.clamp(0, 1))
        return lost

    def _reached(self, name: str, codes: Tensor, edited: Tensor, strengths: Mapping[str, float]) -> Tensor:
        """An attribute of codes [n, L, D] after the edits, in its own unit: [n]; both undone.

        What years a place along the direction of age means differs between girls and boys, so it is read from the
        edited codes where readings tell what is seen.
        """
        known = self._known(name)
        return known.reading(edited) if known.calibrated else known.after(codes, strengths.get(name, 0.0))

    def targets(self) -> dict[str, Sequence[str]]:
        found = {name: self._directions[name].targets(name) for name in self.attributes()}
        return {name: targets for name, targets in found.items() if targets}

    def strength_ranges(self) -> dict[str, tuple[float, float]]:
        found = {
            name: self._directions[name].fitted_strengths for name in self.attributes() if name not in self._given
        }
        return {name: span for name, span in found.items() if span is not None}

    def target_ranges(self) -> dict[str, tuple[float, float]]:
        found = {name: self._directions[name].fitted_values for name in self.attributes()}
        return {name: span for name, span in found.items() if span is not None}

    def strength_for_target(self, code: Tensor, attribute: str, value: float | str, unit: str) -> float:
        direction = self._known(attribute)
        if (unit or value) not in direction.targets(attribute):
            raise UnsupportedError(f"{attribute} of {self.space.backbone} has no target {value} {unit}".rstrip())
        code = self._packed.undo(code)
        if isinstance(value, str):
            return direction.strength_to_word(code, attribute, value)
        return direction.strength_to(code, value)

    def strengths_for_targets(self, code: Tensor, targets: Mapping[str, Target]) -> dict[str, float]:
        found = dict(super().strengths_for_targets(code, targets))
        first = dict(found)
        solved = {name: goal for name, goal in targets.items() if self._known(name).calibrated}
        for _ in range(ROUNDS if len(solved) > 0 else 0):
            edited = self._packed.undo(self.edit(code[None], found))[0]
            for name, goal in solved.items():
                wanted = self._corrected(name, goal, edited, found[name])
                # Edits that work against each other must not drive one another on and on.
                found[name] = min(max(wanted, first[name] - MAX_SD), first[name] + MAX_SD)
        return found

    def _corrected(self, name: str, goal: Target, edited: Tensor, strength: float) -> float:
        """A strength that brings an attribute nearer to its target than `strength`, which made the code `edited`."""
        direction = self._known(name)
        if isinstance(goal.value, str):
            return direction.strength_to_word(edited, name, goal.value, strength)
        return strength + direction.strength_to(edited, goal.value)

    def neutral_strengths(self, code: Tensor) -> dict[str, float]:
        strengths: dict[str, float] = {}
        code = self._packed.undo(code.float())
        for name, direction in self._directions.items():
            if "neutral" not in direction.facts or direction.reader is None:
                continue
            away = direction.facts["neutral"] - float(direction.reading(code[None])[0])
            if away < 0 or direction.facts["neutral_from"] == "both":
                strengths[name] = away / direction.facts["sd"]
        return strengths

    def _without_kept(self, name: str, change: Tensor) -> Tensor:
        """A change [n, l, D] without what it shares, in these layers, with attributes to keep that can't be read."""
        basis: list[Tensor] = []
        for other in self.options.keep:
            if other == name or self._known(other).reader is not None:
                continue
            kept = self._known(other).step[self._layers].clone()
            for axis in basis:
                kept -= (kept * axis).sum() * axis
            if kept.norm() > 1e-6:
                basis.append(kept / kept.norm())
        for axis in basis:
            change = change - (change * axis).sum((1, 2), keepdim=True) * axis
        return change

    def _known(self, name: str) -> Direction:
        try:
            return self._directions[name]
        except KeyError:
            names = ", ".join(self._directions) or "none; give the option directions"
            raise UsageError(
                f"there is no direction '{name}' for {self.space.backbone}; there are: {names}"
            ) from None
