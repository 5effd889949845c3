"""What a stage made of a picture, by the picture's content: nothing is done twice, whenever the work was ended."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kinblend.files import atomic_write

Record = dict[str, Any]


@dataclass(frozen=True)
class StageResult:
    """What a stage made of one picture. record: JSON values. files: bytes by suffix (".256.png")."""

    record: Record
    files: Mapping[str, bytes] = field(default_factory=dict)


def reject(kind: str, reason: str) -> StageResult:
    """A picture that is left out. kind: a few words that pictures left out for the same reason share."""
    return StageResult({"rejected": {"kind": kind, "reason": reason}})


@dataclass(frozen=True)
class StageCache:
    """A folder for one stage under one set of options, which are part of its name."""

    folder: Path

    @classmethod
    def of(cls, root: Path, stage: str, *facts: object) -> StageCache:
        """facts: everything the stage's results depend on, besides the picture."""
        digest = hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()
        return cls(root / f"{stage}-{digest[:16]}")

    def file(self, sha: str, suffix: str) -> Path:
        """Where the stage keeps what it made of a picture."""
        return self.folder / sha[:2] / f"{sha}{suffix}"

    def read(self, sha: str) -> Record | None:
        """The record of a picture the stage is done with, or None."""
        try:
            record = json.loads(self.file(sha, ".json").read_bytes())
        except (OSError, ValueError):
            return None
        return record if isinstance(record, dict) else None

    def write(self, sha: str, made: StageResult) -> None:
        """Keep what was made: the record last, so that one that is there means that all is there."""
        for suffix, data in made.files.items():
            atomic_write(self.file(sha, suffix), data)
        atomic_write(self.file(sha, ".json"), json.dumps(made.record, sort_keys=True).encode())
