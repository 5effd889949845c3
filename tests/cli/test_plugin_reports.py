"""`kinblend plugins` and `kinblend doctor` say what would go wrong when a plugin is used, and go on."""

import ast
import json
from pathlib import Path

import pytest
import torch
from plugin_site import Site, here
from safetensors.torch import save_file

from kinblend.cli.allowed import allowed_values, default_value
from kinblend.packs import write_description

HEAD = "import kinblend, pydantic\nfrom typing import Literal\n"
HOOK = "@kinblend.hookimpl\ndef kinblend_register_{kind}(register):\n    register({what})\n"
GOOD = "class Mine(kinblend.Blender):\n    def weights(self, father, mother, seed):\n        return father * 0\n"
OPTIONS = "class Options(pydantic.BaseModel):\n    {field}\n"


def spec(target: str, *more: str) -> str:
    words = ", ".join(["'NAME'", "'a test'", f"'NAME_plugin:{target}'", *more])
    return f"kinblend.PluginSpec({words})"


def blender(what: str, body: str = GOOD) -> str:
    return HEAD + body + HOOK.format(kind="blenders", what=what)


PROJECTOR = (
    "class Draws(kinblend.Projector):\n    resolution = 64\n"
    "    def synthesize(self, codes, *, noise=None, seed=0, size=None):\n        return codes\n"
    "@kinblend.hookimpl\ndef kinblend_register_projectors(register):\n"
    "    register(kinblend.PluginSpec('NAME', 'a test', 'NAME_plugin:Draws'))\n"
)
PACKS = "from kinblend.packs import Download, PackSource\nfrom pathlib import Path\n"
PACKED = HOOK.format(kind="packs", what="PackSource('NAME', 'a test', folder=Path(__file__).parent / 'NAME_pack')")


def packed(what: str = "", **said: object) -> str:
    """A plugin with a projector and a pack; `said` is told differently in its pack.json."""
    source = PACKED if not what else HOOK.format(kind="packs", what=what)
    return f"{HEAD}{PACKS}SAID = {said!r}\n{PROJECTOR}{source}"


# What is written in a plugin, and what is said of it. NAME stands for the plugin's own name.
WRONG = {
    "tuple": (blender("('NAME', 'a test', 'NAME_plugin:Mine')"), "register takes a kinblend.PluginSpec"),
    "klass": (blender("Mine"), "register takes a kinblend.PluginSpec(name, summary, target), not <class"),
    "nothing": (blender("None"), "register takes a kinblend.PluginSpec(name, summary, target), not None"),
    "capital": (blender("kinblend.PluginSpec('Mine', 'a test', 'x:y')"), "use lower case letters, digits and dashes"),
    "noname": (blender("kinblend.PluginSpec(None, 'a test', 'x:y')"), "name is text, not None"),
    "nocolon": (blender("kinblend.PluginSpec('NAME', 'a test', 'mine')"), "target 'mine' is not 'module:attribute'"),
    "preferring": (blender(spec("Mine", "preferred='high'")), "preferred is a whole number, not 'high'"),
    "requiring": (blender(spec("Mine", "requires='numpy'")), "requires is a tuple of names, not one name"),
    "misspelt": (blender(spec("Mien")), "has no attribute 'Mien'"),
    "elsewhere": (blender("kinblend.PluginSpec('NAME', 'a test', 'no_such:Mine')"), "No module named 'no_such'"),
    "underived": (blender(spec("Mine"), "class Mine:\n    pass\n"), "is not derived from kinblend.Blender"),
    "instance": (blender(spec("Mine"), "Mine = 3\n"), "is a int, not a class derived from kinblend.Blender"),
    "empty": (blender(spec("Mine"), "class Mine(kinblend.Blender):\n    pass\n"), "neither weights nor blend"),
    "literal": (
        blender(spec("Mine", "Options"), GOOD + OPTIONS.format(field="how: Literal['a', 'b'] = 'zigzag'")),
        "the default of its option how, 'zigzag', is refused: use 'a' or 'b'",
    ),
    "ranged": (
        blender(spec("Mine", "Options"), GOOD + OPTIONS.format(field="share: float = pydantic.Field(2, le=1)")),
        "the default of its option share, 2, is refused: use at most 1",
    ),
    "optionless": (blender(spec("Mine", "'NAME_plugin:Mine'")), "are no pydantic model"),
    "variant": (
        blender(spec("Mine", "Options", "variants={'m': {'share': 'x'}}"), GOOD + OPTIONS.format(field="share: int")),
        "the options of a variant are refused: share='x': give a whole number",
    ),
    "encoding": (
        HEAD + "class Mine(kinblend.Encoder):\n    pass\n" + HOOK.format(kind="encoders", what=spec("Mine")),
        "lacks encode",
    ),
    "sideless": (
        HEAD + "class Mine(kinblend.Encoder):\n    def encode(self, images):\n        return self.input_size\n"
        + HOOK.format(kind="encoders", what=spec("Mine")),
        "Mine lacks input_size; set it in the class",
    ),
    "unresolved": (
        HEAD + PROJECTOR.replace("    resolution = 64\n", ""), "Draws lacks resolution; set it in the class",
    ),
    "unmeasured": (
        HEAD + "class Mine(kinblend.IdentityNetwork):\n    embed_pictures = print\n"
        + HOOK.format(kind="identity_networks", what=spec("Mine")),
        "Mine lacks embedding_size and input_side; set it in the class",
    ),
    "folderless": (packed("PackSource('NAME', 'a test', folder=Path('nowhere'))"), "nowhere is not there; ship the"),
    "sourceless": (packed("PackSource('NAME', 'a test')"), "it has neither a folder nor downloads and an importer"),
    "importing": (
        packed("PackSource('NAME', 'a test', downloads=(Download('http://x/y', 'y'),), importer='nobody')"),
        "there is no importer 'nobody' for its downloads",
    ),
    "renamed": (packed(name="another"), "pack 'renamed': its pack.json names it 'another'"),
    "strange": (packed(encoder="nobody"), "pack 'strange': its pack.json names the encoder 'nobody', which no"),
    "sized": (packed(resolution=128), "its pack.json states resolution 128, and its projector has 64; state 64"),
    "commanding": (HEAD + "Mine = 3\n" + HOOK.format(kind="commands", what=spec("Mine")), "is a int, not a function"),
    "packing": (HEAD + HOOK.format(kind="packs", what="'folder'"), "register takes a kinblend.packs.PackSource"),
}  # fmt: skip


SETS = "        super().__init__(*made)\n        self.resolution = 64\n"


def write_pack(folder: Path, name: str, said: dict) -> None:
    folder.mkdir()
    save_file({"empty": torch.zeros(1)}, folder / "generator.safetensors")
    sizes = {"layers": 2, "dim": 8, "resolution": 64, "generator": "generator.safetensors"}
    description = {"name": name, "encoder": None, "projector": name, **sizes, **said}
    write_description(folder, description, ["generator.safetensors"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = Site(tmp_path_factory.mktemp("site"))
    for name, (source, _) in WRONG.items():
        site.add(name, source.replace("NAME", name))
        if PACKED in source:
            [said] = [line for line in source.splitlines() if line.startswith("SAID = ")]
            write_pack(site.folder / f"{name}_pack", name, ast.literal_eval(said.removeprefix("SAID = ")))
    later = packed().replace("    resolution = 64\n", f"    def __init__(self, *made):\n{SETS}")
    site.add("later", later.replace("NAME", "later"))
    write_pack(site.folder / "later_pack", "later", {})
    site.add(
        "good", blender(spec("Mine", "Options"), GOOD + OPTIONS.format(field="needed: int")).replace("NAME", "good")
    )
    return site


@pytest.fixture(scope="module")
def reports(site: Site) -> dict[str, dict]:
    done = site.kinblend("plugins", "--json")
    assert done.returncode == 0, done.stderr
    return {report["name"]: report for report in json.loads(done.stdout)}


@pytest.mark.parametrize("name", WRONG)
def test_each_is_told_in_one_line(name: str, reports: dict[str, dict]) -> None:
    report = reports[name]
    said = [*filter(None, [report["error"]]), *report["problems"]]
    assert len(said) == 1, said
    assert WRONG[name][1] in said[0]
    assert "\n" not in said[0]


def test_whoever_is_well_is_told_so(reports: dict[str, dict]) -> None:
    for name in ("good", "later"):
        assert (reports[name]["error"], reports[name]["problems"]) == (None, [])
    assert all(not report["problems"] for report in reports.values() if report["distribution"] == "kinblend")


def test_doctor_names_them_all(site: Site) -> None:
    done = site.kinblend("doctor")
    assert done.returncode == 1
    lines = [line for line in done.stdout.splitlines() if "PROBLEM" in line]
    assert [line.split()[0] for line in lines] == ["plugins", "packs"]  # of one pack the folder is not there
    assert all(f"{name}: " in lines[0] for name in WRONG)


def test_a_pack_of_another_resolution_is_not_used(site: Site) -> None:
    done = site.kinblend("blenders", "show", "layer", "--backbone", "sized")
    assert done.returncode == 4
    assert "states a resolution of 128 px, and projector 'sized' of sized 1.0 makes 64 px" in done.stderr
    assert site.kinblend("blenders", "show", "layer", "--backbone", "later").returncode == 0


def test_an_unknown_name_leads_to_the_plugins_that_were_left_out(site: Site) -> None:
    done = site.kinblend("blenders", "show", "tuple")
    assert (done.returncode, "'tuple'" in done.stderr.partition("could not be loaded")[0]) == (2, True)
    assert "see `kinblend plugins`" in done.stderr
    assert "kinblend plugins" not in here("blenders", "show", "nobody")[2]


@pytest.mark.parametrize(
    ("kind", "name", "rows"),
    [
        (
            "blenders",
            "mask",
            ["by=\tgroup, dimension, layer or element\tgroup\t", "share=\t0 to 1\t0.5", "run=\tat least 1"],
        ),
        (
            "blenders",
            "likeness",
            ["identity=\tdlib, facenet, mobilefacenet or faceplugin\tdlib", "weights=\ta file\t\t"],
        ),
        ("blenders", "layer", ["shares=\ta mapping (0 to 1 each), a list (0 to 1 each) or a file"]),
        ("commands", "fit-heads", ["GENERATOR\ta file\trequired", "--pictures\tat least 20\t240"]),
        ("commands", "pack-faces", ["--size\ta whole number\t128", "--json\ttrue or false"]),
        ("trainers", "learned", ["--bridge\trender, proxy or projection\trender"]),
    ],
)
def test_show_tells_choices_and_ranges(kind: str, name: str, rows: list[str]) -> None:
    code, said, _ = here(kind, "show", name)
    assert code == 0
    assert all(row in said for row in rows), said


def test_editors_tell_what_an_attribute_was_fitted_for() -> None:
    said = here("editors", "show", "interfacegan", "--backbone", "morphable")[1]
    assert "--edit age=…\t-3.97 to 2.29, 2y to 68y\t" in said
    assert "--edit gender=…\t-3 to 3, female, male\t" in said


@pytest.mark.parametrize(
    ("field", "said"),
    [
        ({"type": "integer"}, "a whole number"),
        ({"type": "number", "exclusiveMinimum": 0}, "more than 0"),
        ({"type": "number", "minimum": 0, "exclusiveMaximum": 1}, "at least 0, less than 1"),
        ({"anyOf": [{"type": "null"}, {"type": "string", "format": "file-path"}]}, "a file"),
        ({"enum": ["a", "b", "c"], "type": "string"}, "a, b or c"),
        ({"const": "only"}, "only"),
        ({"$ref": "#/$defs/Kind"}, "x or y"),
        ({"type": "array", "prefixItems": [{}, {}]}, "a list of 2"),
        ({"type": "object"}, "a mapping"),
        ({}, ""),
    ],
    ids=str,
)
def test_values_in_words(field: dict, said: str) -> None:
    assert allowed_values(field, {"$defs": {"Kind": {"enum": ["x", "y"]}}}) == said


def test_defaults_as_one_would_write_them() -> None:
    values = [None, [], {}, "", "x", 0.5, True, [1, 2]]
    assert [default_value({"default": value}) for value in values] == ["", "", "", "", "x", "0.5", "true", "[1, 2]"]
