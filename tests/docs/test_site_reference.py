"""The reference says all that the code knows, and nothing that it doesn't."""

import dataclasses
import json
import re

import pytest
import torch
from plugin_site import here
from site_pages import generated

from kinblend import ChildRequest, Engine, Latent, errors, hookspecs
from kinblend.plugins import load_plugins
from kinblend.registry import KINDS
from kinblend.settings import Settings

COMMANDS = [
    "run",
    "batch",
    "serve",
    "models import",
    "families encode",
    "evaluate blender",
    "train encoder wplus",
    "study prepare",
    "fit-heads",
]


def section(title: str) -> str:
    """A command's section."""
    pages = "\n".join(text for place, text in generated().items() if place.startswith("reference/commands/"))
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", pages, re.M | re.S)
    assert found, title
    return found[1]


@pytest.mark.parametrize("words", COMMANDS)
def test_every_flag_in_the_help_is_in_the_reference(words: str) -> None:
    code, said, _ = here(*words.split(), "--help", COLUMNS=300)
    assert code == 0
    flags = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", re.sub(r"(?s)Examples:.*", "", said)))
    text = section(f"kinblend {words}")
    assert {flag for flag in flags if flag not in text} <= {"--help", "--json", "--quiet"}


def test_every_command_of_the_help_is_in_the_reference() -> None:
    _, said, _ = here("--help", COLUMNS=300)
    names = set(re.findall(r"^[│|] ([a-z][a-z-]+) ", said, re.M))
    assert len(names) > 30
    text = "\n".join(text for place, text in generated().items() if place.startswith("reference/commands/"))
    assert {name for name in names if f"kinblend {name}" not in text} == set()


def test_every_option_of_every_plugin_is_in_the_reference() -> None:
    plugins, lacking = load_plugins(), []
    for kind in KINDS:
        text = generated().get(f"reference/options/{kind}s.md", "")
        for spec in plugins[kind]:
            if kind in ("command", "evaluation"):
                continue
            found = re.search(rf"^## {re.escape(spec.name)}\n(.*?)(?=^## |\Z)", text, re.M | re.S)
            words = {
                name.replace("_", "-") if kind == "trainer" else name for name in spec.options_model().model_fields
            }
            lacking += [f"{kind} {spec.name}: {word}" for word in words if not found or word not in found[1]]
            lacking += [f"{kind} {spec.name}"] if not found else []
    assert lacking == []


def test_what_is_said_of_a_manifest_is_what_a_manifest_has() -> None:
    from generate.formats import CHILD

    engine = Engine("morphable")
    space = engine.backbone.space
    parents = [Latent(torch.full((space.layers, space.dim), value), space) for value in (0.1, -0.1)]
    manifest = engine.run(*parents, age=8, judge=True).manifest
    assert set(CHILD) == set(manifest)


def test_what_is_said_of_a_pack_is_what_packs_have() -> None:
    from generate.formats import PACK

    source = load_plugins().packs["morphable"]
    assert source.folder
    description = json.loads((source.folder / "pack.json").read_text("utf-8"))
    assert set(description) - {"note"} == set(PACK)


def test_every_setting_and_every_field_of_a_request_is_told() -> None:
    from generate.formats import SETTINGS

    assert set(SETTINGS) == {field.name for field in dataclasses.fields(Settings)}
    text = generated()["reference/formats.md"]
    assert [name for name in ChildRequest.model_fields if f"| `{name}` |" not in text] == []


def test_every_error_and_every_hook_is_told() -> None:
    kinds = [
        kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.KinblendError)
    ]
    text = generated()["reference/exit-codes.md"]
    assert [kind.__name__ for kind in kinds if f"`{kind.__name__}`" not in text] == []
    hooks = [name for name in vars(hookspecs) if name.startswith("kinblend_")]
    assert [name for name in hooks if f"## {name}\n" not in generated()["reference/hooks.md"]] == []


def test_every_row_of_a_table_has_the_cells_of_its_head() -> None:
    """A bar in a text would begin another cell."""
    broken = []
    for place, text in generated().items():
        cells = 0
        for line in text.splitlines():
            bars = line.count(" | ") if line.startswith("| ") else 0
            cells = 0 if not bars else cells or bars
            broken += [f"{place}: {line}"] if bars != cells else []
    assert broken == []
