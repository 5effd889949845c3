"""Feature models: a face's code → an attribute. Ridge regression of numbers, logistic regression of classes.

Both are fitted on codes turned to their principal components, which changes neither: what they penalise is the length
of their weights, and that is the same in any orthonormal basis. Penalties are chosen on the faces that are fitted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

LEAST = 20  # faces that an attribute is fitted to
LEAST_OF_CLASS = 8
COMPONENTS = 512  # at most
PENALTIES = tuple(10.0**power for power in range(-4, 4))  # of squared weights, in mean variances of a component
FOLDS, ROUNDS, DRAWS = 5, 60, 1000


@dataclass(frozen=True)
class CodeBasis:
    """Codes as principal components. centre: [L · D]. axes: orthonormal, float64 [L · D, r]. shape: (L, D)."""

    centre: Tensor
    axes: Tensor
    shape: tuple[int, int]

    @classmethod
    def of(cls, codes: Tensor) -> CodeBasis:
        """The basis of codes [n, L, D]: as many components as vary, the most varying first."""
        flat = codes.flatten(1).double()
        centre = flat.mean(0)
        away = flat - centre
        values, vectors = torch.linalg.eigh(away @ away.T)
        kept = (values > 1e-9 * values.max().clamp_min(1e-30)).nonzero()[:, 0].flip(0)[:COMPONENTS]
        axes = away.T @ vectors[:, kept] / values[kept].sqrt()
        return cls(centre, axes, (codes.shape[1], codes.shape[2]))

    def components(self, codes: Tensor) -> Tensor:
        """Codes [n, L, D] → float64 [n, r]."""
        return (codes.flatten(1).double() - self.centre) @ self.axes

    def code(self, components: Tensor) -> Tensor:
        """What components [r] are of a code's change: float64 [L, D]."""
        return (self.axes @ components).view(self.shape)


@dataclass(frozen=True)
class Scores:
    """How a model does on faces that it was not fitted to.

    kind: "R²" of a number; "accuracy" of a class. value, with its 95 % interval over faces. baseline: of the mean, 0,
    or of always saying the most frequent class. correlation: of a number, read and true. faces: how many.
    """

    kind: str
    value: float
    low: float
    high: float
    baseline: float
    faces: int
    correlation: float | None = None


@dataclass(frozen=True)
class NumberModel:
    """weights: float64 [r], over components. bias: added. spread: standard deviation of the attribute over the faces
    that were fitted. penalty: the one that was chosen."""

    name: str
    weights: Tensor
    bias: float
    spread: float
    penalty: float

    def read(self, components: Tensor) -> Tensor:
        """The attribute of components [n, r]: float64 [n]."""
        return components @ self.weights + self.bias

    def score(self, components: Tensor, values: Tensor) -> Scores | None:
        """R² on faces, those without a value left out; None for fewer than three, or where all are alike."""
        known = ~values.isnan()
        if int(known.sum()) < 3:
            return None
        truth, found = values[known].double(), self.read(components[known])
        if float(truth.std()) < 1e-9:
            return None
        drawn = _drawn(len(truth))
        several = torch.stack([r_squared(truth[rows], found[rows]) for rows in drawn])
        low, high = _interval(several)
        both = float(torch.corrcoef(torch.stack([truth, found]))[0, 1].nan_to_num())
        return Scores("R²", float(r_squared(truth, found)), low, high, 0.0, len(truth), both)


@dataclass(frozen=True)
class ClassModel:
    """classes: words. weights: float64 [r, K]. bias: [K]. scale: of components, which are divided by it."""

    name: str
    classes: Sequence[str]
    weights: Tensor
    bias: Tensor
    scale: float
    penalty: float

    def read(self, components: Tensor) -> list[str]:
        """The likeliest class of each of components [n, r]."""
        best = (components / self.scale @ self.weights + self.bias).argmax(1)
        return [self.classes[int(at)] for at in best]

    def score(self, components: Tensor, words: Sequence[str]) -> Scores | None:
        """Accuracy on faces, those of no class left out; None for fewer than three."""
        known = [row for row, word in enumerate(words) if word]
        if len(known) < 3:
            return None
        truth = [words[row] for row in known]
        right = torch.tensor([float(a == b) for a, b in zip(truth, self.read(components[known]), strict=True)])
        low, high = _interval(right[_drawn(len(right))].mean(1))
        return Scores(
            "accuracy", float(right.mean()), low, high, max(Counter(truth).values()) / len(truth), len(truth)
        )


def fit_number(name: str, components: Tensor, values: Tensor) -> NumberModel | None:
    """Ridge regression (Hoerl & Kennard 1970) of values [n] on components [n, r]; NaN rows are left out.

    The penalty is the one with the least leave-one-out error, which the hat matrix tells (Allen 1974).
    None for too few faces, or where all are alike.
    """
    known = ~values.isnan()
    if int(known.sum()) < LEAST or float(values[known].std()) < 1e-6:
        return None
    y, x = values[known].double(), components[known]
    centre, level = x.mean(0), y.mean()
    left, sizes, right = torch.linalg.svd(x - centre, full_matrices=False)
    unit = float(sizes.square().mean())
    shrunk = {p: sizes.square() / (sizes.square() + p * unit) for p in PENALTIES}
    inside = left.T @ (y - level)

    def left_out(penalty: float) -> float:
        hat = 1 / len(y) + left.square() @ shrunk[penalty]
        residual = y - level - left @ (shrunk[penalty] * inside)
        return float((residual / (1 - hat).clamp_min(1e-6)).square().mean())

    best = min(PENALTIES, key=left_out)
    weights = right.T @ (shrunk[best] / sizes.clamp_min(1e-12) * inside)
    return NumberModel(name, weights, float(level - centre @ weights), float(y.std()), best)


def fit_class(name: str, components: Tensor, words: Sequence[str]) -> ClassModel | None:
    """Multinomial logistic regression with a penalty on squared weights, of words on components [n, r].

    Classes of fewer than eight faces are left out, as are faces of no class. The penalty is the one that is right
    most often in cross-validation. None where fewer than two classes are left."""
    counts = Counter(word for word in words if word)
    classes = sorted(word for word, count in counts.items() if count >= LEAST_OF_CLASS)
    if len(classes) < 2 or sum(counts[word] for word in classes) < LEAST:
        return None
    known = [row for row, word in enumerate(words) if word in classes]
    labels = torch.tensor([classes.index(words[row]) for row in known])
    x = components[known]
    scale = float(x.square().mean().sqrt())
    x = x / scale
    folds = torch.arange(len(x)) % FOLDS

    def wrong(penalty: float) -> float:
        count = 0
        for fold in range(FOLDS):
            weights, bias = _logistic(x[folds != fold], labels[folds != fold], len(classes), penalty)
            count += int(((x[folds == fold] @ weights + bias).argmax(1) != labels[folds == fold]).sum())
        return count

    best = min(PENALTIES[1:-1], key=wrong)
    weights, bias = _logistic(x, labels, len(classes), best)
    return ClassModel(name, classes, weights, bias, scale, best)


def _logistic(x: Tensor, labels: Tensor, count: int, penalty: float) -> tuple[Tensor, Tensor]:
    weights = torch.zeros(x.shape[1], count, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(count, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights, bias], max_iter=ROUNDS, line_search_fn="strong_wolfe")

    def closure() -> Any:
        optimiser.zero_grad()
        loss = F.cross_entropy(x @ weights + bias, labels) + penalty * weights.square().sum() / len(x)
        loss.backward()
        return loss

    with torch.enable_grad(), torch.inference_mode(False):
        optimiser.step(closure)
    return weights.detach(), bias.detach()


def r_squared(truth: Tensor, found: Tensor) -> Tensor:
    """1 less the squared error over the variance: float64 []."""
    spread = (truth - truth.mean()).square().sum().clamp_min(1e-12)
    return 1 - (truth - found).square().sum() / spread


def _drawn(count: int) -> Tensor:
    """Rows drawn with replacement: [DRAWS, count]."""
    return torch.randint(count, (DRAWS, count), generator=torch.Generator().manual_seed(0))


def _interval(values: Tensor) -> tuple[float, float]:
    return float(values.quantile(0.025)), float(values.quantile(0.975))
