"""`kinblend card`: the children of a run, with their parents, on a card to print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kinblend.cli import flags
from kinblend.cli.output import check_file, emit, log, say_replaced, warn
from kinblend.cli.parents import PHOTOGRAPHS, backbone_of, person
from kinblend.errors import UsageError

if TYPE_CHECKING:
    from PIL.Image import Image

WIDEST = 600  # pixels of a parent's face: 5 cm at 300 to an inch


def card(
    made: Annotated[Path, typer.Argument(help="The child.json of a run, or its folder.")],
    father: Annotated[
        Path | None, typer.Option(help="His photograph, the one of the run.", rich_help_panel=PHOTOGRAPHS)
    ] = None,
    mother: Annotated[Path | None, typer.Option(help="Hers, likewise.", rich_help_panel=PHOTOGRAPHS)] = None,
    title: Annotated[str, typer.Option(help="A line above.")] = "",
    names: Annotated[
        str | None,
        typer.Option(metavar="NAME,…", help="Lines below the pictures: father's, mother's, each child's."),
    ] = None,
    size: Annotated[Literal["10x15", "4x6"], typer.Option(help="In centimetres, or in inches.")] = "10x15",
    frame: Annotated[Literal["line", "round", "none"], typer.Option(help="Of the pictures.")] = "line",
    font: Annotated[Path | None, typer.Option(help="A TrueType or OpenType font. Default: one built in.")] = None,
    device: flags.Device = None,
    out: Annotated[Path, typer.Option(help="A .png, .jpg or .pdf file.", rich_help_panel=flags.OUTPUT)] = Path(
        "card.png"
    ),
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """The children of a run, with their parents, on a card to print, 300 pixels to an inch.

    A manifest holds no photographs: name both for a card with the parents.
    A record of what is on it lies beside it: card.png.json."""
    from kinblend.imaging.printing import check_print_name, write_print

    check_print_name(out)
    record_file = out.with_name(f"{out.name}.json")
    for path in (out, record_file):
        check_file(path)
    if (father is None) != (mother is None):
        raise UsageError("give both photographs, --father and --mother, or neither")
    from kinblend.files import atomic_write, file_sha256
    from kinblend.imaging import read_image
    from kinblend.pipeline.card import DPI, Card, draw_card
    from kinblend.pipeline.lineage import child_pictures, manifest_of, read_child_manifest
    from kinblend.pipeline.manifest import versions
    from kinblend.pipeline.result import describe_children

    manifest_file = manifest_of(made)
    manifest = read_child_manifest(manifest_file)
    pictures = child_pictures(manifest_file, len(manifest["seeds"]))
    roles = ("father", "mother") if father and mother else ()
    captions = [role.capitalize() for role in roles] + describe_children(
        manifest.get("asked") or [{}] * len(pictures)
    )
    if names is not None:
        captions = [name.strip() for name in names.split(",")]
    children = [read_image(path) for path in pictures]
    Card(children[:1] * len(roles), children, captions, title, font).check()  # before faces are looked for
    parents = _faces(manifest, father, mother, device) if father and mother else []
    drawn = draw_card(Card(parents, children, captions, title, font), size, frame)
    say_replaced([out, record_file])
    write_print(out, drawn, DPI)
    if not parents:
        warn(["without the parents: a manifest holds no photographs; --father and --mother name them"])
    record: dict[str, Any] = {
        "versions": versions(),
        "manifest": file_sha256(manifest_file),
        "inputs": manifest["inputs"] if parents else {},
        "children": [file_sha256(path) for path in pictures],
        "title": title,
        "names": captions,
        "size": size,
        "frame": frame,
        "font": file_sha256(font) if font else None,
        "dpi": DPI,
        "pixels": list(drawn.size),
    }
    atomic_write(record_file, (json.dumps(record, indent=2, sort_keys=True) + "\n").encode())
    files = [str(out), str(record_file)]
    emit({**record, "files": files}, as_json=as_json, rows=[[path] for path in files], head=["file"])


def _faces(manifest: dict[str, Any], father: Path, mother: Path, device: str | None) -> list[Image]:
    """The parents' faces, cut out of the photographs of the run or drawn from the latents."""
    from kinblend.faces import cut_face
    from kinblend.imaging import read_image
    from kinblend.pipeline.lineage import check_source
    from kinblend.storage.latents import is_latent, load_latent

    people = {"father": person(father), "mother": person(mother)}
    for role, path in people.items():
        check_source(manifest, role, path)
    drawn = [path for path in people.values() if is_latent(path)]
    engine = flags.open_engine(backbone_of(*drawn), device) if drawn else None
    found = []
    for role, path in people.items():
        log(f"{role} …")
        if engine and is_latent(path):
            found.append(engine.render(load_latent(path, engine.backbone.space), size=WIDEST))
        else:
            face = manifest.get("faces", {}).get(role)
            found.append(cut_face(read_image(path), WIDEST, face=face, name=str(path)).face.image)
    return found
