"""`kinblend train`: trainers that plugins bring."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kinblend.cli import flags
from kinblend.cli.command import App
from kinblend.cli.output import check_file, emit, log
from kinblend.cli.progress import bar
from kinblend.cli.trainer_commands import TrainerGroup
from kinblend.errors import UsageError

if TYPE_CHECKING:
    from kinblend.pipeline import Engine
    from kinblend.training.directions import Directions, Method
    from kinblend.training.generated_faces import Plan

app = App(help="Train backbones, blenders, encoders and directions.", no_args_is_help=True)


TRAINED = {
    "backbone": "Train a backbone and write its model pack",
    "blender": "Train a blender's weights",
    "encoder": "Train an encoder for a pack's generator, on pictures that it draws itself",
}
for trained, what in TRAINED.items():
    app.add_typer(
        App(cls=TrainerGroup, help=f"{what}; each trainer has its own flags.", no_args_is_help=True),
        name=trained,
    )


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
