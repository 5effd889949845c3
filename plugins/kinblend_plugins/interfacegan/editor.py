"""The editor. Source: Shen et al., InterFaceGAN, 2020 (sections 2.2 and 2.3, conditional manipulation)."""

import torch

from kinblend import Editor
from kinblend.errors import UnsupportedError, UsageError
from kinblend_plugins.interfacegan.directions import read_direction
from kinblend_plugins.interfacegan.packed import WORDS, Direction, read_packed

SOFT = 0.3  # standard deviations over which an attribute goes that a face can't have


class DirectionEditor(Editor):
    """w + strength · direction, for several attributes at once.

    Directions come from the options and, for names not given there, from the pack's `directions.safetensors`.
    """

    def __init__(self, options, context):
        super().__init__(options, context)
        packed = context.files.get("directions.safetensors")
        self._directions = {} if packed is None else read_packed(packed, self.space)
        for name, path in options.directions.items():
            self._directions[name] = Direction(read_direction(path, name, self.space), f"from {path.name}")
        for name in options.keep:
            self._known(name)
        first, last = options.layers or (0, self.space.layers - 1)
        if not 0 <= first <= last < self.space.layers:
            raise UsageError(f"layers {first}-{last}: use 0 to {self.space.layers - 1}")
        self._layers = slice(first, last + 1)

    def attributes(self):
        return {name: d.note for name, d in self._directions.items() if not d.facts.get("pose")}

    def edit(self, codes, strengths):
        edited, before = codes.clone(), codes.float().cpu()
        for name, strength in strengths.items():
            change = self._known(name).change(before, strength)[:, self._layers]
            edited[:, self._layers] += self._without_kept(name, change).to(codes)
        for name, direction in self._directions.items():
            if "unless" in direction.facts and name not in strengths:
                lost = self._outgrown(direction, before, edited.float().cpu(), strengths)
                edited[:, self._layers] += lost[:, self._layers].to(codes)
        return edited

    def _outgrown(self, direction, codes, edited, strengths):
        """What takes from edited codes [n, L, D] an attribute that they can't have any more: a beard at eight."""
        lost = codes.new_zeros(len(codes))
        for other, limit in direction.facts["unless"].items():
            if strengths.get(other, 0) < 0:
                known = self._known(other)
                share = (limit - known.after(codes, strengths[other])) / (SOFT * known.facts["sd"])
                lost = torch.maximum(lost, share.clamp(0, 1))
        excess = (direction.reading(edited) - direction.facts["none"]).clamp(min=0) / direction.facts["sd"]
        return -(lost * excess)[:, None, None] * direction.step

    def targets(self):
        found = {name: self._directions[name].targets(name) for name in self.attributes()}
        return {name: targets for name, targets in found.items() if targets}

    def strength_towards(self, code, attribute, value, unit):
        direction = self._known(attribute)
        if (unit or value) not in direction.targets(attribute):
            raise UnsupportedError(f"{attribute} of {self.space.backbone} has no target {value} {unit}".rstrip())
        if isinstance(value, str):
            return direction.strength_to_word(code, WORDS[attribute][value])
        return direction.strength_to(code, value)

    def neutral(self, code):
        strengths = {}
        for name, direction in self._directions.items():
            if "neutral" not in direction.facts or direction.reader is None:
                continue
            away = direction.facts["neutral"] - float(direction.reading(code[None])[0])
            if away < 0 or direction.facts["neutral_from"] == "both":
                strengths[name] = away / direction.facts["sd"]
        return strengths

    def _without_kept(self, name, change):
        """A change [n, l, D] without what it shares, in these layers, with the attributes to keep."""
        basis = []
        for other in self.options.keep:
            if other == name:
                continue
            kept = self._known(other).step[self._layers].clone()
            for axis in basis:
                kept -= (kept * axis).sum() * axis
            if kept.norm() > 1e-6:
                basis.append(kept / kept.norm())
        for axis in basis:
            change = change - (change * axis).sum((1, 2), keepdim=True) * axis
        return change

    def _known(self, name):
        try:
            return self._directions[name]
        except KeyError:
            names = ", ".join(self._directions) or "none; give --set editor.directions"
            raise UsageError(
                f"there is no direction '{name}' for {self.space.backbone}; there are: {names}"
            ) from None
