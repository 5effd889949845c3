"""What a checkpoint holds, whoever wrapped it: tensors and settings by their dotted names, and the networks in them.

`{"state_dict": {"module.decoder.input.input": …}}` holds the tensor `state_dict.module.decoder.input.input`. A
network is found by the one tensor that every network of its kind has; what stands before that name is its prefix.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.errors import CheckpointError
from kinblend.storage.checkpoint_reader import checkpoint_format, read_safetensors, read_torch
from kinblend.storage.nvidia_pickles import MAX_ITEMS, MAX_NAME, Network, read_pickled
from kinblend.storage.plain_values import FileArray
from kinblend.storage.safe_pickle import Refused
from kinblend.tensor_files import safe_open

if TYPE_CHECKING:
    from torch import Tensor

AVERAGES = ("latent_avg", "w_avg", "mean_latent", "avg_latent", "latent_mean", "w_mean")
# Words in the names of a generator averaged over its training, and of the generator itself: the average is better.
AVERAGED = frozenset(("ema", "gema", "gs", "running", "smooth", "smoothed", "averaged"))
TRAINED = frozenset(("g", "generator", "decoder", "netg", "params"))
LOSSES = ("facenet", "id_loss", "arcface", "moco", "lpips", "discriminator")  # networks that only measure


@dataclass(frozen=True)
class Contents:
    """A checkpoint taken apart.

    tensors: by dotted name, in the order of the file. settings: all other plain values by dotted name
    ("opts.encoder_type").
    """

    path: Path
    tensors: Mapping[str, Tensor]
    settings: Mapping[str, Any]

    def prefixes(self, anchor: str) -> list[str]:
        """What stands before a tensor's name, wherever it is: "" or what ends with a dot. Losses are left out."""
        found = [name.removesuffix(anchor) for name in self.tensors if f".{name}".endswith(f".{anchor}")]
        return [prefix for prefix in found if not any(loss in prefix.lower() for loss in LOSSES)]

    def below(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin so, without that beginning."""
        return {name.removeprefix(prefix): t for name, t in self.tensors.items() if name.startswith(prefix)}

    def setting(self, name: str) -> Any:
        """The setting of that name that lies least deep; None where there is none."""
        found = [full for full in self.settings if full.rpartition(".")[2] == name]
        return self.settings[min(found, key=lambda full: full.count("."))] if found else None

    def average(self, prefix: str = "") -> Tensor | None:
        """The latent average in the shape it has: one below the prefix, else the one least deep, else None."""
        found = [name for name in self.tensors if name.rpartition(".")[2] in AVERAGES]
        nearest = [name for name in found if name.startswith(prefix)] or found
        return self.tensors[min(nearest, key=lambda name: name.count("."))] if nearest else None

    def find_generator(self, anchors: Iterable[str]) -> tuple[str, str] | None:
        """Anchor and prefix of the generator to take: one of weights averaged over the training, if any.

        anchors: for each kind of generator the name of a tensor that all of its kind have. None where there is none.
        Raises `CheckpointError` where nothing tells which of several is meant.
        """
        ranked = [(_rank(prefix), anchor, prefix) for anchor in anchors for prefix in self.prefixes(anchor)]
        best = [entry for entry in ranked if entry[0] == min(ranked)[0]]
        if len(best) > 1:
            names = ", ".join(prefix.rstrip(".") or "the file itself" for _, _, prefix in best)
            raise CheckpointError(f"{self.path} holds several generators ({names}); save the one that is meant alone")
        return best[0][1:] if best else None


def read_contents(path: Path) -> Contents | None:
    """A checkpoint taken apart; None where it is none of those that are read here. Raises `CheckpointError`."""
    read = _READERS.get(checkpoint_format(path))
    if read is None:
        return None
    tensors: dict[str, Tensor] = {}
    settings: dict[str, Any] = {}
    try:
        _flatten(read(path), tensors, settings)
    except Refused as error:
        raise CheckpointError(f"{path} is refused: {error}") from error
    return Contents(path, tensors, settings)


def _read_safetensors(path: Path) -> dict[str, Any]:
    """The tensors and the notes of a safetensors file, in which whoever converted one may have kept options."""
    tensors = read_safetensors(path)
    with safe_open(path) as file:
        return {**(file.metadata() or {}), **tensors}


_READERS: dict[str, Callable[[Path], Any]] = {
    "safetensors": _read_safetensors,
    "pickle": read_pickled,
    "torch": read_torch,
}


def _flatten(content: Any, tensors: dict[str, Tensor], settings: dict[str, Any]) -> None:
    """Walk dicts and namespaces. Raises `Refused` where they hold more than any network's file."""
    from torch import Tensor

    waiting: list[tuple[str, Any]] = [("", content)]
    seen = 0
    while waiting:
        prefix, held = waiting.pop()
        items = list(_items(held))
        seen += len(items)
        if seen > MAX_ITEMS or len(prefix) > MAX_NAME:
            raise Refused("it holds more than any network's file")
        below = []
        for key, value in items:
            name = f"{prefix}{key}"
            if isinstance(value, FileArray):
                value = value.tensor()
            if isinstance(value, Tensor):
                tensors[name] = value
            elif isinstance(value, Mapping) or hasattr(value, "__dict__") or _is_json(value):
                below.append((f"{name}.", value))
            elif value is None or isinstance(value, (bool, int, float, str)):
                settings[name] = value
        waiting += reversed(below)


def _items(held: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(held, Network):
        return [*held.tensors.items(), *held.settings.items()]
    if isinstance(held, str):
        held = json.loads(held)
    return held.items() if isinstance(held, Mapping) else getattr(held, "__dict__", {}).items()


def _is_json(value: Any) -> bool:
    """Whether a text holds settings, as some write them."""
    if not isinstance(value, str) or not value.startswith("{"):
        return False
    try:
        return isinstance(json.loads(value), dict)
    except (ValueError, RecursionError):
        return False


def _rank(prefix: str) -> int:
    if AVERAGED.intersection(re.split(r"[^a-z]+", prefix.lower())):
        return 0
    return 1 if TRAINED.intersection(prefix.lower().split(".")) else 2
