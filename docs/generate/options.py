"""The reference of plugins and their options, from the registries and the options' pydantic models."""

from collections.abc import Mapping
from typing import Any

from generate.pieces import code, prose, table
from kinblend.cli.allowed import allowed_values, default_value
from kinblend.cli.registry_commands import ABOUT, COMMANDS
from kinblend.plugins import load_plugins
from kinblend.registry import KINDS, PluginSpec

SET = ("blender", "editor", "encoder", "projector")  # whose options `--set KIND.key=` takes


def pages() -> dict[str, str]:
    """Path → Markdown: a page for each kind that has plugins, and one for packs."""
    plugins = load_plugins()
    found = {path(kind): page(kind, plugins[kind].by_preference()) for kind in KINDS if kind not in COMMANDS}
    return {where: text for where, text in found.items() if text} | {"reference/options/packs.md": packs()}


def path(kind: str) -> str:
    return f"reference/options/{kind}s.md"


def page(kind: str, specs: list[PluginSpec]) -> str:
    if not specs:
        return ""
    title = f"{kind.replace('-', ' ').capitalize()}s"
    lines = [
        f"# {title}\n",
        f"{prose(ABOUT[kind].capitalize())}. The most preferred comes first; `kinblend {kind}s "
        "list` prints those of your machine.\n",
    ]
    if kind in SET:
        lines += [f"Options are given by `--set {kind}.KEY=VALUE`, in Python and in JSON as a mapping.\n"]
    return "\n".join([*lines, *(section(kind, spec) for spec in specs)])


def section(kind: str, spec: PluginSpec) -> str:
    """A plugin: what it is, what it needs, and a table of its options."""
    notes = [f"{prose(spec.summary[:1].upper() + spec.summary[1:])}."]
    notes += [f"On the web page: *{prose(spec.label)}*. {prose(spec.explanation)}"] if spec.label else []
    notes += [f"Needs {code(spec.weights)} in the backbone's pack."] if spec.weights else []
    notes += [f"Needs the package {', '.join(map(code, spec.requires))}."] if spec.requires else []
    schema = spec.options_schema()
    needed = schema.get("required", ())
    rows = [
        [
            code(given(kind, key)),
            prose(allowed_values(field, schema)),
            "required" if key in needed else code(default_value(field)),
            prose(field.get("description", "")),
        ]
        for key, field in schema.get("properties", {}).items()
    ]
    options = table(["option", "values", "default", "meaning"], rows) if rows else "\nIt has no options.\n"
    return f"## {spec.name}\n\n{' '.join(notes)}\n{options}\n"


def given(kind: str, key: str) -> str:
    """How an option is written."""
    if kind in SET:
        return f"{kind}.{key}"
    return f"--{key.replace('_', '-')}" if kind == "trainer" else key


def packs() -> str:
    """The packs that plugins bring or can pull."""
    rows = [
        [code(name), prose(source.summary), prose(source.licence), prose(comes(source))]
        for name, source in load_plugins().packs.items()
    ]
    return (
        "# Packs\n\nA pack is a backbone on disk. `kinblend models list` says which are installed.\n"
        + table(["pack", "what it is", "terms", "how it comes"], rows)
        + "\nThose that are embedded carry what follows; what another can move and which groups its layers have is "
        "told by `kinblend editors show EDITOR --backbone PACK` and `kinblend blenders show layer --backbone "
        "PACK`.\n\n" + "".join(embedded(name) for name, source in load_plugins().packs.items() if source.folder)
    )


def comes(source: Any) -> str:
    return "embedded" if source.folder else "`kinblend models pull`"


def embedded(name: str) -> str:
    """What an embedded pack can do: its latent space, its groups of layers, its attributes."""
    from kinblend import load_backbone
    from kinblend.backbone import make_plugin

    backbone = load_backbone(name)
    space, groups = backbone.space, backbone.projector.layer_groups()
    editor: Any = make_plugin("editor", load_plugins()["editor"].default().name, backbone.context)
    attributes: Mapping[str, str] = editor.attributes()
    targets: Mapping[str, Any] = editor.targets()
    rows = [[code(key), prose(note), ", ".join(targets.get(key, ()))] for key, note in attributes.items()]
    return (
        f"## {name}\n\nCodes are float32 [{space.layers}, {space.dim}], pictures up to "
        f"{backbone.pack.resolution} px.\n"
        + table(["group of layers", "layers"], [[code(key), f"{a} to {b}"] for key, (a, b) in groups.items()])
        + table(["attribute", "more of it", "targets"], rows)
    )
