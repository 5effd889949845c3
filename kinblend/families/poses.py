"""The angles of a prepared set, described."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kinblend.errors import InputError
from kinblend.storage.tables import read_table

NAMES = ("yaw", "pitch", "roll")
COLUMNS = (*NAMES, *(f"flat_{name}" for name in NAMES))


def read_angles(folder: str | Path) -> dict[str, list[float]]:
    """Degrees of every picture by column of index.csv, as `kinblend prepare` wrote it: the pose by the model of the
    head, and flat_ the estimate by five points in the plane. Raises `InputError`."""
    path = Path(folder) / "index.csv"
    if not path.is_file():
        raise InputError(f"{folder} has no index.csv: give a folder that `kinblend prepare` wrote")
    table = read_table(path)
    missing = [name for name in COLUMNS if name not in table.columns]
    if missing:
        raise InputError(f"{path} lacks {', '.join(missing)}; run `kinblend prepare` again")
    try:
        angles = {name: [float(row[name]) for _, row in table.rows] for name in COLUMNS}
    except (TypeError, ValueError) as error:
        raise InputError(f"{path} has an angle that is no number ({error}); run `kinblend prepare` again") from error
    if not angles["yaw"]:
        raise InputError(f"{path} lists no picture")
    return angles


def describe_angles(angles: Mapping[str, Sequence[float]]) -> dict[str, dict[str, float]]:
    """Of each column: count, mean, std (of a sample), min, the quartiles (25, 50, 75 %) and max; degrees.

    Of the flat estimates also `apart`, the mean distance from the model's angle, and `correlation` with it, where
    there are several pictures that differ.
    """
    import numpy as np

    described: dict[str, dict[str, float]] = {}
    for name in COLUMNS:
        values = np.array(angles[name])
        least, low, middle, high, most = np.percentile(values, [0, 25, 50, 75, 100])
        found: dict[str, Any] = {"count": len(values), "mean": values.mean()}
        found["std"] = values.std(ddof=1) if len(values) > 1 else 0.0
        found |= {"min": least, "25%": low, "50%": middle, "75%": high, "max": most}
        if name.startswith("flat_"):
            ours = np.array(angles[name.removeprefix("flat_")])
            found["apart"] = np.abs(values - ours).mean()
            if len(values) > 1 and values.std() and ours.std():
                found["correlation"] = np.corrcoef(values, ours)[0, 1]
        described[name] = {key: value if key == "count" else round(float(value), 2) for key, value in found.items()}
    return described
