"""`kinblend --help` stays light."""

import json
import os
import platform
import subprocess
import sys

import pytest


def test_help_leaves_torch_unimported() -> None:
    code = (
        "import sys\nsys.argv = ['kinblend', '--help']\nfrom kinblend.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code\n"
        "assert 'torch' not in sys.modules, 'torch was imported'\n"
        "assert 'pydantic' not in sys.modules, 'pydantic was imported'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "run" in done.stdout


MISSING = [
    ["encode", "no.jpg"],
    ["run", "no.jpg", "no.jpg"],
    ["blend", "no.safetensors", "no.safetensors"],
    ["edit", "no.safetensors", "--edit", "smile=1"],
    ["render", "no.safetensors"],
    ["align", "no.jpg"],
    ["project", "no.jpg"],
    ["upscale", "no.jpg"],
    ["strip", "no.jpg", "--age", "4"],
    ["morph", "no.jpg", "no.jpg"],
    ["compare", "no.jpg", "no.jpg"],
]


@pytest.fixture(scope="module")
def missed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list]:
    """What each command says, its exit code, and whether torch is imported, one after the other in one process."""
    code = (
        "import contextlib, io, json, sys\nfrom kinblend.cli import main\nfound = {}\n"
        f"for words in {MISSING!r}:\n"
        "    sys.argv = ['kinblend', *words]\n"
        "    with contextlib.redirect_stderr(io.StringIO()) as said:\n"
        "        try:\n            main()\n        except SystemExit as end:\n            code = end.code\n"
        "    found[words[0]] = [said.getvalue(), code, 'torch' in sys.modules]\n"
        "print(json.dumps(found))\n"
    )
    folder = tmp_path_factory.mktemp("empty")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("words", MISSING, ids=lambda words: words[0])
def test_a_file_that_is_missing_is_missed_before_torch_is_imported(words: list[str], missed: dict[str, list]) -> None:
    assert missed[words[0]] == [f"kinblend: {words[1]} does not exist\n", 3, False]


def test_options_of_encoders_are_shown_without_torch() -> None:
    """A command that runs networks has them anyway; one that lists options should not wait for PyTorch."""
    script = (
        "import sys\n"
        "from kinblend.plugins import load_plugins\n"
        "for spec in load_plugins()['encoder']:\n"
        "    spec.parse_options({})\n"
        "    assert 'torch' not in sys.modules, spec.name\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_wrong_word_ends_with_code_2_and_one_line() -> None:
    code = "from kinblend.cli import main\nimport sys\nsys.argv = ['kinblend', 'blenders', 'show', 'nothing']\nmain()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("kinblend: there is no blender 'nothing'")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told to keep freed memory")
@pytest.mark.parametrize(("told", "kept"), [({}, True), ({"MALLOC_TRIM_THRESHOLD_": "131072"}, False)])
def test_memory_that_is_freed_comes_back_without_page_faults(told: dict[str, str], kept: bool) -> None:
    code = (
        "import resource\nfrom kinblend.process import tune_malloc\nprint(tune_malloc())\nimport numpy\n"
        "def work():\n    held = [numpy.ones(20 * 2**20, dtype=numpy.uint8) for _ in range(3)]\n"
        "work()\nwork()\nbefore = resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "for _ in range(5):\n    work()\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")} | told
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    answer, faults = done.stdout.split()
    assert answer == str(kept)
    assert (int(faults) < 100) == kept


def test_the_end_does_not_look_for_cycles_among_all_objects() -> None:
    code = (
        "import atexit, gc, sys\natexit.register(lambda: print('frozen', gc.get_freeze_count()))\n"
        "sys.argv = ['kinblend', '--version']\nfrom kinblend.cli import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    word, count = done.stdout.split()[-2:]
    assert word == "frozen"
    assert int(count) > 1000
