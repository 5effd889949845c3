"""`python tests/wheel.py WHEEL` asks whether a wheel is what it should be: its size, what is in it, and whether
kinblend works where it alone is installed, in a fresh environment and far from the checkout.

`--around FOLDER` takes what kinblend depends on from a site-packages that is there already, where pip can't fetch it.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

LARGEST = 60_000_000  # bytes
TOPS = {"kinblend", "kinblend_plugins"}
COMMANDS = (("doctor",), ("blenders", "list"), ("demo", "--backbone", "morphable", "--out", "demo"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--around", type=Path)
    given = parser.parse_args()
    check_content(given.wheel)
    with tempfile.TemporaryDirectory() as folder:
        python = install(given.wheel.resolve(), Path(folder), given.around)
        for words in COMMANDS:
            use(python, Path(folder), words)


def check_content(wheel: Path) -> None:
    """Exit with a sentence where the wheel is too large or holds what does not belong into it."""
    size = wheel.stat().st_size
    print(f"{wheel.name}: {size / 1e6:.1f} MB")
    if size > LARGEST:
        sys.exit(f"the wheel has {size:,} bytes, and may have {LARGEST:,}")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    strange = [name for name in names if name.split("/")[0] not in TOPS and ".dist-info/" not in name]
    if strange or "kinblend/py.typed" not in names:
        sys.exit(f"the wheel holds {strange}, or lacks kinblend/py.typed")


def install(wheel: Path, folder: Path, around: Path | None) -> Path:
    """The interpreter of a fresh environment with the wheel in it."""
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    words = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if around is None:
        subprocess.run([*words, f"kinblend[demo] @ {wheel.as_uri()}"], check=True)
    else:
        subprocess.run([*words, "--no-deps", wheel], check=True)
        [packages] = (folder / "env").glob("lib/python*/site-packages")
        (packages / "around.pth").write_text(f"{around}\n")  # its own .pth files, a checkout's for one, are not read
    return python


def use(python: Path, folder: Path, words: tuple[str, ...]) -> None:
    """A command of the fresh environment, in a folder with nothing in it. Exits where it fails."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "KINBLEND"))}
    environ |= {"KINBLEND_HOME": str(folder / "home")}
    where = folder / "elsewhere"
    where.mkdir(exist_ok=True)
    done = subprocess.run([python, "-m", "kinblend.cli", *words], cwd=where, env=environ, check=False)
    if done.returncode:
        sys.exit(f"kinblend {' '.join(words)} ended with {done.returncode}")


if __name__ == "__main__":
    main()
