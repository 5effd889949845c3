"""What each regulariser and each alternative is worth: the grid, and its table."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from kinblend.datasets import Trios, read_table
from kinblend.files import atomic_write
from kinblend.training.ranks import Ranks
from kinblend_plugins.blenders.proxy import Bridge
from kinblend_plugins.blenders.training.options import TrainOptions
from kinblend_plugins.blenders.training.session import Session

# Each row changes one thing about the options that were given.
GRID: Mapping[str, Mapping[str, Any]] = {
    "as given": {},
    "without noise": {"noise": 0.0},
    "without dropout": {"dropout": (0.0, 0.0)},
    "without swap": {"swap": False},
    "without mirrored pictures": {"mirrored": ()},
    "without weight decay": {"weight_decay": 0.0},
    "without clipping": {"clip": 0.0},
    "without plateau schedule": {"plateau": False},
    "without moving average": {"average": 0.0},
    "without early stopping": {"patience": 10_000},
    "symmetric": {"symmetric": True},
    "full head": {"head": "full"},
    "low-rank head": {"head": "low-rank"},
    "per-layer head": {"head": "per-layer"},
    "element head": {"head": "element"},
    "loss of the student report alone": {"contrast": 0.0},
    "contrast 0.5": {"contrast": 0.5},
    "pre-trained": {"pretrain": 3},
    "children shuffled": {"shuffle_children": True},
}
COLUMNS = ("options", "epoch", "train_loss", "val_loss", "val_cosine", "val_auc", "parameters")


def ablate(
    options: TrainOptions,
    trios: Trios,
    bridge: Bridge,
    mirrored: Trios | None,
    steps: Mapping[str, Tensor],
    out: Path,
    log: Callable[[str], None],
    ranks: Ranks | None = None,
) -> Path:
    """Train each row of the grid and write the table, a CSV at `out`. Rows that stand there are not trained again.

    ranks: as for `Session`; the first process writes. Each row's figures are those of its best epoch.
    """
    done = {row["options"]: dict(row) for _, row in read_table(out).rows} if out.is_file() else {}
    rows = list(done.values())
    if ranks is not None:
        ranks.wait()  # until all have read the table
    for name, changes in _grid(options):
        if name in done:
            continue
        changed = options.model_copy(update=dict(changes))
        seen = mirrored if changed.mirrored else None
        rows.append({"options": name, **run(Session(changed, trios, bridge, seen, steps, ranks=ranks))})
        if ranks is None or ranks.first:
            atomic_write(out, _csv(rows).encode())
        log(f"{name}: AUC {rows[-1]['val_auc']}")
    return out


def run(session: Session) -> dict[str, str]:
    """A whole training; the figures of its best epoch."""
    from kinblend_plugins.blenders.training.synthetic import pretrain

    session.fit(lambda _: None)
    pretrain(session)
    best: dict[str, float] = {}
    while not session.done:
        record = session.run_epoch()
        if session.stopping.waited == 0:
            best = record
    best["parameters"] = sum(tensor.numel() for tensor in session.network.parameters())
    return {name: f"{best[name]:.5g}" for name in COLUMNS[1:]}


def _grid(options: TrainOptions) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The rows that change something. Where the parents are the target there are no children to shuffle."""
    for name, changes in GRID.items():
        if options.target == "parents" and "shuffle_children" in changes:
            continue
        if not changes or any(getattr(options, key) != value for key, value in changes.items()):
            yield name, changes


def _csv(rows: list[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
