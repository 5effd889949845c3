"""Files that other packages bring, found without importing them: some can't be imported at all."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from kinblend.errors import ModelError


def package_file(package: str, path: str, distribution: str) -> Path:
    """A file inside an installed package: `package_file("face_recognition_models", "models/x.dat", …)`.

    distribution: what to install to get it. Raises `ModelError`.
    """
    found = find_spec(package)
    for folder in (found.submodule_search_locations or []) if found else []:
        file = Path(folder) / path
        if file.is_file():
            return file
    raise ModelError(f"{Path(path).name} is missing; install it with: pip install {distribution}")
