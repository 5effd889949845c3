"""Boundaries between high and low values of an attribute, as InterFaceGAN has them (Shen et al. 2020), and how well
they tell faces apart that they were not fitted to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from kinblend.errors import ModelError
from kinblend_plugins.interfacegan.training.regression import FOLDS, r_squared

if TYPE_CHECKING:
    from kinblend_plugins.interfacegan.training.rated_attributes import Attribute

COST = 1e-4  # of a face on the wrong side


def boundary(x: Tensor, attribute: Attribute) -> Tensor:
    """The normal [m] of the plane between high and low values. x: codes [n, m], float64, centred.

    Of a label these are its two values, of a rating its upper and its lower third.
    Raises `ModelError` where scikit-learn is missing.
    """
    z, back = _in_rows(x)
    used, high = _sides(torch.tensor(attribute.values, dtype=torch.float64), attribute.is_label)
    normal, _ = _fitted(z[used], high[used])
    return back @ normal


def cross_validated(x: Tensor, attribute: Attribute) -> dict[str, float]:
    """The boundary's own figures, by five-fold cross-validation: of faces that it was not fitted to.

    accuracy: the share of faces on the right side, of a rating among its upper and lower third; chance: the share of
    the larger side. r2: of a line from the distance to the plane to the value, fitted to the other faces too.
    """
    z, _ = _in_rows(x)
    values = torch.tensor(attribute.values, dtype=torch.float64)
    used, high = _sides(values, attribute.is_label)
    fold = torch.arange(len(values)) % FOLDS
    found, right = torch.zeros_like(values), torch.zeros_like(high)
    for k in range(FOLDS):
        kept = fold != k
        normal, offset = _fitted(z[kept & used], high[kept & used])
        distance = z @ normal + offset
        right[~kept] = (distance[~kept] > 0) == high[~kept]
        centre, level = distance[kept].mean(), values[kept].mean()
        slope = ((distance[kept] - centre) @ (values[kept] - level)) / (distance[kept] - centre).square().sum()
        found[~kept] = level + slope * (distance[~kept] - centre)
    share = float(high[used].double().mean())
    return {
        "accuracy": round(float(right[used].double().mean()), 4),
        "chance": round(max(share, 1 - share), 4),
        "r2": round(r_squared(values, found), 4),
    }


def _sides(values: Tensor, label: bool) -> tuple[Tensor, Tensor]:
    """Which faces are used, and which of all are high: bool [n] each."""
    if label:
        return torch.ones_like(values, dtype=torch.bool), values > 0.5
    low, high = values.quantile(1 / 3), values.quantile(2 / 3)
    if low == high:  # most have one and the same value
        return torch.ones_like(values, dtype=torch.bool), values > values.mean()
    return (values <= low) | (values >= high), values >= high


def _in_rows(x: Tensor) -> tuple[Tensor, Tensor]:
    """Codes in as few numbers as there are codes, [n, k], with the same products; and the matrix [m, k] that leads
    back. A plane's normal is a sum of codes, so nothing is lost."""
    left, sizes, right = torch.linalg.svd(x, full_matrices=False)
    return left * sizes, right.T


def _fitted(z: Tensor, high: Tensor) -> tuple[Tensor, float]:
    """The plane's normal [k] and offset."""
    try:
        from sklearn.svm import LinearSVC
    except ImportError as error:
        raise ModelError("the method svm needs scikit-learn; install it as `pip install kinblend[train]`") from error
    machine: Any = LinearSVC(C=COST, dual=True, random_state=0, max_iter=20000)
    machine.fit(z.numpy(), high.numpy())
    return torch.from_numpy(machine.coef_[0].copy()), float(machine.intercept_[0])
