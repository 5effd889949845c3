"""The steps of a run, one command each: align, encode, blend, edit, render, project. Latents travel as files."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kinblend.cli import flags
from kinblend.cli.output import check_file, check_folder, emit_paths, log, warn
from kinblend.cli.parents import existing, person
from kinblend.cli.parsing import parse_edits, parse_sets
from kinblend.cli.progress import bar, followed
from kinblend.errors import UsageError

if TYPE_CHECKING:
    from PIL.Image import Image

    from kinblend.backbone import Backbone
    from kinblend.faces import CutFace
    from kinblend.types import Latent

Out = Annotated[Path | None, typer.Option(help="File to write; default: the input's name, here.")]
Picture = Annotated[Path, typer.Argument(help="A photograph.", callback=existing)]
LatentFile = Annotated[
    Path, typer.Argument(help="A latent that encode, blend … wrote, or a child.json.", callback=existing)
]


def align(
    picture: Picture,
    out: Out = None,
    size: Annotated[int, typer.Option(min=16, max=4096, help="Side of the crop in pixels.")] = 512,
    face: flags.Face = None,
    upscale: flags.Upscale = None,
    draw: Annotated[
        Path | None, typer.Option(help="Also write the photograph with landmarks, box and angles drawn on it.")
    ] = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Cut a face out of a photograph and turn it upright, as the FFHQ data set does.

    With --json: how the head is turned, how sharp and large the face is, what covers it."""
    from kinblend.faces.draw import draw_face
    from kinblend.imaging import read_image
    from kinblend.imaging.encode import write_picture

    path = _checked_picture(flags.default_out(picture, ".aligned.png", out))
    written = [path, *([_checked_picture(draw)] if draw else [])]
    if len({file.resolve() for file in written}) < len(written):
        raise UsageError("--out and --draw name the same file; give two names")
    found = _cut(picture, size, face, upscale)
    write_picture(path, found.face.image, synthetic=False)
    if draw:
        write_picture(draw, draw_face(read_image(picture), found.found, found.quality), synthetic=False)
    emit_paths(written, as_json, face_quality=found.quality.record())


def encode(
    picture: Picture,
    out: Out = None,
    aligned: flags.Aligned = False,
    face: flags.Face = None,
    upscale: flags.Upscale = None,
    sets: flags.Sets = None,
    backbone: flags.Backbone = None,
    encoder: flags.Encoder = None,
    device: flags.Device = None,
    precision: flags.Precision = None,
    memory_budget: flags.Budget = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """A photograph → the latent of the face in it."""
    from kinblend.storage.latents import save_latent

    options, path = parse_sets(sets or [], ("encoder",)), _checked_out(picture, ".safetensors", out)
    crop = _square(picture, face) if aligned else None
    if aligned and upscale is not None:
        raise UsageError("--upscale has nothing to enlarge in an aligned crop; leave out --upscale or --aligned")
    engine = flags.open_engine(backbone, device, precision, memory_budget, options, encoder)
    if crop is not None:
        with followed("encode", quiet):
            [latent] = engine.backbone.encode([crop])
        save_latent(path, latent)
        emit_paths([path], as_json)
        return
    with followed("encode", quiet):
        parent = engine.parent(picture, face, upscale)
    warn(f"{picture}: {line}" for line in parent.warnings)
    save_latent(path, parent.latent)
    emit_paths([path], as_json, face_quality=parent.quality.record() if parent.quality else None)


def blend(
    father: Annotated[Path, typer.Argument(help="The father's latent.", callback=existing)],
    mother: Annotated[Path, typer.Argument(help="The mother's latent.", callback=existing)],
    blender: flags.Blender = None,
    siblings: flags.Siblings = 0.0,
    sets: flags.ChildSets = None,
    seed: flags.ChildSeed = 0,
    neutral: flags.Neutral = True,
    editor: flags.Editor = None,
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("child.safetensors"),
    backbone: flags.Backbone = None,
    device: flags.Device = None,
    memory_budget: flags.Budget = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Two latents → a child's latent and its weight map."""
    from kinblend.settings import load_settings
    from kinblend.storage.latents import latent_sha256, load_latent, save_latent

    options = parse_sets(sets or [], ("blender", "editor", "projector"))
    settings = load_settings(blender=blender, editor=editor)
    check_file(out)
    parents = [load_latent(person(path)) for path in (father, mother)]
    same = latent_sha256(parents[0]) == latent_sha256(parents[1])
    engine = flags.open_engine(backbone or parents[0].space.backbone, device, None, memory_budget, options)
    strategy = engine.blender(settings.blender, options["blender"])
    mover = engine.editor(settings.editor, options["editor"]) if neutral else None
    if mover:
        parents = [engine.neutral(parent, mover) for parent in parents]
    child = engine.blend(parents[0], parents[1], strategy, seed)
    child = engine.vary(child, parents[0], parents[1], siblings=siblings, editor=mover)
    save_latent(out, child.latent, child.weight_map)
    if same:
        log("note: father and mother are the same latent: the child is of one person")
    emit_paths([out], as_json)


def edit(
    latent: LatentFile,
    edits: Annotated[
        list[str], typer.Option("--edit", metavar="NAME=VALUE", help=flags.EDIT, rich_help_panel=flags.CHILD)
    ],
    sets: flags.ChildSets = None,
    editor: flags.Editor = None,
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("edited.safetensors"),
    backbone: flags.Backbone = None,
    device: flags.Device = None,
    memory_budget: flags.Budget = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Move a latent along named attributes."""
    from kinblend.pipeline.request import edit_warnings, validate_edits
    from kinblend.settings import load_settings
    from kinblend.storage.latents import load_latent, save_latent

    strengths, options = parse_edits(edits), parse_sets(sets or [], ("editor", "projector"))
    check_file(out)
    before = load_latent(person(latent))
    engine = flags.open_engine(backbone or before.space.backbone, device, None, memory_budget, options)
    mover = engine.editor(load_settings(editor=editor).editor, options["editor"])
    for line in edit_warnings(mover, validate_edits(mover, strengths)):
        log(f"note: {line}")
    save_latent(out, engine.edit(before, mover, strengths))
    emit_paths([out], as_json)


def render(
    latents: Annotated[list[Path], typer.Argument(help="Latents: .safetensors files.")],
    out: Annotated[
        Path, typer.Option(help="Folder for the pictures; of one latent, or the picture itself: child.jpg.")
    ] = Path(),
    noise: Annotated[
        Literal["const", "none", "random"] | None,
        typer.Option(help="The generator's noise: as stored, left out, or drawn. Default: the first it takes."),
    ] = None,
    seed: flags.Seed = 0,
    sets: flags.Sets = None,
    backbone: flags.Backbone = None,
    device: flags.Device = None,
    precision: flags.Precision = None,
    memory_budget: flags.Budget = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """Latents → pictures."""
    from kinblend.imaging.encode import is_picture_name, write_picture
    from kinblend.storage.latents import load_latent

    if len({path.stem for path in latents}) < len(latents):
        raise UsageError("two of the latents have the same file name, and so would their pictures; rename one")
    options = parse_sets(sets or [], ("projector",))
    single = is_picture_name(out) and not out.is_dir()
    if single and len(latents) > 1:
        raise UsageError(f"{out} is one picture, and there are {len(latents)} latents; name a folder")
    pictures = [out] if single else [out / f"{path.stem}.png" for path in latents]
    check_folder(pictures[0].parent)
    for path in pictures:
        check_file(path)
    loaded: Sequence[Latent] = [load_latent(person(path)) for path in latents]
    engine = flags.open_engine(backbone or loaded[0].space.backbone, device, precision, memory_budget, options)
    for path, picture in zip(pictures, engine.backbone.render(loaded, noise=noise, seed=seed), strict=True):
        write_picture(path, picture)
    emit_paths(pictures, as_json)


def project(
    picture: Picture,
    out: Out = None,
    steps: Annotated[int, typer.Option(min=0, help="The most steps that are taken.")] = 300,
    start: Annotated[
        str | None,
        typer.Option(
            help="Where to begin: encoder, average, or a latent's file, to go on from it. Default: encoder, where "
            "there is one."
        ),
    ] = None,
    aligned: flags.Aligned = False,
    face: flags.Face = None,
    sets: flags.Sets = None,
    seed: flags.Seed = 0,
    backbone: flags.Backbone = None,
    encoder: flags.Encoder = None,
    device: flags.Device = None,
    memory_budget: flags.Budget = None,
    as_json: flags.Json = False,
    quiet: flags.Quiet = False,
) -> None:
    """A photograph → the latent that reconstructs it best, by optimisation. Ctrl-C keeps the best so far."""
    from kinblend.storage.latents import save_latent

    options, path = parse_sets(sets or [], ("encoder", "projector")), _checked_out(picture, ".safetensors", out)
    backbone_ = flags.open_engine(backbone, device, None, memory_budget, options, encoder).backbone
    crop = _square(picture, face) if aligned else _cut(picture, backbone_.projector.resolution, face).face.image
    begin = _start(start, backbone_, crop)
    with bar("project", steps, quiet) as show, _interruptible() as interrupted:

        def on_step(now: Any) -> bool:
            show(now.step, f"project, loss {now.loss:.4g}")
            return not interrupted()

        found = backbone_.project(crop, start=begin, steps=steps, seed=seed, progress=on_step)
    save_latent(path, found)
    if interrupted():
        log(f"interrupted: the best so far was kept; go on with --start {path}")
    emit_paths([path], as_json)


def _start(start: str | None, backbone: Backbone, crop: Image) -> Latent | None:
    """The latent to begin from; None for the average."""
    from kinblend.storage.latents import load_latent

    start = start or ("encoder" if backbone.has_encoder else "average")
    if start == "average":
        return None
    return backbone.encode([crop])[0] if start == "encoder" else load_latent(person(Path(start)), backbone.space)


@contextmanager
def _interruptible() -> Iterator[Callable[[], bool]]:
    """Within, the first Ctrl-C is remembered instead of raised; a second ends the program as usual."""
    seen = []

    def remember(*_: object) -> None:
        seen.append(True)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, remember)
    try:
        yield lambda: bool(seen)
    finally:
        signal.signal(signal.SIGINT, before)


def _cut(picture: Path, size: int, face: int | None, upscaler: str | None = None) -> CutFace:
    """The face of a photograph, aligned; what is wrong with it is said."""
    from kinblend.faces import cut_face
    from kinblend.faces.upscale import check_upscaler
    from kinblend.imaging import read_image

    check_upscaler(upscaler)
    found = cut_face(read_image(picture), size, face=face, name=str(picture), upscaler=upscaler)
    warn(f"{picture}: {line}" for line in found.quality.warnings)
    return found


def _square(path: Path, face: int | None) -> Image:
    from kinblend.errors import ImageError
    from kinblend.imaging import read_image

    if face is not None:
        raise UsageError("--face has nothing to choose from in an aligned crop; leave out --face or --aligned")
    image = read_image(path)
    if image.width != image.height:
        raise ImageError(f"{path} is {image.width}×{image.height} pixels; an aligned crop is square (see align)")
    return image


def _checked_out(source: Path, suffix: str, out: Path | None) -> Path:
    """Where to write, which can be written and is not the input."""
    path = flags.default_out(source, suffix, out)
    check_file(path)
    return path


def _checked_picture(path: Path) -> Path:
    """Where to write a picture, of a kind that is written."""
    from kinblend.imaging.encode import check_picture_name

    check_picture_name(path)
    check_file(path)
    return path
