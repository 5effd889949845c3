"""`kinblend families`: from pictures of families to what a blender is trained on."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from kinblend.cli import flags
from kinblend.cli.command import App
from kinblend.cli.output import check_file, check_folder, emit, emit_paths, log
from kinblend.cli.parsing import parse_sets
from kinblend.cli.progress import bar
from kinblend.errors import InputError
from kinblend.files import atomic_write, keep_inputs
from kinblend.settings import load_settings

if TYPE_CHECKING:
    from kinblend.families.figures import Drawn
    from kinblend.families.model import KinshipSet

CACHE_VERSION = 2  # of what `demographics` keeps

app = App(help="Prepare pictures of families.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Prepare pictures of families."""


Source = Annotated[Path, typer.Argument(help="The folder of the data set, or a table's file.")]
Figures = Annotated[
    Path | None, typer.Option(metavar="FOLDER", help="Folder for figures, each as PNG and SVG; needs matplotlib.")
]
Format = Annotated[str | None, typer.Option(help="Reader; `kinblend datasets list`. Default: the one that knows it.")]


@app.command("stats")
def stats(
    path: Source,
    format: Format = None,
    out: Annotated[Path | None, typer.Option(help="HTML report to write, with pictures.")] = None,
    figures: Figures = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """What a kinship set holds, what is wrong with it, and why families give no trio."""
    from kinblend.families.figures import set_figures
    from kinblend.families.report import write_report
    from kinblend.families.stats import set_rows, statistics

    _check_figures(figures)
    name, found = _read(path, format, out)
    counted = statistics(found)
    if out is not None:
        write_report(out, name, found, counted)
        log(f"wrote {out}")
    _write_figures(figures, set_figures(counted))
    rows = set_rows(counted)
    emit({"format": name, **counted}, as_json=as_json, rows=rows, head=[f"{path} as {name}", "count"])


@app.command("trios")
def trios(
    path: Source,
    out: Annotated[Path, typer.Option(help="List to write: .parquet or .csv.")] = Path("trios.parquet"),
    format: Format = None,
    pairing: Annotated[str, typer.Option(help="min, all or fixed:N triples of pictures of each trio.")] = "min",
    split: Annotated[str, typer.Option(help="Shares of train, val and test families.")] = "70/10/20",
    pictures: Annotated[int | None, typer.Option(min=1, help="At most so many of each person.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many triples.")] = None,
    seed: flags.Seed = 0,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Father, mother and child, a picture each: the list that training starts from. What is split is families."""
    from kinblend.families.pairing import pair, parse_pairing
    from kinblend.families.pairs import pairs
    from kinblend.families.splits import parse_shares
    from kinblend.families.trio_list import read_trio_list, write_trio_list

    amount, shares = parse_pairing(pairing), parse_shares(split)
    name, found = _read(path, format, out)
    triples = pair(found, amount, seed=seed, shares=shares, pictures=pictures, most=limit)
    if not triples and (count := len(pairs(found))):
        raise InputError(
            f"{path} has {count} pairs of one parent and a child, but no trio with three pictures, which is what "
            "strategies are trained on; pairs serve for `kinblend evaluate kinship`"
        )
    written = write_trio_list(out, triples)
    read_trio_list(out)
    families = len({triple.family for triple in triples})
    people = len({(t.family, t.nuclear, t.father_name, t.mother_name, t.child_name) for t in triples})
    log(f"{name}: {len(triples)} triples of {people} trios in {families} families; {len(found.defects)} defects")
    emit_paths(written, as_json)


@app.command("demographics")
def demographics(
    path: Source,
    out: Annotated[Path, typer.Option(help="Table to write: .parquet or .csv.")] = Path("demographics.parquet"),
    format: Format = None,
    analyser: Annotated[
        str | None, typer.Option(help="`kinblend analysers list`. Default: the one that plugins prefer.")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="HTML page of bars to write.")] = None,
    figures: Figures = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """What a network guesses of each picture's age, gender, race and emotion. It describes a set, not a person."""
    from kinblend.families import demographics as work
    from kinblend.families.figures import demographic_figures
    from kinblend.families.prepare.cache import StageCache
    from kinblend.families.report import write_demographics
    from kinblend.plugins import load_plugins
    from kinblend.storage.tables import write_table

    _check_figures(figures)
    analysers = load_plugins()["analyser"]
    spec = analysers.get(analyser) if analyser else analysers.default()
    _, found = _read(path, format, out, report)
    facts = (spec.required_versions(), found.aligned, CACHE_VERSION)
    cache = StageCache.of(load_settings().home / "demographics", spec.name, *facts)
    with bar("demographics", None, quiet) as show:
        rows = work.demographics(found, spec.function(), cache, progress=lambda done, of: show(done, total=of))
    write_table(out, work.COLUMNS, rows)
    counted = work.summary(rows)
    if report is not None:
        write_demographics(report, f"{found.root.name}: as {spec.name} sees it", counted)
    _write_figures(figures, demographic_figures(counted))
    shown = [[key.replace("_", " "), str(value)] for key, value in counted.items() if key != "crossed"]
    for name, table in counted["crossed"].items():
        for row, each in table.items():
            shown += [[f"{name}: {row}, {kind}", str(count)] for kind, count in each.items()]
    emit(counted, as_json=as_json, rows=shown, head=[f"{path} by {spec.name}", "count"])


@app.command("poses")
def poses(
    prepared: Annotated[Path, typer.Argument(help="A folder that `kinblend prepare` wrote.")],
    figures: Figures = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """How heads are turned in a prepared set: yaw, pitch and roll, described, beside an estimate in the plane."""
    from kinblend.families.figures import pose_figures
    from kinblend.families.poses import describe_angles, read_angles

    _check_figures(figures)
    angles = read_angles(prepared)
    described = describe_angles(angles)
    _write_figures(figures, pose_figures(angles))
    keys = list(dict.fromkeys(key for each in described.values() for key in each))
    rows = [[key, *(str(each.get(key, "")) for each in described.values())] for key in keys]
    emit(described, as_json=as_json, rows=rows, head=["degrees", *(name.replace("_", " ") for name in described)])


@app.command("encode")
def encode(
    trios: Annotated[Path, typer.Argument(help="List of trios that `families trios` wrote, or one like it.")],
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("trios.safetensors"),
    backbone: flags.Backbone = None,
    encoder: flags.Encoder = None,
    aligned: Annotated[
        bool | None,
        typer.Option("--aligned/--not-aligned", help="They are FFHQ crops. Default: where prepare made them."),
    ] = None,
    mirrored: Annotated[bool, typer.Option("--mirrored", help="Turn every picture left to right first.")] = False,
    identity: Annotated[
        str | None,
        typer.Option(
            help="Network of the embeddings; `kinblend identity-networks list`. Default: what plugins prefer."
        ),
    ] = None,
    demographics: Annotated[
        Path | None, typer.Option(help="Table of `families demographics`: the children's age and ethnicity are kept.")
    ] = None,
    workers: flags.Workers = None,
    ray: flags.Ray = None,
    gpus_each: flags.GpusEach = 0.0,
    sets: flags.Sets = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Pictures of trios → codes and embeddings in one file. If interrupted, it resumes where it stopped."""
    from kinblend.backbone import choose_backbone
    from kinblend.families.demographics import groups_of_pictures
    from kinblend.families.encode import encode_trios
    from kinblend.families.trio_list import read_trio_list
    from kinblend.families.trios import save_trios
    from kinblend.identity import load_identity

    options = parse_sets(sets or [], ("encoder",))["encoder"]
    check_file(out)
    network = load_identity(identity)
    home = load_settings().home
    listed = read_trio_list(trios)
    keep_inputs(picture for trio in listed for picture in (trio.father, trio.mother, trio.child))
    report = out.with_suffix(".rejected.csv")
    for file in (out, report):
        check_file(file)
    known = None if demographics is None else groups_of_pictures(demographics)
    with flags.open_workers(ray, gpus_each, workers) as crew, bar("encode", None, quiet) as show:
        folder = home / "families"
        encoded, rejected = encode_trios(
            listed,
            str(choose_backbone(backbone)),
            folder,
            crew,
            lambda done, of: show(done, total=of),
            aligned=aligned,
            mirrored=mirrored,
            identity=network.name,
            known=known,
            encoder=load_settings(encoder=encoder).encoder,
            encoder_options=options,
        )
    save_trios(out, encoded)
    rows = io.StringIO()
    csv.writer(rows, lineterminator="\n").writerows((one.picture, one.reason) for one in rejected)
    atomic_write(report, rows.getvalue().encode())
    log(f"{len(encoded)} of {len(listed)} trios; {len(rejected)} pictures were rejected, see {report}")
    emit_paths([out], as_json)


def _check_figures(folder: Path | None) -> None:
    """Raise, before work that takes long, where no figure could be written there."""
    from kinblend.families.figures import check_figures

    if folder is not None:
        check_folder(folder)
        check_figures(folder)


def _write_figures(folder: Path | None, drawn: Drawn) -> None:
    from kinblend.families.figures import write_figures

    for path in write_figures(folder, drawn) if folder is not None else ():
        log(f"wrote {path}")


def _read(path: Path, format: str | None, *outs: Path | None) -> tuple[str, KinshipSet]:
    """The reader's name and the set. None of its files may be written over, nor any other in its folder."""
    from kinblend.families.readers import read_families

    for out in outs:
        if out is not None:
            check_file(out)
    name, found = read_families(path, format)
    keep_inputs(picture for person in found.people() for picture in person.pictures)
    keep_inputs(path.rglob("*") if path.is_dir() else [path])
    for out in outs:
        if out is not None:
            check_file(out)
    return name, found
