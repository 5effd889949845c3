"""The directions that a backbone's pack brings, as `kinblend train directions` writes them."""

import json
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from kinblend import LatentSpace
from kinblend.errors import PackError
from kinblend_plugins.interfacegan.directions import to_code_shape

# Targets that are words, in standard deviations from the mean of all faces: where two groups of equal size make up
# most of a scale's variance, each group's mean lies about one standard deviation from the middle.
WORDS = {"gender": {"female": -1.0, "male": 1.0}}
DESCRIPTION = "attributes"  # key of the metadata: JSON, a description for each attribute


@dataclass(frozen=True)
class Direction:
    """How one attribute is moved and read.

    step: the change by one standard deviation, float32 [L, D]. reader: its product with a code, plus `bias`, is the
    attribute in standard deviations from the mean; None where nothing is known of it. path: the change at each of
    `knots`, float32 [K, L, D], where one step does not fit all. facts: as `kinblend.training.directions` describes.
    """

    step: Tensor
    note: str
    reader: Tensor | None = None
    path: Tensor | None = None
    facts: dict = field(default_factory=dict)

    def reading(self, codes: Tensor) -> Tensor:
        """The attribute of codes [n, L, D], in its own unit: float32 [n]."""
        deviations = (codes * self.reader).sum((1, 2)) + self.facts["bias"]
        return deviations * self.facts["sd"] + self.facts["mean"]

    def targets(self, name: str) -> tuple[str, ...]:
        """The units and words in which the attribute of that name can be set; none where it can't be read."""
        if self.reader is None:
            return ()
        return (self.facts["unit"],) if self.facts.get("unit") else tuple(WORDS.get(name, ()))

    def change(self, codes: Tensor, strength: float) -> Tensor:
        """What an edit adds to codes [n, L, D]; on a path it depends on where each of them stands."""
        if self.path is None:
            return (strength * self.step).expand_as(codes)
        return self._along(self.after(codes, strength)) - self._along(self.reading(codes))

    def after(self, codes: Tensor, strength: float) -> Tensor:
        """The attribute that an edit aims at, for codes [n, L, D], in its own unit: float32 [n]."""
        even, grown = self._even(self.reading(codes)) + strength * self.facts["sd"], self.facts.get("grown", 0.0)
        return torch.where(even < grown, grown * (even / max(grown, 1.0) - 1).exp(), even)

    def strength_to(self, code: Tensor, value: float) -> float:
        """The strength that takes a code [L, D] to a value in the attribute's own unit."""
        here, there = self.reading(code[None]), torch.tensor([value])
        return float((self._even(there) - self._even(here))[0]) / self.facts["sd"]

    def strength_to_word(self, code: Tensor, deviations: float) -> float:
        """The strength that takes a code [L, D] to so many standard deviations from the mean; 0 where it is already
        there or beyond."""
        away = deviations - (float(self.reading(code[None])[0]) - self.facts["mean"]) / self.facts["sd"]
        return away if away * deviations > 0 else 0.0

    def _even(self, values: Tensor) -> Tensor:
        """Values on the scale that strengths are even on: childhood's years are the longer, the earlier they are."""
        grown = self.facts.get("grown", 0.0)
        if not grown:
            return values
        return torch.where(values < grown, grown * (1 + (values.clamp_min(1.0) / grown).log()), values)

    def _along(self, values: Tensor) -> Tensor:
        """The path at values [n], straight on beyond its ends: [n, L, D]."""
        knots = torch.tensor(self.facts["knots"])
        above = torch.searchsorted(knots, values).clamp(1, len(knots) - 1)
        share = (values - knots[above - 1]) / (knots[above] - knots[above - 1])
        share = torch.where(values > knots[-1], share, share.clamp(min=0))[:, None, None]
        return self.path[above - 1] * (1 - share) + self.path[above] * share


def read_packed(path: Path, space: LatentSpace) -> dict[str, Direction]:
    """The directions of a `directions.safetensors`. Raises `PackError` and `LatentShapeError`."""
    try:
        with safe_open(str(path), framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        facts = json.loads(metadata.get(DESCRIPTION, "{}"))
    except (OSError, SafetensorError, ValueError) as error:
        raise PackError(f"{path} is no file of directions: {error}") from error
    return {
        name: Direction(
            to_code_shape(tensor, space, f"direction '{name}' ({path.name})"),
            _note(facts[name]) if name in facts else metadata.get(name, ""),
            tensors.get(f"{name}.reader") if name in facts else None,
            tensors.get(f"{name}.path") if name in facts else None,
            facts.get(name, {}),
        )
        for name, tensor in tensors.items()
        if "." not in name
    }


def _note(facts: dict) -> str:
    unit = f", 1 is {facts['sd']:.0f} {facts['unit']}" if facts["unit"] else ""
    return f"+ is {facts['plus']}{unit}; R² {facts['r2']:.2f} on faces held out"
