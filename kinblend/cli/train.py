"""`kinblend train`: trainers that plugins bring."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kinblend.cli import flags
from kinblend.cli.command import App
from kinblend.cli.output import check_file, check_folder, emit, emit_paths, log
from kinblend.cli.parsing import read_value
from kinblend.cli.progress import bar
from kinblend.errors import UsageError, wrap_plugin_errors
from kinblend.settings import load_settings

if TYPE_CHECKING:
    from kinblend.pipeline import Engine
    from kinblend.training.directions import Directions, Method
    from kinblend.training.generated_faces import Plan

app = App(help="Train backbones, blenders, encoders and directions.", no_args_is_help=True)


@app.command("backbone", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def backbone(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A trainer; `kinblend trainers list`.")],
    out: Annotated[Path | None, typer.Option(help="The pack's folder; default: among the installed packs.")] = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Train a backbone and write its model pack. The trainer's options are flags: for example --faces FILE; see
    `kinblend trainers show NAME`."""
    from kinblend.storage.packs import open_pack

    folder = out or load_settings().packs / name
    check_folder(folder)
    _train("backbone", name, context.args, folder)
    pack = open_pack(folder)
    pack.verify()
    log(f"use it with --backbone {pack.name if out is None else folder.resolve()}")
    emit_paths([folder], as_json)


@app.command("blender", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def blender(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A trainer; `kinblend trainers list`.")],
    out: Annotated[Path, typer.Option(help="File for the weights.")] = Path("blender.safetensors"),
    ablate: Annotated[
        bool, typer.Option("--ablate", help="Train a grid that changes one option at a time, and print its table.")
    ] = False,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Train a blender's weights. The trainer's options are flags: for example --trios FILE; see
    `kinblend trainers show NAME`. Interrupted, it goes on from its checkpoint."""
    check_file(out)
    if ablate:
        _print_table(_train("blender", name, [*context.args, "--ablate", "true"], out), as_json)
        return
    _train("blender", name, context.args, out)
    log(f"use it with --blender {name} --set blender.weights={out}")
    emit_paths([out], as_json)


@app.command("encoder", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def encoder(
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(help="A trainer; `kinblend trainers list`. Default: the one that plugins prefer.")
    ] = "",
    backbone: flags.Backbone = None,
    out: Annotated[Path, typer.Option(help="Folder for the encoder's files.")] = Path("encoder"),
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Train an encoder for a pack's generator on pictures it draws itself. The trainer's options are flags, for
    example --photos ZIP; see `kinblend trainers show NAME`. Interrupted, it goes on from its checkpoint."""
    from kinblend.backbone import choose_backbone

    pack, words = str(choose_backbone(backbone)), list(context.args)
    if name.startswith("--"):  # the first flag was taken for the trainer's name
        name, words = "", [name, *words]
    name = name or default_trainer("encoder")
    check_folder(out)
    _train("encoder", name, [*words, "--backbone", pack], out)
    files = sorted(out.glob("*.safetensors"))
    log(f"put it into the pack with `kinblend models add {pack} {' '.join(map(str, files))} --encoder {name}`")
    emit_paths(files, as_json)


@app.command("directions")
def directions(
    faces: Annotated[
        Path | None, typer.Option(help="Zip of aligned faces with an index.csv (file, omi_stimulus).")
    ] = None,
    ratings: Annotated[Path | None, typer.Option(help="CSV of ratings (stimulus, age, gender, happy …).")] = None,
    method: Annotated[
        Literal["mean", "ridge", "svm"], typer.Option(help="How; svm needs scikit-learn (`kinblend[train]`).")
    ] = "mean",
    generated: Annotated[
        int,
        typer.Option(min=0, help="Instead of rated faces: so many pictures that the backbone draws, such as 3000."),
    ] = 0,
    couples: Annotated[int, typer.Option(min=20, help="Couples that age is calibrated with, in three rounds.")] = 200,
    analyser: Annotated[
        str | None, typer.Option(help="Tells age and sex in them. Default: the one that plugins prefer.")
    ] = None,
    parts: Annotated[
        Path | None,
        typer.Option(help="A network for the parts of a face (.tflite, 19 classes): hair, hats, glasses."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of what is drawn.")] = 0,
    out: Annotated[Path, typer.Option(help="File for the directions.")] = Path("directions.safetensors"),
    backbone: flags.Backbone = None,
    device: flags.Device = None,
    precision: flags.Precision = None,
    memory_budget: flags.Budget = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Fit directions for a backbone from rated faces, or from pictures that it draws itself (--generated).

    Interrupted, it goes on where it stopped."""
    check_file(out)
    if bool(generated) == bool(faces and ratings):
        raise UsageError("give rated faces (--faces, --ratings) or --generated N")
    if generated:
        from kinblend.training.generated_faces import Plan

        engine = flags.open_engine(backbone, device, precision, memory_budget)
        found = _generated(engine, Plan(generated, couples, seed=seed), analyser, parts, out, quiet)
    else:
        assert faces and ratings
        found = _rated(faces, ratings, (backbone, device, precision, memory_budget), method, out, quiet)
    log(f"put them into a pack with `kinblend models add PACK {out}`")
    emit(
        {"files": [str(out)], "attributes": found.about},
        as_json=as_json,
        rows=[[str(out)]],
        head=["wrote"],
    )


def _rated(faces: Path, ratings: Path, where: tuple[Any, ...], method: Method, out: Path, quiet: bool) -> Directions:
    from kinblend.training.rated_attributes import read_rated

    rated = read_rated(faces, ratings)
    engine = flags.open_engine(*where)
    from kinblend.training.rated_faces import train_directions

    with bar("encode", len(rated.files), quiet) as show:
        return train_directions(engine.backbone, rated, out, method, lambda done, of: show(done, total=of), log)


def _generated(
    engine: Engine, plan: Plan, analyser: str | None, parts: Path | None, out: Path, quiet: bool
) -> Directions:
    from kinblend.plugins import load_plugins
    from kinblend.training.generated_faces import open_sampler, train_generated
    from kinblend.training.picture_measurements import read_parser

    analysers = load_plugins()["analyser"]
    see = (analysers.get(analyser) if analyser else analysers.default()).function()
    parser = read_parser(parts) if parts else None
    sampler = open_sampler(engine.backbone, see, plan, out.with_suffix(".part.safetensors"), parser)
    with bar("look", plan.pictures, quiet) as show:
        return train_generated(sampler, plan, out, lambda done, of: show(done, total=of), log)


def default_trainer(trains: str) -> str:
    """The most preferred trainer of that kind. Raises `UsageError` where there is none."""
    from kinblend.plugins import load_plugins

    for spec in load_plugins()["trainer"].by_preference():
        if spec.trains == trains:
            return spec.name
    raise UsageError(f"no trainer trains a {trains}; see `kinblend trainers list`")


def _print_table(path: Path, as_json: bool) -> None:
    """A CSV that a trainer wrote, for people or as a list of rows."""
    from kinblend.storage.tables import read_table

    table = read_table(path)
    rows = [dict(row) for _, row in table.rows]
    log(f"wrote {path}")
    emit(rows, as_json=as_json, rows=[list(map(str, row.values())) for row in rows], head=table.columns)


def _train(what: str, name: str, words: Sequence[str], out: Path) -> Path:
    """Let a trainer do its work.

    Returns what it wrote.
    """
    from kinblend.plugins import load_plugins

    plugins = load_plugins()
    spec = plugins["trainer"].get(name)
    if spec.trains != what:
        raise UsageError(f"trainer '{name}' trains a {spec.trains}: run `kinblend train {spec.trains} {name}`")
    options, trainer = spec.parse_options(flags_to_options(words)), spec.load()
    with wrap_plugin_errors(f"trainer '{name}' of {plugins.distribution_of(spec)}"):
        return Path(trainer(options, out, log))


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
