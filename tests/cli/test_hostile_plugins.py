"""Plugins that end, silence or spoil what uses them: the tool goes on, and its errors name the plugin."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from plugin_site import Site, here
from portraits import portrait

from kinblend import Engine
from kinblend.cli.demo import FATHER, MOTHER
from kinblend.errors import PluginError

RAISED = {
    "exiting": "raise SystemExit(0)",
    "leaving": "import sys; sys.exit()",
    "interrupting": "raise KeyboardInterrupt",
    "closing": "raise GeneratorExit",
    "of-its-own": "class Own(BaseException): pass\nraise Own('x')",
    "unspeakable": "class Own(BaseException):\n    def __str__(self): raise SystemExit\nraise Own",
}
QUIET = {
    "printing": "print('noise')",
    "writing": "import sys; sys.stdout.write('noise'); sys.stdout.flush()",
    "closing-streams": "import sys; sys.stdout.close(); sys.stderr.close()",
    "without-streams": "import sys; sys.stdout = sys.stderr = None",
    "moving": "import os; os.chdir('/')",
    "deaf": "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)",
}
BLENDER = """
import kinblend, pydantic, torch
from typing import Any

class Options(pydantic.BaseModel):
    {options}

class Mine(kinblend.Blender):
    {body}

@kinblend.hookimpl
def kinblend_register_blenders(register):
    register(kinblend.PluginSpec("{name}", "a test", "{name}_plugin:Mine", Options))
"""
WEIGHTS = "def weights(self, father, mother, seed):\n        "
HALF = WEIGHTS + "return father * 0 + 0.5"
BODIES = {
    **{f"call-{name}": WEIGHTS + source for name, source in RAISED.items() if "class" not in source},
    "module-exits": HALF + "\n    @property\n    def module(self): raise SystemExit(0)",
    "module-text": HALF + "\n    module = 'network'",
    "module-fails": HALF + "\n    @property\n    def module(self): return self.nothing",
    "made-exits": HALF + "\n    def __init__(self, *words): raise SystemExit(0)",
    "made-bare": HALF + "\n    def __init__(self, *words): pass",
    "gives-text": WEIGHTS + "return 'x'",
    "gives-nan": WEIGHTS + "return father / 0",
    "gives-list": "def blend(self, father, mother, seed):\n        return [father]",
    "broken-pipe": WEIGHTS + "raise BrokenPipeError",
}  # fmt: skip
ANY = "model_config = pydantic.ConfigDict(arbitrary_types_allowed=True)\n    "
CHECK = "x: int = 1\n    @pydantic.model_validator(mode='after')\n    def check(self): raise "
OPTIONS = {"validator-runtime": CHECK + "RuntimeError('x')", "validator-exit": CHECK + "SystemExit(0)"}
SHOWN = {
    "tensor-default": ANY + "x: torch.Tensor = torch.ones(2)",
    "tensor-in-any": "x: Any = torch.ones(2)",
    "lambda-default": "x: Any = lambda: 3",
    "nan-default": "x: float = float('nan')",
}


def site_of(folder: Path, **plugins: str) -> Site:
    site = Site(folder)
    for name, source in plugins.items():
        site.add(name, source)
    return site


def test_finding_14_nothing_raised_at_import_ends_the_tool(tmp_path: Path) -> None:
    site = site_of(tmp_path, **RAISED)
    assert site.kinblend("--help").returncode == 0
    done = site.kinblend("plugins", "--json")
    assert done.returncode == 0, done.stderr
    errors = {plugin["name"]: plugin["error"] for plugin in json.loads(done.stdout)}
    assert all(errors[name] for name in RAISED)
    assert errors["blenders"] is None
    assert "KeyboardInterrupt" in errors["interrupting"] and "SystemExit" in errors["leaving"]


def test_finding_15_what_a_plugin_does_at_import_is_undone(tmp_path: Path) -> None:
    site = site_of(tmp_path, **QUIET)
    done = site.kinblend("plugins", "--json")
    assert done.returncode == 0, done.stderr
    assert {plugin["name"] for plugin in json.loads(done.stdout)} > set(QUIET)
    done = site.kinblend("analysers", "list", "--json")
    assert json.loads(done.stdout) and done.returncode == 0, done.stderr
    code = "import os, signal, kinblend.plugins as p; p.load_plugins(); print(os.getcwd(), signal.getsignal(2))"
    done = subprocess.run(
        [sys.executable, "-c", code], env=site.environ, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.startswith(f"{tmp_path} <built-in function default_int_handler>"), done.stderr


@pytest.mark.parametrize("kind", ["before_stage", "after_stage", "on_error"])
def test_finding_13_a_hook_that_exits_is_no_success(kind: str, tmp_path: Path) -> None:
    for name, source in RAISED.items():
        body = "".join(f"    {line}\n" for line in source.split("\n"))
        hook = f"import kinblend\n@kinblend.hookimpl\ndef kinblend_{kind}():\n{body}"
        site = site_of(tmp_path / name, hooked=hook)
        parents = ["--father", portrait(FATHER), "--mother", portrait(MOTHER)]
        if kind == "on_error":
            parents[-1] = __file__  # no picture: the error of that is told
        done = site.kinblend("run", *parents, "--out", "out", "--quiet")
        code, error = done.returncode, done.stderr
        assert code == (3 if kind == "on_error" else 1), error
        assert ("hooked" in error or "not a picture" in error) and error.count("\n") == 1, error
        assert not (tmp_path / name / "out" / "child.png").exists()
        if name == "exiting" and kind != "before_stage":
            break  # one of them shows that the rest is the same code


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site with every odd blender."""
    site = Site(tmp_path_factory.mktemp("odd"))
    for name, body in BODIES.items():
        plain = name.replace("-", "_")
        site.add(plain, BLENDER.format(name=plain, options="pass", body=body).replace(f'"{plain}"', f'"{name}"'))
    for name, options in {**OPTIONS, **SHOWN}.items():
        plain = name.replace("-", "_")
        site.add(plain, BLENDER.format(name=plain, options=options, body=HALF).replace(f'"{plain}"', f'"{name}"'))
    return site


@pytest.fixture(scope="module")
def latents(odd: Site) -> Path:
    engine = Engine("morphable")
    codes = torch.zeros(2, engine.backbone.space.layers, engine.backbone.space.dim)
    from kinblend import Latent, save_latent

    for name, code in zip("fm", codes, strict=True):
        save_latent(odd.folder / f"{name}.safetensors", Latent(code, engine.backbone.space))
    return odd.folder


def within(site: Site, code: str) -> dict[str, str]:
    """What Python code prints as JSON, in a process that sees the plugins."""
    done = site.python(code)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


EACH = """
import contextlib, io, json, sys
from unittest import mock
from kinblend.cli import main
found = {{}}
for name in {names!r}:
    out, error = io.StringIO(), io.StringIO()
    with mock.patch.object(sys, "argv", ["kinblend", *[word.format(name) for word in {words!r}]]):
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            try:
                main()
            except SystemExit as end:
                code = end.code
            except BaseException as problem:
                code = "traceback of " + type(problem).__name__
    found[name] = [code, out.getvalue(), error.getvalue()]
print(json.dumps(found))
"""


def test_finding_15_an_odd_blender_is_named_in_one_line(odd: Site, latents: Path) -> None:
    words = ["blend", "f.safetensors", "m.safetensors", "--blender", "{}", "--out", "out-{}.safetensors"]
    for name, (code, out, error) in within(odd, EACH.format(names=[*BODIES, *OPTIONS], words=words)).items():
        assert code in (1, 2), (name, code, out, error)
        assert error.count("\n") == 1 and name in error, (name, error)
        assert not (odd.folder / f"out-{name}.safetensors").exists()


def test_finding_15_options_of_any_kind_can_be_shown(odd: Site, latents: Path) -> None:
    shown = within(odd, EACH.format(names=[*SHOWN, *OPTIONS], words=["blenders", "show", "{}", "--json"]))
    for name, (code, out, error) in shown.items():
        assert code in (0, None, 1), (name, error)
        assert error.count("\n") == (code == 1) and (code == 1) == (name in error), (name, error)
        assert code == 1 or json.loads(out)["name"] == name
    words = ["blend", "f.safetensors", "m.safetensors", "--blender", "{}", "--out", "shown-{}.safetensors"]
    for name, (code, _, error) in within(odd, EACH.format(names=[*SHOWN], words=words)).items():
        assert code in (0, None), (name, error)


WRITING = """
import kinblend

class Mine(kinblend.Blender):
    def __init__(self, options, context):
        super().__init__(options, context)
        self.kept = None

    def blend(self, father, mother, seed):
        if self.kept is not None:
            self.kept[0].fill_(9); self.kept[1].fill_(9)
        shares = father * 0 + 0.25
        child = father * shares + mother * (1 - shares)
        self.kept = child, shares
        father.fill_(7); mother.fill_(7)
        return kinblend.Blend(child, kinblend.WeightMap(shares, self.space))

@kinblend.hookimpl
def kinblend_register_blenders(register):
    register(kinblend.PluginSpec("writing", "a test", "writing_plugin:Mine"))

@kinblend.hookimpl
def kinblend_before_stage(stage, run):
    run.clear()
"""


def test_finding_15_a_blender_that_writes_into_its_inputs_spoils_nothing(tmp_path: Path) -> None:
    site = site_of(tmp_path, writing=WRITING)
    code = (
        "import json\nfrom kinblend import Engine\n"
        "engine = Engine('morphable')\n"
        f"father, mother = map(engine.parent, {[str(portrait(who)) for who in (FATHER, MOTHER)]!r})\n"
        "before = father.latent.code.clone()\n"
        "first = engine.run(father, mother, blender='writing', children=2)\n"
        "second = engine.run(father, mother, blender='writing', children=2)\n"
        "same = [a.image.tobytes() == b.image.tobytes() for a, b in zip(first.children, second.children)]\n"
        "whole = first.manifest['blender']['name'], bool((father.latent.code == before).all())\n"
        "print(json.dumps([*same, *whole]))\n"
    )
    assert within(site, code) == [True, True, "writing", True]


def test_the_users_own_interrupt_ends_a_run(tmp_path: Path) -> None:
    """Also in the middle of a plugin's work, and also after a plugin has set another handler."""
    body = WEIGHTS + "import time; print('begun', flush=True); time.sleep(60)"
    site = site_of(tmp_path, slow=BLENDER.format(name="slow", options="pass", body=body), deaf=QUIET["deaf"])
    engine = Engine("morphable")
    from kinblend import Latent, save_latent

    code = torch.zeros(engine.backbone.space.layers, engine.backbone.space.dim)
    save_latent(tmp_path / "a.safetensors", Latent(code, engine.backbone.space))
    command = [sys.executable, "-m", "kinblend.cli", "blend", "a.safetensors", "a.safetensors", "--blender", "slow"]
    process = subprocess.Popen(command, env=site.environ, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert process.stderr.readline() == "begun\n"
    begun = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=30)
    assert process.returncode not in (0, None) and time.monotonic() - begun < 20
    assert "Traceback" not in error and "PluginError" not in error and "slow" not in error


def test_a_distribution_whose_metadata_is_broken_is_named(tmp_path: Path) -> None:
    site = Site(tmp_path)
    info = tmp_path / "broken-1.0.dist-info"
    info.mkdir()
    (info / "entry_points.txt").write_bytes(b"[kinblend]\n= = =\n\xff\xfe[")
    (tmp_path / "nameless-1.0.dist-info").mkdir()
    done = site.kinblend("plugins", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert any(plugin["error"] and "metadata" in plugin["error"] for plugin in found)
    assert any(plugin["name"] == "blenders" and plugin["error"] is None for plugin in found)


def test_a_command_of_a_plugin_that_fails_says_so_in_one_line(tmp_path: Path) -> None:
    source = (
        "import kinblend\n"
        "@kinblend.hookimpl\n"
        "def kinblend_register_commands(register):\n"
        "    register(kinblend.PluginSpec('fall', 'Fall.', 'falling_plugin:fall'))\n"
        "def fall(how: str = 'x'):\n    raise ZeroDivisionError(how)\n"
    )
    done = site_of(tmp_path, falling=source).kinblend("fall")
    assert done.returncode == 1
    assert done.stderr == "kinblend: command 'fall' of plugin 'falling' failed: ZeroDivisionError: x\n"


def test_a_hook_that_fails_in_the_engine_is_a_plugins_error() -> None:
    from importlib.metadata import EntryPoint

    from kinblend.plugins import Plugins

    with pytest.raises(PluginError, match="nothing"):
        from kinblend.errors import wrap_plugin_errors

        with wrap_plugin_errors("nothing"):
            raise GeneratorExit
    assert Plugins([EntryPoint("x", "no.such.module", "kinblend")]).reports[0].error
    assert here("plugins", "--json")[0] == 0
