"""The directions that a backbone's pack brings, as `kinblend train directions` writes them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kinblend import LatentSpace
from kinblend.errors import PackError
from kinblend.tensor_files import SafetensorError, safe_open
from kinblend_plugins.interfacegan.curve import Curve, interpolate
from kinblend_plugins.interfacegan.directions import to_code_shape

# Targets that are words, in standard deviations from the mean of all faces, for files that name none of their own:
# where two groups of equal size make up most of a scale's variance, each group's mean lies about one standard
# deviation from the middle.
WORDS = {"gender": {"female": -1.0, "male": 1.0}}
SPREAD = 3.0  # standard deviations about the mean in which nearly all faces lie that a direction was fitted to
DESCRIPTION = "attributes"  # key of the metadata: JSON, a description for each attribute
TURN = 2.0  # standard deviations in which one reader takes over from another, and by which they may differ
SLOPE = "slope"  # key of the metadata: of the mapping network's last leaky ReLU, which is undone before all else


@dataclass(frozen=True)
class Direction:
    """How one attribute is moved and read.

    step: the change by one standard deviation, float32 [L, D]. up: the same where a strength is positive; None where
    `step` holds both ways. reader: its product with a code, plus `bias`, is the attribute in standard deviations
    from the mean; None where nothing is known of it. up_reader: the same, plus "up_bias", for codes that lie above
    "turn", where one reader does not fit all. path: the change at each of `knots`, float32 [K, L, D], where
    no one step fits all. facts: as `training.rated_directions` describes. curve: what a reading in standard
    deviations means in the attribute's own unit, where that is calibrated; beside: the attribute that it depends on.
    slope: of the leaky ReLU that is undone in the codes it is given; a direction whose facts say "plain" reads and
    moves codes as they were before.
    """

    step: Tensor
    note: str
    reader: Tensor | None = None
    path: Tensor | None = None
    up: Tensor | None = None
    facts: dict[str, Any] = field(default_factory=dict)
    curve: Curve | None = None
    beside: "Direction | None" = None
    slope: float = 1.0
    up_reader: Tensor | None = None

    @property
    def calibrated(self) -> bool:
        """Whether a reading after an edit tells what is seen, so that targets are solved for."""
        return self.reader is not None and bool(self.facts.get("calibrated"))

    def reading(self, codes: Tensor) -> Tensor:
        """The attribute of codes [n, L, D], in its own unit: float32 [n]."""
        deviations = self.deviations(codes)
        if self.curve is not None:
            return self.curve.value(deviations, self._others(codes))
        result: Tensor = deviations * self.facts["sd"] + self.facts["mean"]
        return result

    def targets(self, name: str) -> tuple[str, ...]:
        """The units and words in which the attribute of that name can be set; none where it can't be read."""
        if self.reader is None:
            return ()
        return (self.facts["unit"],) if self.facts.get("unit") else tuple(self._words(name))

    @property
    def fitted_strengths(self) -> tuple[float, float] | None:
        """Between which strengths of a mean face it was fitted; None where nothing is known of how to read it."""
        if self.reader is None:
            return None
        if self.curve is not None:
            return float(self.curve.at[0]), float(self.curve.at[-1])
        span = self.fitted_values
        if span is None:
            return -SPREAD, SPREAD
        ends = self._even(torch.tensor([*span, self.facts["mean"]]))
        low, high = ((ends[:2] - ends[2]) / self.facts["sd"]).tolist()
        return low, high

    @property
    def fitted_values(self) -> tuple[float, float] | None:
        """Between which values, in its own unit, an attribute was fitted; None where it has none or nobody knows."""
        if self.reader is None or not self.facts.get("unit"):
            return None
        if self.curve is not None:
            tables = torch.stack([self.curve.low, self.curve.high])
            return float(tables[:, 0].min()), float(tables[:, -1].max())
        knots = self.facts.get("knots")
        return (float(knots[0]), float(knots[-1])) if knots else None

    def change(self, codes: Tensor, strength: float) -> Tensor:
        """What an edit adds to codes [n, L, D]; on a path it depends on where each of them stands."""
        if self.path is None:
            step = self.up if strength > 0 and self.up is not None else self.step
            return (strength * step).expand_as(codes)
        return self._along(self.after(codes, strength)) - self._along(self.reading(codes))

    def after(self, codes: Tensor, strength: float) -> Tensor:
        """The attribute that an edit aims at, for codes [n, L, D], in its own unit: float32 [n]."""
        if self.curve is not None:
            return self.curve.value(self.deviations(codes) + strength, self._others(codes))
        even, grown = self._even(self.reading(codes)) + strength * self.facts["sd"], self.facts.get("grown", 0.0)
        return torch.where(even < grown, grown * (even / max(grown, 1.0) - 1).exp(), even)

    def strength_to(self, code: Tensor, value: float) -> float:
        """The strength that takes a code [L, D] to a value in the attribute's own unit."""
        if self.curve is not None:
            here = self.deviations(code[None])
            return float((self.curve.deviations(value, self._others(code[None])) - here)[0])
        here, there = self.reading(code[None]), torch.tensor([value])
        result: float = float((self._even(there) - self._even(here))[0]) / self.facts["sd"]
        return result

    def strength_to_word(self, code: Tensor, name: str, word: str, strength: float = 0.0) -> float:
        """The strength that takes a code [L, D] at least to the side that a word names, as far as it says; 0 where it
        is there already. strength: by which the code was moved before; it may be taken back, no further."""
        wanted = self._words(name)[word]
        away = strength + wanted - (float(self.reading(code[None])[0]) - self.facts["mean"]) / self.facts["sd"]
        return away if away * wanted > 0 else 0.0

    def _words(self, name: str) -> Mapping[str, float]:
        result: Mapping[str, float] = self.facts.get("words", WORDS.get(name, {}))
        return result

    def deviations(self, codes: Tensor) -> Tensor:
        """The attribute of codes [n, L, D] in standard deviations from the mean: float32 [n]."""
        if self.facts.get("plain"):
            codes = torch.where(codes < 0, codes * self.slope, codes)
        assert self.reader is not None, "nothing is known of how to read it"
        result: Tensor = (codes * self.reader).sum((1, 2)) + self.facts["bias"]
        if self.up_reader is None:
            return result
        # No further apart than this, a reading rises wherever both readers rise.
        apart = (codes * self.up_reader).sum((1, 2)) + self.facts["up_bias"] - result
        share = ((result - self.facts["turn"]) * 2 / TURN).sigmoid()
        both: Tensor = result + apart.clamp(-TURN, TURN) * share
        return both

    def _others(self, codes: Tensor) -> Tensor:
        """The attribute that the curve depends on: float32 [n]."""
        return codes.new_zeros(len(codes)) if self.beside is None else self.beside.reading(codes)

    def _even(self, values: Tensor) -> Tensor:
        """Values on the scale that strengths are even on: childhood's years are the longer, the earlier they are."""
        grown = self.facts.get("grown", 0.0)
        if not grown:
            return values
        return torch.where(values < grown, grown * (1 + (values.clamp_min(1.0) / grown).log()), values)

    def _along(self, values: Tensor) -> Tensor:
        """The path at values [n], straight on beyond its upper end: [n, L, D]."""
        knots = torch.tensor(self.facts["knots"])
        assert self.path is not None, "the direction has no path"
        return interpolate(values.clamp_min(knots[0]), knots, self.path)


@dataclass(frozen=True)
class Packed:
    """The directions of a file, and the slope of the leaky ReLU that is undone in the codes they are of; 1: none."""

    directions: Mapping[str, Direction] = field(default_factory=dict)
    slope: float = 1.0

    def undo(self, codes: Tensor) -> Tensor:
        """Codes as the directions take them."""
        return codes if self.slope == 1 else torch.where(codes < 0, codes / self.slope, codes)

    def redo(self, codes: Tensor) -> Tensor:
        """And back."""
        return codes if self.slope == 1 else torch.where(codes < 0, codes * self.slope, codes)


def read_packed(path: Path, space: LatentSpace) -> Packed:
    """The directions of a `directions.safetensors`. Raises `PackError` and `LatentShapeError`."""
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        facts, slope = json.loads(metadata.get(DESCRIPTION, "{}")), float(metadata.get(SLOPE, 1))
    except (OSError, SafetensorError, ValueError) as error:
        raise PackError(f"{path} is no file of directions: {error}") from error
    found = {
        name: Direction(
            to_code_shape(tensor, space, f"direction '{name}' ({path.name})"),
            _note(facts[name]) if name in facts else metadata.get(name, ""),
            tensors.get(f"{name}.reader") if name in facts else None,
            tensors.get(f"{name}.path") if name in facts else None,
            tensors.get(f"{name}.up") if name in facts else None,
            facts.get(name, {}),
            Curve.of(facts.get(name, {}).get("curve")),
            slope=slope,
            up_reader=tensors.get(f"{name}.up.reader") if name in facts else None,
        )
        for name, tensor in tensors.items()
        if "." not in name
    }
    beside = {name: found.get(facts[name]["curve"].get("beside")) for name in found if found[name].curve}
    return Packed(found | {name: replace(found[name], beside=other) for name, other in beside.items()}, slope)


def _note(facts: dict[str, Any]) -> str:
    unit = f", 1 is {facts['sd']:.0f} {facts['unit']}" if facts["unit"] else ""
    known = f"R² {facts['r2']:.2f} on faces held out" if "r2" in facts else f"from {facts['source']}"
    return f"+ is {facts['plus']}{unit}; {known}"
