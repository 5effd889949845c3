"""The reference of the command line, from the app itself: a page for each panel of `kinblend --help`."""

from collections.abc import Iterator
from typing import Any

import typer

from generate.pieces import code, fenced, prose, table
from kinblend.cli import registry_commands
from kinblend.cli.app import FAMILIES, MAKE, MODELS, PLUGINS, STEPS, TRAIN, app
from kinblend.cli.plugin_commands import Later, command_of
from kinblend.registry import KINDS

PAGES = {MAKE: "make", STEPS: "steps", MODELS: "models", FAMILIES: "families", TRAIN: "train", PLUGINS: "installed"}
OTHERS = "plugins"  # the page of what plugins add
GENERAL = ("--json", "--quiet", "--help")
PLURALS = {f"{kind}s" for kind in KINDS}


def pages() -> dict[str, str]:
    """Path → Markdown, `reference/commands/make.md` and so on."""
    root: Any = typer.main.get_command(app)
    found: dict[str, list[str]] = {}
    for command in leaves(root, root.make_context("kinblend", [], resilient_parsing=True), ("kinblend",)):
        found.setdefault(command[0], []).append(command[1])
    titles = {path: title for title, path in PAGES.items()} | {OTHERS: "Commands of plugins"}
    done = {
        f"reference/commands/{path}.md": f"# {title}\n\nEvery command here has {GENERAL_TEXT}\n\n{''.join(sections)}"
        for path, title in titles.items()
        if (sections := found.get(path))
    }
    done[f"reference/commands/{PAGES[PLUGINS]}.md"] += registries()
    return done


GENERAL_TEXT = "`--json` for machines, `--quiet` and `--help`; an output names what was written, a line each."


def leaves(group: Any, context: Any, words: tuple[str, ...], page: str = "") -> Iterator[tuple[str, str]]:
    """Every command below a group, as the page that it belongs on and its section."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if len(words) == 1 and name in PLURALS:
            continue  # they are all alike: `registries` tells of them
        place = page or PAGES.get(str(command.rich_help_panel), OTHERS)
        if hasattr(command, "list_commands"):
            yield from leaves(command, context, (*words, name), place)
        else:
            yield place, section((*words, name), command_of(command.spec) if isinstance(command, Later) else command)


def section(words: tuple[str, ...], command: Any) -> str:
    """A command: what it does, how it is called, its arguments and flags."""
    arguments = [param for param in command.params if param.param_type_name == "argument"]
    options = [param for param in command.params if param not in arguments and not set(param.opts) & set(GENERAL)]
    names = [param.metavar or str(param.name).upper() for param in arguments]
    called = [
        *words,
        *(name if param.required else f"[{name}]" for name, param in zip(names, arguments, strict=True)),
    ]
    lines = [f"## {' '.join(words)}\n", *map(prose, str(command.help or "").split("\n\n")), ""]
    lines += [fenced(" ".join([*called, *(["[FLAGS]"] if options else [])]), "text")]
    rows = [[code(name), prose(param.help or "")] for name, param in zip(names, arguments, strict=True)]
    rows += [flag(param) for param in options]
    lines += [table(["argument or flag", "meaning"], rows)] if rows else []
    examples = str(command.epilog or "").partition("Examples:")[2]
    lines += ["Examples:", fenced("\n".join(filter(None, examples.splitlines())), "text")] if examples else []
    return "\n".join([*lines, "", ""])


def flag(param: Any) -> list[str]:
    """A row of the table: the flag with the word for its value, and what it means."""
    names = "/".join([*param.opts, *param.secondary_opts])
    default = param.default
    shown = default is not None and default is not False and default not in ((), "") and not callable(default)
    said = str(param.help or "")
    if shown and "default" not in said.lower():
        said += f" Default: {'on' if default is True else default}."
    if param.multiple and "repeatable" not in said:
        said += " May be given several times."
    if param.required:
        said += " Required."
    return [code(f"{names} {param.metavar or ''}".strip()), prose(said)]


def registries() -> str:
    """The commands that are the same for each kind of plugin."""
    rows = [[code(f"kinblend {kind}s"), prose(registry_commands.ABOUT[kind])] for kind in KINDS]
    return (
        "## kinblend KINDS list, kinblend KINDS show NAME\n\n"
        "`list` prints the plugins of a kind, `show` one of them with the options that it takes. Both take "
        "`--backbone NAME`: what can't be used with it is marked.\n" + table(["command", "of"], rows)
    )
