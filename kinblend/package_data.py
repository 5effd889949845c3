"""Files that other packages bring, found without importing them: some can't be imported at all.

Among them are the portraits of synthetic people that the demo, the tests and the examples use.
"""

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


def example_portrait(person: str) -> Path:
    """The studio portrait of one of the ten synthetic people of the package `openpeople`: "P001" to "P010".

    Raises `ModelError` where the package is not installed, or has no such person.
    """
    found = find_spec("openpeople")
    if found is None or not found.submodule_search_locations:
        raise ModelError("the example people are not installed: run `pip install kinblend[demo]`")
    people = Path(found.submodule_search_locations[0]) / "data" / "curated"
    pictures = sorted(path for path in (people / person / "assets").glob("*") if "portrait" in path.name.lower())
    if not pictures:
        raise ModelError(f"the package openpeople has no portrait of {person}")
    return pictures[0]
