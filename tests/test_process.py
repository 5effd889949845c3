"""What a process sets before torch is imported, and that a user's own settings win."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kinblend.process import THREADS, WAITING

QUOTA = {"proc/self/cgroup": "0::/", "sys/fs/cgroup/cpu.max": "100000 100000"}


def set_up(code: str, **environ: str) -> dict:
    """The variables that this code leaves, of those that are about threads, in a process of its own."""
    clean = {name: value for name, value in os.environ.items() if name not in (*THREADS, *WAITING)}
    script = f"import json, os\n{code}\nprint(json.dumps({{n: os.environ.get(n) for n in {(*THREADS, *WAITING)!r}}}))"
    done = subprocess.run(
        [sys.executable, "-c", script], env=clean | environ, capture_output=True, text=True, check=True
    )
    return {name: value for name, value in json.loads(done.stdout).items() if value is not None}


def test_threads_that_wait_sleep_soon() -> None:
    found = set_up("from kinblend.process import prepare_torch; prepare_torch()")
    assert int(found["GOMP_SPINCOUNT"]) < 300_000, "what GNU's OpenMP takes of its own accord"


@pytest.mark.parametrize("name", WAITING)
def test_how_a_user_has_them_wait_is_left_alone(name: str) -> None:
    found = set_up("from kinblend.process import prepare_torch; prepare_torch()", **{name: "7"})
    assert {key: found[key] for key in found if key in WAITING} == {name: "7"}


@pytest.mark.skipif(
    sys.platform != "linux" or (os.cpu_count() or 1) < 2, reason="there is no second core to leave out"
)
def test_a_quota_of_cores_bounds_threads_unless_a_user_does(tmp_path: Path) -> None:
    for name, text in QUOTA.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    code = "from pathlib import Path\nfrom kinblend.process import limit_threads\n"
    code += f"limit_threads(Path({str(tmp_path)!r}))"
    assert set_up(code) == {"OMP_NUM_THREADS": "1"}
    for name in THREADS:
        assert set_up(code, **{name: "2"}) == {name: "2"}
    assert set_up(code.replace(str(tmp_path), str(tmp_path / "nothing"))) == {}


def test_torch_takes_what_was_set() -> None:
    code = "from kinblend.process import prepare_torch; prepare_torch()\n"
    code += "import torch\nassert torch.get_num_threads() == 1"
    assert set_up(code, OMP_NUM_THREADS="1")["OMP_NUM_THREADS"] == "1"
