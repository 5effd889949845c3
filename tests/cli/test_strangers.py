"""Broken and hostile things from strangers, met by the real command line in processes of its own."""

import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hostile.checkpoints import hostile
from plugin_site import Site, here
from published_checkpoints import Call

from kinblend.cli.demo import FATHER, MOTHER, example

GOOD = """
import kinblend
import kinblend.checkpoints

class Mother(kinblend.Blender):
    def weights(self, father, mother, seed):
        return father.new_zeros(father.shape)

@kinblend.hookimpl
def kinblend_register_blenders(register):
    register(kinblend.PluginSpec("whole-mother", "the mother, whole", "good_plugin:Mother"))
"""
BROKEN = {
    "importing": ("import no_such_module", "no_such_module"),
    "syntax": ("def broken(:", "SyntaxError"),
    "exiting": ("raise SystemExit(3)", "SystemExit"),
    "duplicate": (GOOD.replace("whole-mother", "average"), "'average' is registered already by 'blenders'"),
    "misspelt": (GOOD.replace("register_blenders", "register_blendres"), "did you mean kinblend_register_blenders"),
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = Site(tmp_path_factory.mktemp("site"))
    site.add("good", GOOD)
    for name, (source, _) in BROKEN.items():
        site.add(name, source)
    return site


def test_help_works_beside_broken_plugins(site: Site) -> None:
    done = site.kinblend("--help")
    assert done.returncode == 0, done.stderr
    assert "Predict how a child" in done.stdout


def test_every_broken_plugin_is_named_with_its_reason(site: Site) -> None:
    lines = site.kinblend("plugins").stdout.splitlines()
    states = {line.split("\t")[0]: line.split("\t")[2] for line in lines}
    assert states["good"] == "ok"
    for name, (_, reason) in BROKEN.items():
        assert reason in states[name]


def test_run_works_beside_broken_plugins(site: Site) -> None:
    parents = ["--father", example(FATHER), "--mother", example(MOTHER)]
    done = site.kinblend("run", *parents, "--blender", "whole-mother", "--out", "child", "--quiet")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert (site.folder / "child" / "child.png").is_file()


def test_doctor_says_that_something_is_wrong(site: Site) -> None:
    done = site.kinblend("doctor")
    assert done.returncode == 1
    [line] = [line for line in done.stdout.splitlines() if "PROBLEM" in line]
    assert all(name in line for name in BROKEN)


def test_importing_says_one_line_even_where_torch_would_warn(site: Site) -> None:
    """In a process of its own, where warnings are not errors: torch warns of pickles of protocol 4."""
    content = pickle.dumps({"w": [1.0]}, protocol=4)
    (site.folder / "four.pt").write_bytes(content)
    (site.folder / "inside.pkl").write_bytes(pickle.dumps({"G_ema": Call(torch.storage._load_from_bytes, content)}))
    for file in ("four.pt", "inside.pkl"):
        done = site.kinblend("models", "import", file)
        assert (done.returncode, done.stderr.count("\n")) == (4, 1), done.stderr
    code = (
        "import kinblend.checkpoints\n"
        "try:\n    kinblend.checkpoints.read_tensor('four.pt', 'w', 'shares')\n"
        "except kinblend.KinblendError:\n    pass\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=site.folder, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_command_with_the_name_of_one_of_ours_is_reported(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.add(
        "taking",
        "import kinblend.checkpoints\n"
        "@kinblend.hookimpl\n"
        "def kinblend_register_commands(register):\n"
        "    register(kinblend.PluginSpec('run', 'Run otherwise.', 'nowhere:run'))\n",
    )
    [line] = [line for line in site.kinblend("plugins").stdout.splitlines() if line.startswith("taking")]
    assert "its command 'run' can't be called" in line


def test_a_plugins_command_is_imported_when_it_is_called(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.add(
        "greeting",
        "import kinblend.checkpoints\n"
        "@kinblend.hookimpl\n"
        "def kinblend_register_commands(register):\n"
        "    register(kinblend.PluginSpec('greet', 'Log hello.', 'greeting_work:greet'))\n",
    )
    (tmp_path / "greeting_work.py").write_text(
        "print('imported')\ndef greet(name: str, times: int = 1) -> None:\n    print(f'hello {name}' * times)\n"
    )
    listed = site.kinblend("--help").stdout
    assert "Log hello." in listed
    assert "imported" not in listed
    done = site.kinblend("greet", "you", "--times", "2")
    assert (done.stdout, done.stderr) == ("hello youhello you\n", "imported\n")
    assert site.kinblend("greet").returncode == 2


@pytest.mark.parametrize("name", sorted(hostile(Path("trace"))))
def test_importing_a_hostile_file_leaves_no_trace(name: str, site: Site, tmp_path: Path) -> None:
    """By both names, because the ending chooses the reader."""
    for suffix in (".pt", ".pkl"):
        trace, path = tmp_path / "trace", tmp_path / f"file{suffix}"
        path.write_bytes(hostile(trace)[name])
        code, _, error = here("models", "import", path, KINBLEND_HOME=site.environ["KINBLEND_HOME"])
        assert code == 4
        assert error.startswith("kinblend: ")
        assert error.count("\n") == 1
        assert "weights_only" not in error  # torch's advice is to execute the file
        assert "\x1b" not in error
        assert not trace.exists()
        packs = site.folder / "home" / "packs"
        assert not packs.exists() or not list(packs.iterdir())
