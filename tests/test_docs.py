"""Every command in the docs exists, with every flag that it is given there."""

import json
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest
import torch
from plugin_site import Site, here

from kinblend import Latent, load_backbone, load_latent, save_latent
from kinblend.cli.trainer_commands import default_trainer
from kinblend.plugins import load_plugins

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SET = re.compile(r"--set (blender|editor|encoder|projector)\.(\w+)")
MADE_UP = {("blender", "half"), ("blender", "first"), ("blender", "key")}  # by pages
COMMAND = re.compile(r"(?:\$ (?:[A-Z_]+=\S+ )*(?:nice -n \d+ )?|`)kinblend ([^`\n#]*)")


@cache
def help_of(*words: str) -> str:
    code, said, _ = here(*words, "--help", COLUMNS=300)
    return said if code == 0 else ""


def help_for(words: list[str]) -> str:
    """The help of the command that a line begins with."""
    names = []
    for word in words:
        if not re.fullmatch(r"[a-z][a-z0-9-]*", word):
            break
        names.append(word)
    if names[:1] == ["train"] and len(names) == 2:  # a flag comes next: the default trainer's
        names.append(default_trainer(names[1]))
    while names and not help_of(*names):
        names.pop()
    return help_of(*names)


def test_the_plugin_in_the_docs_works(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "plugins.md").read_text("utf-8")
    files = dict(re.findall(r"```(?:python|toml)\n# (\S+)\n(.*?)```", text, re.DOTALL))
    assert sorted(files) == ["kinblend_half.py", "kinblend_half_work.py", "pyproject.toml"]
    project = tomllib.loads(files["pyproject.toml"])
    assert project["tool"]["setuptools"]["py-modules"] == ["kinblend_half", "kinblend_half_work"]
    site = Site(tmp_path)
    site.add("half", f"from {project['project']['entry-points']['kinblend']['half']} import *\n")
    for name, content in files.items():
        (tmp_path / name).write_text(content)
    [report] = [one for one in json.loads(site.kinblend("plugins", "--json").stdout) if one["name"] == "half"]
    assert (report["error"], report["problems"]) == (None, [])
    save_latents(tmp_path)
    words = ["--backbone", "morphable", "--no-neutral", "--blender", "half", "--set", "blender.half=last"]
    done = site.kinblend("blend", "f.safetensors", "m.safetensors", *words)
    assert done.returncode == 0, done.stderr
    code = load_latent(tmp_path / "child.safetensors").code
    assert [float(layer.unique()) for layer in code] == [0, 0, 1, 1]


def save_latents(folder: Path) -> None:
    """A father of ones and a mother of zeros."""
    space = load_backbone("morphable").space
    for name, value in (("f", 1.0), ("m", 0.0)):
        code = torch.full((space.layers, space.dim), value)
        save_latent(folder / f"{name}.safetensors", Latent(code, space))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_the_docs_have_the_flags_they_are_given(page: Path) -> None:
    text = page.read_text("utf-8").replace("\\\n", " ")
    strange = {
        f"kinblend {line.strip()}: {flag}"
        for line in COMMAND.findall(text)
        for flag in re.findall(r"(?<!\S)(--[a-z][a-z-]+)", line)
        if not re.search(rf"(?<!\S){flag}(?![a-z-])", help_for(line.split()))
    }
    assert strange == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_options_in_the_docs_are_those_of_some_plugin(page: Path) -> None:
    named = set(SET.findall(page.read_text("utf-8"))) - MADE_UP
    registries = load_plugins()
    specs = [(kind, spec) for kind in {kind for kind, _ in named} for spec in registries[kind]]
    known = {(kind, key) for kind, spec in specs for key in spec.options_model().model_fields}
    assert named - known == set()


@pytest.mark.parametrize("page", [*PAGES, ROOT / "SECURITY.md"], ids=lambda page: str(page.relative_to(ROOT)))
def test_files_of_the_repository_that_are_named_are_there(page: Path) -> None:
    named = re.findall(r"`((?:tests|kinblend|plugins|examples|benchmarks|docs)/[\w./-]+)`", page.read_text("utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_pack_that_comes_with_kinblend_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    assert [name for name in load_plugins().packs if f"| `{name}` |" not in text] == []
