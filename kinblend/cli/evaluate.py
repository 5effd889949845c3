"""`kinblend evaluate`: how good is it?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from kinblend.cli import flags
from kinblend.cli.command import App
from kinblend.cli.evaluate_encoders import encoders
from kinblend.cli.families import Format, Source
from kinblend.cli.output import check_folder, emit, log
from kinblend.cli.parsing import parse_sets, parse_weights
from kinblend.cli.plugin_commands import Evaluations
from kinblend.cli.progress import bar, stages
from kinblend.cli.trio_files import load_encoded

RATES = {"accuracy": "accuracy", "first": "child first", "tenth": "in the first ten"}

app = App(cls=Evaluations, help="Measure backbones, encoders, blenders and kinship.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Measure backbones, encoders and blenders."""


@app.command("backbone")
def backbone(
    faces: Annotated[Path, typer.Option(help="Folder or zip of FFHQ-aligned pictures of different people.")],
    pairs: Annotated[int, typer.Option(min=1, help="Random couples whose children are looked at.")] = 200,
    strategy: Annotated[
        list[str] | None, typer.Option(help="A strategy whose children are looked at; repeatable; default: all.")
    ] = None,
    edits: Annotated[bool, typer.Option(help="Measure edits, too, which takes longest.")] = True,
    sets: flags.Sets = None,
    backbone: flags.Backbone = None,
    device: flags.Device = None,
    precision: flags.Precision = None,
    memory_budget: flags.Budget = None,
    workers: flags.EvaluationWorkers = None,
    ray: flags.Ray = None,
    gpus_each: flags.GpusEach = 0.0,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Reconstructions, children by every strategy, and edits, of people the backbone never saw."""
    flags.check_workers(ray, gpus_each, workers)
    from kinblend.evaluation.face_dataset import read_faces

    options = parse_sets(sets or [], ("encoder", "projector"))
    people = read_faces(faces)
    engine = flags.open_engine(backbone, device, precision, memory_budget, options)
    from kinblend.evaluation.backbone import evaluate

    default = flags.evaluation_workers(engine.pool.device)
    with flags.open_workers(ray, gpus_each, workers, default) as crew, stages(quiet, 3 + edits) as begin:
        report = evaluate(
            engine,
            people,
            pairs,
            begin,
            strategies=strategy or (),
            with_edits=edits,
            workers=crew,
            note=log,
        )
    emit(report, as_json=as_json, rows=_rows(report), head=["figure", "value"])


app.command("encoders")(encoders)


@app.command("blender")
def blender(
    trios: Annotated[list[Path], typer.Option(help="What `families encode` wrote; repeatable.")],
    weights: Annotated[
        list[str] | None,
        typer.Option(help="NAME=STRATEGY:FILE: a strategy with these weights as well, reported as NAME; repeatable."),
    ] = None,
    strategy: Annotated[
        list[str] | None, typer.Option(help="A strategy to evaluate, or a variant of one; repeatable; default: all.")
    ] = None,
    per_family: Annotated[int, typer.Option(min=1, help="Trios of each test family at most.")] = 3,
    pictures: Annotated[int, typer.Option(min=1, help="Trios looked at for diversity, detection, attributes.")] = 100,
    identity: Annotated[
        str | None,
        typer.Option(help="The judge: one of the networks that the trios were encoded with. Default: all."),
    ] = None,
    seed: flags.Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder for the report.")] = Path("evaluation"),
    backbone: flags.Backbone = None,
    device: flags.Device = None,
    precision: flags.Precision = None,
    memory_budget: flags.Budget = None,
    workers: flags.EvaluationWorkers = None,
    ray: flags.Ray = None,
    gpus_each: flags.GpusEach = 0.0,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Every strategy on the test families: is the predicted child more like the true one than like others?"""
    check_folder(out)
    flags.check_workers(ray, gpus_each, workers)
    added = parse_weights(weights or [])
    from kinblend.evaluation import blender as work
    from kinblend.evaluation.blender_report import auc_rows, report_notes, write_evaluation

    loaded, all_trios = load_encoded(trios, backbone, seed, identity, machine=(device, precision, memory_budget))
    rows = work.select_test_rows(all_trios, seed, per_family)
    strategies = work.default_strategies(loaded, added, log, strategy or ())
    default = flags.evaluation_workers(loaded.pool.device)
    with flags.open_workers(ray, gpus_each, workers, default) as crew, stages(quiet, len(strategies) + 2) as begin:
        report = work.evaluate(loaded, all_trios, rows, strategies, pictures, begin, workers=crew)
    for path in write_evaluation(out, report):
        log(f"wrote {path}")
    log(f"{report['trios']} trios of {report['families']} families, embeddings of {report['identity']}")
    for line in report_notes(report):
        log(line)
    head = ["strategy", "AUC, 95 % interval", f"less {report['baseline']}"]
    emit(report, as_json=as_json, rows=auc_rows(report), head=head)


@app.command("kinship")
def kinship(
    path: Source,
    format: Format = None,
    identity: Annotated[
        str | None,
        typer.Option(help="`kinblend identity-networks list`. Default: the one that plugins prefer."),
    ] = None,
    seed: flags.Seed = 0,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Does an identity network know parents and children by their faces? Of sets of pairs, too, which have no trio.

    The first picture of each person is looked at. AUC: the share of other families' children who are less like the
    parent than the true child; accuracy: of telling true from wrong pairs, five folds."""
    from kinblend.evaluation.bootstrap import Estimate
    from kinblend.evaluation.kinship import evaluate_pairs
    from kinblend.families.pairs import embed_pictures, pairs
    from kinblend.families.readers import read_families
    from kinblend.identity import load_identity

    network = load_identity(identity)
    name, found = read_families(path, format)
    listed = pairs(found)
    pictures = list(dict.fromkeys(person.pictures[0] for pair in listed for person in (pair.parent, pair.child)))
    with bar("pictures", None, quiet) as show:
        known, lost = embed_pictures(pictures, network, found.aligned, lambda done, of: show(done, total=of))
    log(f"{name}: {len(listed)} pairs, {len(pictures)} pictures; {len(lost)} without one face")
    report = evaluate_pairs(listed, known, seed)
    rows = [
        [relation, str(one["pairs"]), str(Estimate(**one["auc"])), *map(_percent, map(one.get, RATES))]
        for relation, one in report.items()
    ]
    data = {"identity": network.name, "pictures_without_face": len(lost), "relations": report}
    emit(data, as_json=as_json, rows=rows, head=["relation", "pairs", "AUC, 95 % interval", *RATES.values()])


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f} %"


def _rows(report: dict[str, Any], above: str = "") -> list[list[str]]:
    rows: list[list[str]] = []
    for name, value in report.items():
        title = f"{above}{name}"
        rows += _rows(value, f"{title}, ") if isinstance(value, dict) else [[title, str(value)]]
    return rows
