"""`kinblend --help` stays light."""

import subprocess
import sys


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


def test_a_wrong_word_ends_with_code_2_and_one_line() -> None:
    code = "from kinblend.cli import main\nimport sys\nsys.argv = ['kinblend', 'blenders', 'show', 'nothing']\nmain()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("kinblend: there is no blender 'nothing'")
    assert done.stderr.count("\n") == 1


def test_the_end_does_not_look_for_cycles_among_all_objects() -> None:
    code = (
        "import atexit, gc, sys\natexit.register(lambda: print('frozen', gc.get_freeze_count()))\n"
        "sys.argv = ['kinblend', '--version']\nfrom kinblend.cli import main\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    word, count = done.stdout.split()[-2:]
    assert word == "frozen"
    assert int(count) > 1000
