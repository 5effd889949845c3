"""Checkpoints of a training: folders that are there whole or not at all, of files small enough to carry about."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor
from torch.optim import Optimizer

from kinblend.errors import PackError, UsageError
from kinblend.tensor_files import load

LIMIT = 16 * 2**20  # bytes of the largest file
ROOM = 2**16  # of which for the header
KEPT = 2  # the latest, and one before it should that be damaged
STATE = "state.json"
WEIGHTS, MOMENTS = "weights", "moments"
SCHEMA = 2


@dataclass(frozen=True)
class Checkpoint:
    """What a training takes up.

    path: its folder. state: what `save` was given. tensors: by name, on the CPU. moments: the optimisers'; empty
    where they were not kept or their files were left behind.
    """

    path: Path
    state: Mapping[str, Any]
    tensors: Mapping[str, Tensor]
    moments: Mapping[str, Tensor]

    def below(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin with `prefix` and a dot, without it."""
        start = f"{prefix}."
        return {name.removeprefix(start): value for name, value in self.tensors.items() if name.startswith(start)}

    def restore(self, optimizers: Mapping[str, Optimizer]) -> bool:
        """Give optimisers their moments back; False where there are none, and they start afresh.

        Their rates and other settings stay as they are.
        """
        for name, optimizer in optimizers.items():
            parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            entries: dict[int, dict[str, Tensor]] = {}
            for key, value in self.moments.items():
                owner, index, kind = key.rsplit(".", 2)
                if owner == name:
                    entries.setdefault(int(index), {})[kind] = _laid_out(value, parameters[int(index)])
            optimizer.load_state_dict({**optimizer.state_dict(), "state": entries})
        return bool(self.moments)


class Checkpoints:
    """The checkpoints of one training, in folders `step-000000123` of one folder.

    A checkpoint is written beside and renamed when every byte is on the disk: whoever is killed meanwhile leaves the
    earlier ones as they were. Each file has its SHA-256 in `state.json`, and the last two checkpoints are kept, so
    that a damaged one is passed over for the one before. No file is larger than 16 MiB.

    Args:
        folder: where they lie; made when it is needed.
        options: what the training can't change on the way, as JSON has it.
    """

    def __init__(self, folder: Path, options: Mapping[str, Any]) -> None:
        self.folder, self.options = folder, json.loads(json.dumps(options))

    def save(
        self,
        step: int,
        tensors: Mapping[str, Tensor],
        state: Mapping[str, Any],
        optimizers: Mapping[str, Optimizer] | None = None,
    ) -> Path:
        """Write the checkpoint of a step and forget all but the last two.

        Args:
            step: how far the training is. A step that was written already is not written again.
            tensors: weights, running averages and the like, of any shape and dtype.
            state: numbers and texts, as JSON has them.
            optimizers: whose moments are kept, by name.

        Returns: its folder.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        for left in self.folder.glob("step-*.part"):
            shutil.rmtree(left)
        target = self.folder / f"step-{step:09d}"
        if target.exists():
            return target
        part = target.with_name(target.name + ".part")
        part.mkdir()
        hashes = {}
        for group, content in ((WEIGHTS, tensors), (MOMENTS, _moments(optimizers or {}))):
            for number, piece in enumerate(split(content)):
                data, name = save(piece), f"{group}-{number:02d}.safetensors"
                hashes[name] = sha256(data).hexdigest()
                _write(part / name, data)
        whole = {"schema": SCHEMA, "options": self.options, "state": dict(state), "files": hashes}
        _write(part / STATE, json.dumps(whole, indent=1).encode())
        part.rename(target)
        _sync(self.folder)
        for old in self.found()[KEPT:]:
            shutil.rmtree(old)
        return target

    def load(self) -> Checkpoint | None:
        """The latest checkpoint that is undamaged; None where there is none at all.

        Raises:
            UsageError: where it is of a training with other options.
            PackError: where all are damaged.
        """
        damage = []
        for path in self.found():
            try:
                content = json.loads((path / STATE).read_text("utf-8"))
                options, state = dict(content["options"]), dict(content["state"])
                tensors = _read(path, content["files"], WEIGHTS)
            except (OSError, ValueError, KeyError, TypeError) as error:
                damage.append(f"{path}: {error!r}" if isinstance(error, KeyError) else f"{path}: {error}")
                continue
            self._check(path, options)
            try:
                moments = _read(path, content["files"], MOMENTS)
            except (OSError, ValueError):
                moments = {}
            return Checkpoint(path, state, tensors, moments)
        if damage:
            raise PackError(f"no checkpoint can be read: {'; '.join(damage)}; delete them to start afresh")
        return None

    def found(self) -> list[Path]:
        """The folders of the checkpoints, the latest first."""
        return sorted((path for path in self.folder.glob("step-*") if path.suffix != ".part"), reverse=True)

    def remove(self) -> None:
        """Remove the checkpoints of a training that is done, and their folder where nothing else is in it."""
        for path in self.folder.glob("step-*"):
            shutil.rmtree(path)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _check(self, path: Path, theirs: Mapping[str, Any]) -> None:
        names = [*self.options, *(name for name in theirs if name not in self.options)]
        differing = [
            f"{name}={theirs.get(name)}, not {self.options.get(name)}"
            for name in names
            if theirs.get(name) != self.options.get(name)
        ]
        if differing:
            raise UsageError(
                f"{path} is of a training with other options: {'; '.join(differing)}; give it the same options, or "
                "write to another place"
            )


def split(tensors: Mapping[str, Tensor], limit: int = LIMIT) -> list[dict[str, Tensor]]:
    """The tensors in groups below `limit` bytes; one that is larger is cut into rows `name#0`, `name#1` …"""
    groups: list[dict[str, Tensor]] = []
    room = 0
    for name, tensor in _rows(tensors, limit - ROOM):
        size = tensor.numel() * tensor.element_size()
        if size > room or not groups:
            groups.append({})
            room = limit - ROOM
        groups[-1][name] = tensor
        room -= size
    return groups


def join(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What `split` cut, whole again."""
    whole: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        key, cut, _ = name.partition("#")
        whole[key] = torch.cat([whole[key], tensor]) if cut and key in whole else tensor
    return whole


def _rows(tensors: Mapping[str, Tensor], limit: int) -> Iterable[tuple[str, Tensor]]:
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        size = plain.numel() * plain.element_size()
        if size <= limit:
            yield name, plain.clone()
            continue
        rows = max(1, limit * len(plain) // size)
        for number, piece in enumerate(plain.split(rows)):
            yield f"{name}#{number:03d}", piece.clone()


def _moments(optimizers: Mapping[str, Optimizer]) -> dict[str, Tensor]:
    return {
        f"{name}.{index}.{kind}": value
        for name, optimizer in optimizers.items()
        for index, entry in optimizer.state_dict()["state"].items()
        for kind, value in entry.items()
    }


def _laid_out(value: Tensor, parameter: Tensor) -> Tensor:
    """Optimisers take for granted that moments lie in memory as their parameter does."""
    return torch.empty_like(parameter).copy_(value) if value.shape == parameter.shape and value.ndim else value


def _read(path: Path, files: Mapping[str, str], group: str) -> dict[str, Tensor]:
    """The tensors of one group of files. Raises `OSError` and `ValueError`."""
    pieces: dict[str, Tensor] = {}
    for name, digest in sorted(files.items()):
        if not name.startswith(group):
            continue
        data = (path / name).read_bytes()
        if sha256(data).hexdigest() != digest:
            raise ValueError(f"{name} was altered")
        pieces |= load(data)
    return join(pieces)


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
