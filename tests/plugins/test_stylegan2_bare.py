"""The training runs where nothing is installed but torch, numpy, pillow, safetensors, rich and typer."""

import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from toy_faces import write_faces

ROOT = Path(__file__).resolve().parents[2]
ALLOWED = ("torch", "numpy", "pillow", "safetensors", "rich", "typer")


class Machine:
    """Python without its site-packages, but with links to those six and what they require; kinblend as sources."""

    def __init__(self, folder: Path) -> None:
        waiting, linked = list(ALLOWED), set()
        while waiting:
            name = re.split(r"[^\w.-]", waiting.pop())[0].lower()
            if name in linked:
                continue
            linked.add(name)
            try:
                found = distribution(name)
            except PackageNotFoundError:  # for another platform
                continue
            waiting += [text for text in found.requires or [] if "extra ==" not in text]
            for part in {file.parts[0] for file in found.files or []} - {"..", "__pycache__"}:
                (folder / part).symlink_to(found.locate_file(part))
        places = (folder, ROOT, ROOT / "plugins")
        self.environ = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, places)), "OMP_NUM_THREADS": "1"}

    def python(self, *words: object) -> subprocess.CompletedProcess:
        command = [sys.executable, "-S", *map(str, words)]
        return subprocess.run(command, env=self.environ, capture_output=True, text=True, check=False)

    def training(self, *words: object) -> subprocess.CompletedProcess:
        return self.python("-m", "kinblend_plugins.stylegan2.training", *words)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    return Machine(tmp_path_factory.mktemp("site"))


def test_this_machine_is_bare(machine: Machine) -> None:
    code = "from importlib.util import find_spec\nimport sys\nprint(*[n for n in sys.argv[1:] if find_spec(n)])"
    lacking = ["pluggy", "dlib", "facenet_pytorch", "torchvision", "face_recognition_models", "pytest"]
    found = machine.python("-c", code, *lacking, "torch", "PIL", "typer", "kinblend")
    assert found.stdout == "torch PIL typer kinblend\n", found.stderr


def test_the_training_itself_asks_for_no_pydantic(machine: Machine) -> None:
    # Newer typers bring it for the command line; an older one does not.
    code = "import sys\nimport kinblend_plugins.stylegan2.training.run\nprint('pydantic' in sys.modules)"
    assert machine.python("-c", code).stdout == "False\n"


def test_packing_and_training_need_no_more(machine: Machine, tmp_path: Path) -> None:
    write_faces(tmp_path / "faces.zip", 8, 4, 32)
    done = machine.training("pack", tmp_path / "faces.zip", tmp_path / "small.zip", "--size", 16)
    assert done.returncode == 0, done.stderr
    sizes = ["--resolution", 16, "--width", 8, "--taper", 128, "--depth", 1, "--dim", 16, "--batch", 4]
    words = ["--faces", tmp_path / "small.zip", "--out", tmp_path / "pack", "--images", 16, "--device", "cpu"]
    done = machine.training("train", *sizes, *words)
    assert (done.returncode, done.stdout.strip()) == (0, str(tmp_path / "pack")), done.stderr
    assert "no identity network" in done.stderr
    assert {"generator.safetensors", "encoder.safetensors", "pack.json"} <= {
        p.name for p in (tmp_path / "pack").iterdir()
    }


def test_its_errors_are_one_line_and_its_exit_codes_kinblends(machine: Machine, tmp_path: Path) -> None:
    missing = machine.training("train", "--faces", tmp_path / "none.zip", "--out", tmp_path / "pack")
    assert (missing.returncode, missing.stderr.count("\n")) == (3, 2), missing.stderr
    assert missing.stderr.splitlines()[-1].startswith("kinblend: ")
