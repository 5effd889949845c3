"""A training's log as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kinblend.imaging.figures import new_figure, save_figure


def draw_curves(
    path: Path, records: Sequence[Mapping[str, Any]], baselines: Mapping[str, Mapping[str, float]]
) -> None:
    """Loss and AUC by epoch, with the validation figures of `average` as a line.

    Raises `UsageError` where matplotlib is missing.
    """
    figure = new_figure(8, 3)
    epochs = [record["epoch"] for record in records]
    losses, ranks = figure.subplots(1, 2)
    for key, name in (("train_loss", "training"), ("val_loss", "validation")):
        losses.plot(epochs, [record[key] for record in records], label=name)
    ranks.plot(epochs, [record["val_auc"] for record in records], label="validation", color="C1")
    for axes, key in ((losses, "loss"), (ranks, "auc")):
        axes.axhline(baselines["average"][key], color="grey", linestyle=":", label="average, validation")
        axes.set_xlabel("epoch")
        axes.set_ylabel({"loss": "loss", "auc": "AUC"}[key])
        axes.legend(fontsize=8)
    save_figure(figure, path)
