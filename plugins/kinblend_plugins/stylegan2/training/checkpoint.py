"""Checkpoints: folders that are there whole or not at all, of files small enough to carry about."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from kinblend.errors import PackError, UsageError
from kinblend.tensor_files import load
from kinblend_plugins.stylegan2.training.augment import Probability
from kinblend_plugins.stylegan2.training.session import Progress, Session

LIMIT = 16 * 2**20  # bytes of the largest file
ROOM = 2**16  # of which for the header
STATE = "state.json"
KEPT = 2  # the latest, and one before it should that be damaged
SCHEMA = 1


def write(session: Session, folder: Path) -> Path:
    """Write a checkpoint below `folder` and forget all but the last two. Returns its folder.

    It is written beside and renamed when every byte is on the disk: whoever is killed meanwhile leaves the earlier
    ones as they were.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("step-*.part"):
        shutil.rmtree(left)
    target = folder / f"step-{session.progress.step:09d}"
    if target.exists():  # the same step of the same training
        return target
    part = target.with_name(target.name + ".part")
    part.mkdir()
    groups = {"weights": _weights(session)} | ({"moments": _moments(session)} if session.recipe.moments else {})
    sealed = {}
    for group, tensors in groups.items():
        for number, piece in enumerate(split(tensors)):
            data = save(piece)
            sealed[f"{group}-{number:02d}.safetensors"] = sha256(data).hexdigest()
            _write(part / f"{group}-{number:02d}.safetensors", data)
    _write(part / STATE, json.dumps(_state(session, sealed), indent=1).encode())
    part.rename(target)
    _sync(folder)
    for old in found(folder)[KEPT:]:
        shutil.rmtree(old)
    return target


def read(session: Session, folder: Path) -> bool:
    """Take up the latest checkpoint below `folder` that is undamaged; False where there is none at all.

    Weights, averages, augmentation and position are as they were. So are the optimisers if their moments are there;
    without them they start afresh and the rate rises again over the recipe's `warmup` steps.
    Raises `UsageError` where the recipe's architecture is another, `PackError` where all are damaged.
    """
    damage = []
    for path in found(folder):
        try:
            state, weights = _read(path, "weights")
        except (OSError, ValueError, KeyError) as error:
            damage.append(f"{path}: {error}")
            continue
        _check(session, state, path)
        session.networks.load_state_dict(weights)
        session.probability = Probability(**state["probability"])
        session.progress = Progress(**state["progress"])
        _restore_moments(session, path)
        return True
    if damage:
        raise PackError(f"no checkpoint can be read: {'; '.join(damage)}; delete them to start afresh")
    return False


def found(folder: Path) -> list[Path]:
    """The checkpoints below `folder`, the latest first."""
    return sorted((path for path in folder.glob("step-*") if path.suffix != ".part"), reverse=True)


def split(tensors: Mapping[str, Tensor], limit: int = LIMIT) -> list[dict[str, Tensor]]:
    """The tensors in groups below `limit` bytes; one that is larger is cut into rows `name#0`, `name#1` …"""
    groups: list[dict[str, Tensor]] = []
    room = 0
    for name, tensor in _rows(tensors, limit - ROOM):
        size = tensor.numel() * tensor.element_size()
        if size > room:
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


def _weights(session: Session) -> dict[str, Tensor]:
    return dict(session.networks.state_dict())


def _moments(session: Session) -> dict[str, Tensor]:
    return {
        f"{name}.{index}.{key}": value
        for name, optimizer in session.optimizers.items()
        for index, entry in optimizer.state_dict()["state"].items()
        for key, value in entry.items()
    }


def _restore_moments(session: Session, path: Path) -> None:
    try:
        _, tensors = _read(path, "moments")
    except (OSError, ValueError, KeyError):
        tensors = {}
    if not tensors:
        session.progress.age = 0
        return
    for name, optimizer in session.optimizers.items():
        content = optimizer.state_dict()
        entries: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            owner, index, kind = key.split(".")
            if owner == name:
                entries.setdefault(int(index), {})[kind] = value
        optimizer.load_state_dict({**content, "state": entries})


def _state(session: Session, sealed: Mapping[str, str]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "progress": asdict(session.progress),
        "probability": asdict(session.probability),
        "architecture": session.recipe.architecture(),
        "recipe": session.recipe.record(),
        "files": dict(sealed),
    }


def _read(path: Path, group: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The state and the tensors of one group of files. Raises `OSError`, `ValueError` or `KeyError`."""
    state = json.loads((path / STATE).read_text("utf-8"))
    pieces: dict[str, Tensor] = {}
    for name, digest in state["files"].items():
        if not name.startswith(group):
            continue
        data = (path / name).read_bytes()
        if sha256(data).hexdigest() != digest:
            raise ValueError(f"{name} was altered")
        pieces |= load(data)
    return state, join(dict(sorted(pieces.items())))


def _check(session: Session, state: Mapping[str, Any], path: Path) -> None:
    ours, theirs = session.recipe.architecture(), state["architecture"]
    pairs = ((name, theirs.get(name), value) for name, value in ours.items())
    differing = [f"{name}={their}, not {our}" for name, their, our in pairs if their != our]
    if differing:
        raise UsageError(
            f"{path} was trained with {'; '.join(differing)}; give it the same options, or --out another folder"
        )


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
