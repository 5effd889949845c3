"""`kinblend batch`: many couples, a child or several of each."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kinblend.cli import flags
from kinblend.cli.output import check_folder, emit, log
from kinblend.cli.parsing import parse_sets
from kinblend.cli.progress import bar
from kinblend.errors import UsageError
from kinblend.files import keep_inputs
from kinblend.object_stores import Place, open_store, place_of
from kinblend.settings import load_settings

if TYPE_CHECKING:
    from kinblend.batch import Batch

Fields = Annotated[
    list[str] | None,
    typer.Option(
        "--request",
        metavar="FIELD=VALUE",
        help="A field of the request for rows without it, such as age=30 or blender_options.share=0.3; repeatable.",
        rich_help_panel=flags.CHILD,
    ),
]
Sets = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PART.KEY=VALUE",
        help="An option of the encoder or the projector, for all rows; repeatable. Those of other parts are fields.",
        rich_help_panel=flags.MACHINE,
    ),
]


def batch(
    couples: Annotated[
        str,
        typer.Argument(
            help="A .csv, .parquet or .jsonl file of couples, or a folder with a folder for each; also at an address "
            "such as s3://bucket/couples.csv."
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            metavar="FOLDER",
            help="Where to write: a new folder, or its own; also at an address such as s3://bucket/children.",
            rich_help_panel=flags.OUTPUT,
        ),
    ] = "batch",
    request: Fields = None,
    format: Annotated[
        Literal["png", "jpeg", "webp"], typer.Option(help="Of the pictures.", rich_help_panel=flags.OUTPUT)
    ] = "png",
    workers: flags.Workers = None,
    ray: flags.Ray = None,
    gpus_each: flags.GpusEach = 0.0,
    limit: Annotated[int | None, typer.Option(min=1, help="The first so many rows alone.")] = None,
    where: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN=TEXT", help="Rows alone whose column holds this; repeatable.")
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try rows again that have failed.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Give up children of rows that have changed, or are there no more.")
    ] = False,
    sets: Sets = None,
    backbone: flags.Backbone = None,
    encoder: flags.Encoder = None,
    device: flags.Device = None,
    precision: flags.Precision = None,
    memory_budget: flags.Budget = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Predict children of many couples. If interrupted, it resumes where it stopped.

    Columns: father, mother, perhaps id, and the fields of a request. A row that fails is listed in the index with its
    reason; exit code 1 says that there are such."""
    defaults, chosen = _fields(request or []), _pairs(where or [])
    options = parse_sets(sets or [], ("encoder", "projector"))
    settings = load_settings(
        backbone=backbone, device=device, precision=precision, memory_budget=memory_budget, encoder=encoder
    )
    place, table = _checked(out), place_of(couples)
    from kinblend.backbone import choose_backbone
    from kinblend.batch import BatchOptions, EngineOptions, read_couples, run_batch

    defaults |= {
        name: value
        for name, value in (("blender", settings.blender), ("editor", settings.editor))
        if value is not None and name not in defaults
    }
    listed = read_couples(table, defaults)
    if isinstance(table, Path):
        keep_inputs(table.rglob("*") if table.is_dir() else [table])
    engine = EngineOptions(
        str(choose_backbone(settings.backbone)),
        _device(settings.device, ray, gpus_each),
        settings.precision,
        settings.memory_budget,
        options["encoder"],
        options["projector"],
        settings.encoder,
    )
    wanted = BatchOptions(format, workers, chosen, limit, retry_failed, replace)
    try:
        with flags.open_workers(ray, gpus_each, workers) as crew, ExitStack() as shown:
            elsewhere = None if isinstance(crew, int) else crew
            made = run_batch(listed, place, engine, wanted, _bars(shown, quiet), elsewhere)
    except KeyboardInterrupt:
        log("interrupted: the same command goes on from here")
        raise
    _report(made, as_json, retried=retry_failed)
    if made.failed:
        raise typer.Exit(1)


def _checked(out: str) -> Place:
    """Where to write. Raises where nothing can be, as far as can be told without a request."""
    place = place_of(out)
    if isinstance(place, Path):
        check_folder(place)
    open_store(place)
    return place


def _device(wanted: str | None, ray: str | None, gpus_each: float) -> str | None:
    """Processes of a cluster have a GPU if they are given a share of one, whatever this machine has."""
    if ray is None or wanted not in (None, "auto"):
        return wanted
    return "cuda" if gpus_each else "cpu"


def _bars(shown: ExitStack, quiet: bool) -> Any:
    """A bar for each thing that is counted, one after the other."""
    title, show = "", None

    def tell(counted: str, done: int, total: int) -> None:
        nonlocal title, show
        if counted != title or show is None:
            shown.close()
            title, show = counted, shown.enter_context(bar(counted, total, quiet))
        show(done)

    return tell


def _report(made: Batch, as_json: bool, *, retried: bool) -> None:
    log(f"{made.done} of {made.rows} couples done, {made.anew} of these rows now; {made.encoded} photographs encoded")
    if made.failed:
        log(f"{made.failed} failed: the index says why" + ("" if retried else "; --retry-failed tries them again"))
    rows = [["couples done", str(made.done)], *([f"failed: {kind}", str(n)] for kind, n in made.failures.items())]
    data = asdict(made) | {"index": str(made.index)}
    emit(data, as_json=as_json, rows=[*rows, ["index", str(made.index)]], head=["batch", ""])


def _fields(words: Sequence[str]) -> dict[str, Any]:
    """`["age=30", "edits.smile=1"]` → `{"age": 30, "edits": {"smile": 1}}`. Raises `UsageError`."""
    from kinblend.pipeline.request import ChildRequest

    for word in words:
        name = word.partition("=")[0].partition(".")[0]
        if "=" not in word:
            raise UsageError(f"--request {word!r}: write --request FIELD=VALUE")
        if name not in ChildRequest.model_fields:
            raise UsageError(
                f"--request {word!r}: there is no such field; there are {', '.join(ChildRequest.model_fields)}"
            )
    return parse_sets([f"request.{word}" for word in words], ("request",))["request"]


def _pairs(words: Sequence[str]) -> dict[str, str]:
    found = {}
    for word in words:
        column, equals, text = word.partition("=")
        if not column or not equals:
            raise UsageError(f"--where {word!r}: write --where COLUMN=TEXT")
        found[column] = text
    return found
