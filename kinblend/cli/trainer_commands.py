"""`kinblend train KIND NAME`: a command for each trainer, whose options are its flags."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, Signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from typer.core import TyperGroup

from kinblend.cli import flags
from kinblend.cli.allowed import default_value, variants
from kinblend.cli.command import App, GuardedCommand
from kinblend.cli.output import check_file, check_folder, emit, emit_paths, log
from kinblend.cli.parsing import read_value
from kinblend.errors import UsageError, wrap_plugin_errors
from kinblend.settings import load_settings

if TYPE_CHECKING:
    from kinblend.registry import PluginSpec


def _out(metavar: str, text: str) -> Any:
    return Annotated[Path | None, typer.Option(metavar=metavar, help=text, rich_help_panel=flags.OUTPUT)]


OUT = {
    "backbone": _out("FOLDER", "The pack's folder. Default: among the installed packs."),
    "blender": _out("FILE", "For the weights. Default: blender.safetensors."),
    "encoder": _out("FOLDER", "For the encoder's files. Default: encoder."),
    "directions": _out("FILE", "For the directions. Default: directions.safetensors."),
}
NEEDED, OPTIONS, SWITCHES = "Needed", "Options of the training", "Switches"  # panels of the help
ANY_FLAGS = {"allow_extra_args": True, "ignore_unknown_options": True}  # unknown ones are named by the trainer


class TrainerGroup(TyperGroup):
    """The trainers of one kind of thing. A call that begins with a flag means the most preferred one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0].startswith("--") and args[0] != "--help":
            args = [default_trainer(str(self.name)), *args]
        rest: list[str] = super().parse_args(ctx, args)
        return rest

    def list_commands(self, ctx: Any) -> list[str]:
        return [spec.name for spec in _trainers() if spec.trains == self.name]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        from kinblend.plugins import load_plugins

        spec = load_plugins()["trainer"].get(cmd_name)
        if spec.trains != self.name:
            raise UsageError(
                f"trainer '{cmd_name}' trains a {spec.trains}: run `kinblend train {spec.trains} {cmd_name}`"
            )
        return trainer_command(spec)


def default_trainer(trains: str) -> str:
    """The most preferred trainer of that kind. Raises `UsageError` where there is none."""
    for spec in _trainers():
        if spec.trains == trains:
            return spec.name
    raise UsageError(f"no trainer trains a {trains}; see `kinblend trainers list`")


def _trainers() -> list[PluginSpec]:
    from kinblend.plugins import load_plugins

    return load_plugins()["trainer"].by_preference()


def trainer_command(spec: PluginSpec) -> Any:
    """The command that runs a trainer; its flags are the fields of the trainer's options model."""
    run = _RUN[spec.trains]
    schema = spec.options_schema()
    fields, required = schema.get("properties", {}), set(schema.get("required", ()))

    def command(context: typer.Context, out: Path | None, as_json: bool, quiet: bool, **given: Any) -> None:
        options = {name: _value(value) for name, value in given.items() if value is not None}
        run(spec, options | flags_to_options(context.args), out, as_json)

    parameters = [
        Parameter("context", Parameter.KEYWORD_ONLY, annotation=typer.Context),
        *(
            _parameter(name, fields[name], schema, name in required)
            for name in sorted(fields, key=lambda name: name not in required)
        ),
        Parameter("out", Parameter.KEYWORD_ONLY, default=None, annotation=OUT[spec.trains]),
        Parameter("as_json", Parameter.KEYWORD_ONLY, default=False, annotation=flags.Json),
        Parameter("quiet", Parameter.KEYWORD_ONLY, default=False, annotation=flags.Quiet),
    ]
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    app = App(add_completion=False, pretty_exceptions_enable=False)
    settings: dict[str, Any] = {"help": f"Train {spec.summary}. {_GOES_ON}", "context_settings": ANY_FLAGS}
    app.command(spec.name, cls=GuardedCommand, **settings)(command)
    return typer.main.get_command(app)


_GOES_ON = "If interrupted, it resumes from its checkpoint."


def _parameter(name: str, field: Mapping[str, Any], schema: Mapping[str, Any], required: bool) -> Parameter:
    """A flag for a field. Values are read by the trainer's own model; switches need none.

    schema: the whole that the field is of.
    """
    kinds = {variant.get("type") for variant in (field, *field.get("anyOf", ()))}
    switch = "boolean" in kinds
    default = default_value(field)
    shown = {"true": "on", "false": "off"}.get(default, default) if switch else default
    text, flag = _sentence(str(field.get("description", ""))), f"--{name.replace('_', '-')}"
    said = escape(f"{text} [default: {shown}]" if shown else text)
    if switch:
        option: Any = Annotated[
            bool | None, typer.Option(f"{flag}/--no-{flag[2:]}", help=said, metavar="", rich_help_panel=SWITCHES)
        ]
    else:
        metavar = _metavar(field, schema)
        panel = NEEDED if required else OPTIONS
        option = Annotated[
            str | None, typer.Option(flag, help=said, metavar=metavar, show_default=False, rich_help_panel=panel)
        ]
    return Parameter(name, Parameter.KEYWORD_ONLY, default=Parameter.empty if required else None, annotation=option)


def _sentence(text: str) -> str:
    """A field's description as the help of flags has it: with a capital and a full stop."""
    text = text.strip()
    if not text:
        return ""
    begun = text[0].upper() + text[1:] if text[:2].isalpha() else text
    return begun + ("" if text.endswith((".", "?", "!")) else ".")


def _metavar(field: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """What stands for a value in the help: the choices, or a word for the kind of value."""
    found = variants(field, schema)
    chosen = [str(choice) for variant in found for choice in variant.get("enum", ())]
    if chosen:
        return "|".join(chosen)
    kinds = [str(variant.get("format") or variant.get("type")) for variant in found]
    return next((WORDS[kind] for kind in kinds if kind in WORDS), "TEXT")


# The words of `kinblend.cli.command.VALUES`, by the types of a JSON schema.
WORDS = {
    "integer": "N",
    "number": "X",
    "string": "TEXT",
    "path": "FILE",
    "file-path": "FILE",
    "directory-path": "FOLDER",
    "array": "LIST",
    "object": "JSON",
}


def _value(given: bool | str) -> Any:
    return read_value(given) if isinstance(given, str) else given


def flags_to_options(words: Sequence[str]) -> dict[str, Any]:
    """`["--faces", "f.zip", "--workers=4"]` → `{"faces": "f.zip", "workers": 4}`. Raises `UsageError`."""
    options: dict[str, Any] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        flag, equals, text = word.partition("=")
        if not flag.startswith("--") or len(flag) < 3:
            raise UsageError(f"{word!r}: write --option value")
        if not equals:
            if not rest or rest[0].startswith("--"):
                raise UsageError(f"{flag} needs a value")
            text = rest.pop(0)
        options[flag[2:].replace("-", "_")] = read_value(text)
    return options


Run = Callable[["PluginSpec", dict[str, Any], Path | None, bool], None]


def _train_backbone(spec: PluginSpec, options: dict[str, Any], out: Path | None, as_json: bool) -> None:
    from kinblend.storage.packs import open_pack

    folder = out or load_settings().packs / spec.name
    check_folder(folder)
    _train(spec, options, folder)
    pack = open_pack(folder)
    pack.verify()
    log(f"use it with --backbone {pack.name if out is None else folder.resolve()}")
    emit_paths([folder], as_json)


def _train_blender(spec: PluginSpec, options: dict[str, Any], out: Path | None, as_json: bool) -> None:
    file = out or Path("blender.safetensors")
    check_file(file)
    written = _train(spec, options, file)
    if written.suffix == ".csv":
        _print_table(written, as_json)
        return
    log(f"use it with --blender {spec.name} --set blender.weights={file}")
    emit_paths([file], as_json)


def _train_encoder(spec: PluginSpec, options: dict[str, Any], out: Path | None, as_json: bool) -> None:
    from kinblend.backbone import choose_backbone

    pack, folder = str(choose_backbone(options.get("backbone"))), out or Path("encoder")
    check_folder(folder)
    _train(spec, options | {"backbone": pack}, folder)
    files = sorted(folder.glob("*.safetensors"))
    log(f"put it into the pack with `kinblend models add {pack} {' '.join(map(str, files))} --encoder {spec.name}`")
    emit_paths(files, as_json)


def _train_directions(spec: PluginSpec, options: dict[str, Any], out: Path | None, as_json: bool) -> None:
    from kinblend.backbone import choose_backbone
    from kinblend.plugins import load_plugins
    from kinblend.storage.pack_index import find_pack

    pack, file = str(choose_backbone(options.get("backbone"))), out or Path("directions.safetensors")
    check_file(file)
    _train(spec, options | {"backbone": pack}, file)
    editor = load_plugins()["editor"].default()
    name = next(iter(editor.reads), file.name)
    if "directions" in editor.options_model().model_fields:
        log(f"try one with `--set editor.directions.NAME={file} --edit NAME=2`")
    command = f"kinblend models add {pack} {file}" + (f" --as {name}" if name != file.name else "")
    if name in find_pack(pack, load_settings().packs, load_plugins().packs).files:
        log(f"pack '{pack}' has a {name} already; `{command}` would replace all of it")
    else:
        log(f"put them into the pack with `{command}`")
    emit_paths([file], as_json)


_RUN: dict[str, Run] = {
    "backbone": _train_backbone,
    "blender": _train_blender,
    "encoder": _train_encoder,
    "directions": _train_directions,
}


def _train(spec: PluginSpec, options: dict[str, Any], out: Path) -> Path:
    """Let a trainer do its work. Returns what it wrote."""
    from kinblend.plugins import load_plugins

    parsed, trainer = spec.parse_options(options), spec.load()
    with wrap_plugin_errors(f"trainer '{spec.name}' of {load_plugins().distribution_of(spec)}"):
        return Path(trainer(parsed, out, log))


def _print_table(path: Path, as_json: bool) -> None:
    """A CSV that a trainer wrote, for people or as a list of rows."""
    from kinblend.storage.tables import read_table

    table = read_table(path)
    rows = [dict(row) for _, row in table.rows]
    log(f"wrote {path}")
    emit(rows, as_json=as_json, rows=[list(map(str, row.values())) for row in rows], head=table.columns)
