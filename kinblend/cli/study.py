"""`kinblend study`: people as judges of predicted children."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kinblend.cli import flags
from kinblend.cli.command import App
from kinblend.cli.output import check_folder, emit, emit_paths, log
from kinblend.cli.parsing import parse_weights
from kinblend.cli.progress import bar
from kinblend.cli.serve import check_installed, serve_app
from kinblend.errors import UsageError
from kinblend.files import keep_inputs, locked
from kinblend.settings import load_settings

if TYPE_CHECKING:
    from kinblend.evaluation.blender import Strategy
    from kinblend.pipeline import Engine
    from kinblend.study.prepare import Source

app = App(help="Let people judge predicted children: prepare, serve, analyze.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Let people judge predicted children: prepare, serve, analyze."""


Folder = Annotated[Path, typer.Argument(help="The study's folder, which `study prepare` wrote.")]


@app.command("prepare")
def prepare(
    trios: Annotated[
        Path, typer.Argument(help="List of trios (.csv, .parquet), or what `families encode` wrote (.safetensors).")
    ],
    strategy: Annotated[
        list[str] | None, typer.Option(help="A strategy to be judged; repeatable; default: all that are available.")
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(help="NAME=STRATEGY:FILE: a strategy with these weights as well, called NAME; repeatable."),
    ] = None,
    couples: Annotated[int, typer.Option(min=2, max=10_000, help="Couples, one of each family.")] = 40,
    choices: Annotated[int, typer.Option(min=2, max=8, help="Children to choose from.")] = 4,
    choose_trials: Annotated[int, typer.Option(min=0, max=500, help="Choices each participant makes.")] = 20,
    rating_trials: Annotated[int, typer.Option(min=0, max=500, help="Ratings each participant gives.")] = 20,
    catch_trials: Annotated[
        int, typer.Option(min=0, max=50, help="Trials of each of three kinds that tell attention.")
    ] = 2,
    age: Annotated[float | None, typer.Option(help="Of the predicted children; default: as the blend is.")] = None,
    aligned: Annotated[
        bool | None,
        typer.Option("--aligned/--not-aligned", help="They are FFHQ crops. Default: where prepare made them."),
    ] = None,
    seed: flags.Seed = 0,
    out: Annotated[Path, typer.Option(help="Folder for the study.")] = Path("study"),
    backbone: flags.Backbone = None,
    device: flags.Device = None,
    precision: flags.Precision = None,
    memory_budget: flags.Budget = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Make the pictures that people will see. Interrupted, the same command goes on. Read consent.txt first."""
    added = parse_weights(weights or [])
    check_folder(out)
    from kinblend.study.folder import CONSENT, DESCRIPTION, Design
    from kinblend.study.prepare import prepare_study

    design = Design(
        choices=choices,
        choose_trials=choose_trials,
        rating_trials=rating_trials,
        catch_trials=catch_trials,
        seed=seed,
    )
    engine = flags.open_engine(backbone, device, precision, memory_budget)
    source = _source(trios, engine, seed, aligned)
    strategies, baseline = _strategies(engine, strategy or (), added)
    with bar("prepare", None, quiet) as show:
        study = prepare_study(
            out,
            engine,
            source,
            strategies,
            baseline,
            design,
            couples,
            age,
            lambda done, of: show(done, total=of),
            log,
        )
    log(
        f"{len(study.couples)} couples, {len(study.choosable)} of them to choose among; {', '.join(study.strategies)}"
    )
    emit_paths([out / DESCRIPTION, out / CONSENT], as_json)


@app.command("serve")
def serve(
    study: Folder,
    host: Annotated[
        str, typer.Option(help="Address to listen on; any but the loopback needs --token.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8766,
    token: Annotated[
        str | None, typer.Option(help="What every participant must know. Better in KINBLEND_TOKEN than here.")
    ] = None,
    proxy: Annotated[
        str | None, typer.Option(help="Address of a reverse proxy whose X-Forwarded-For is believed; default: none.")
    ] = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Serve the study's page. Answers are appended to answers.csv in its folder; started again, all go on."""
    check_installed()
    settings = load_settings(token=token)
    from kinblend.study.app import create_study_app
    from kinblend.study.folder import StudyFolder
    from kinblend.study.prepare import refuse_while_busy
    from kinblend.web.access import Access

    folder, access = StudyFolder(study), Access(host, settings.token)
    with locked(folder.path, refuse_while_busy(folder.path)):
        serve_app(create_study_app(folder, access), host, port, proxy, as_json)


@app.command("analyze")
def analyze(
    study: Folder,
    answers: Annotated[
        Path | None, typer.Option(help="The answers; default: answers.csv in the study's folder.")
    ] = None,
    identity: Annotated[
        list[str] | None,
        typer.Option(help="An identity network to judge the same trials; see `identity-networks list`; repeatable."),
    ] = None,
    min_passed: Annotated[
        float, typer.Option(min=0, max=1, help="Share of catch trials below which a participant is left out.")
    ] = 0.75,
    seed: flags.Seed = 0,
    out: Annotated[
        Path | None, typer.Option(help="Folder for a table and, with matplotlib, a picture; default: none.")
    ] = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Share of right choices and mean ratings by strategy, with 95 % intervals, beside identity networks."""
    if out is not None:
        check_folder(out)
    from kinblend.study import analyze as figures_of
    from kinblend.study import read_answers
    from kinblend.study.analysis import used_answers
    from kinblend.study.folder import StudyFolder
    from kinblend.study.report import table, write_results

    folder = StudyFolder(study)
    given = read_answers(answers or folder.answers)
    keep_inputs([folder.answers])
    report = figures_of(folder.study, given, min_passed, seed)
    excluded = {one["participant"]: one["reason"] for one in report["excluded"]}
    for participant, reason in excluded.items():
        log(f"excluded: {participant} {reason}")
    if identity:
        from kinblend.study.networks import judge_by_network

        used = used_answers(given, excluded)
        report["networks"] = {name: judge_by_network(folder, used, name, log) for name in identity}
    log(
        f"{report['participants']} participants, {len(excluded)} excluded; {report['known']} answers left out, as "
        f"a face was known; chance {report['chance']:.3f}"
    )
    if out is not None:
        for path in write_results(out, report):
            log(f"wrote {path}")
    head, rows = table(report)
    emit(report, as_json=as_json, rows=rows, head=head)


def _source(trios: Path, engine: Engine, seed: int, aligned: bool | None) -> Source:
    from kinblend.study.prepare import FromCodes, FromPhotographs

    if trios.suffix == ".safetensors":
        from kinblend.families.trios import load_trios

        if aligned is not None:
            raise UsageError("--aligned is about photographs; encoded trios have none")
        return FromCodes(engine, load_trios(trios, engine.backbone.space), seed)
    from kinblend.families.trio_list import read_trio_list

    listed = read_trio_list(trios)
    keep_inputs(picture for trio in listed for picture in (trio.father, trio.mother, trio.child))
    return FromPhotographs(engine, listed, seed, aligned)


def _strategies(
    engine: Engine, wanted: list[str] | tuple[()], added: dict[str, tuple[str, dict[str, str]]]
) -> tuple[dict[str, Strategy], str]:
    """Those that are to be judged, and the baseline, which is one of them."""
    from kinblend.evaluation.blender import default_strategies
    from kinblend.plugins import load_plugins

    registered = load_plugins()["blender"]
    baseline = registered.default().name
    available = default_strategies(engine.backbone, added, None if wanted else log)
    for name in wanted:
        if name not in available and name in registered:
            engine.blender(name)  # says which weights it lacks
        if name not in available:
            raise UsageError(f"--strategy {name}: use one of {', '.join(available)}")
    names = dict.fromkeys([baseline, *wanted, *added]) if wanted else available
    return {name: available[name] for name in names}, baseline
