"""How much memory an encoder takes: a process of its own encodes one face, and says the most that it had in use.

Of the processor it is the whole process, Python and PyTorch included; of a GPU what was allocated there.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinblend.evaluation.encoders import Candidate
from kinblend.files import atomic_write
from kinblend.imaging import read_image
from kinblend.imaging.encode import png_bytes

if TYPE_CHECKING:
    from PIL.Image import Image


def peak_memory(candidate: Candidate, face: Image, *machine: Any) -> int | None:
    """Bytes; None where the process failed. machine: as `Candidate.open` takes it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "face.png"
        atomic_write(path, png_bytes(face))
        words = [candidate.backbone, candidate.encoder, dict(candidate.options), str(path), *machine]
        command = [sys.executable, "-m", __name__, json.dumps(words)]
        done = subprocess.run(command, capture_output=True, text=True)
    said = done.stdout.split()
    return int(said[-1]) if done.returncode == 0 and said and said[-1].isdigit() else None


def main(argument: str) -> None:
    """The process: prints bytes."""
    backbone, encoder, options, face, *machine = json.loads(argument)
    engine = Candidate(backbone, encoder, options).open(*machine)
    picture = read_image(face)
    engine.pool.memory.peak(reset=True)
    engine.backbone.encode([picture])
    print(engine.pool.memory.peak())


if __name__ == "__main__":
    main(sys.argv[1])
