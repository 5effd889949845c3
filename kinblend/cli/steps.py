"""The steps of a run, one command each: align, encode, blend, edit, render, project. Latents travel as files."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from kinblend.cli import flags
from kinblend.cli.output import say
from kinblend.cli.progress import bar
from kinblend.cli.words import parse_edits, parse_sets
from kinblend.errors import UsageError

if TYPE_CHECKING:
    from PIL.Image import Image

    from kinblend.types import Latent

Out = Annotated[Path | None, typer.Option(help="File to write; default: the input's name, here.")]
Picture = Annotated[Path, typer.Argument(help="A photograph.")]
LatentFile = Annotated[Path, typer.Argument(help="A latent: a .safetensors file that encode, blend … wrote.")]


def align(
    picture: Picture,
    out: Out = None,
    size: Annotated[int, typer.Option(min=16, max=4096, help="Side of the crop in pixels.")] = 512,
    face: flags.Face = None,
) -> None:
    """Cut a face out of a photograph the way FFHQ was."""
    from kinblend.faces import align as cut
    from kinblend.faces import find_face
    from kinblend.imaging.decode import read_image
    from kinblend.imaging.encode import write_png

    image = read_image(picture)
    crop = cut(image, find_face(image, face=face, name=str(picture)).landmarks, size)
    path = _not_itself(picture, flags.default_out(picture, ".aligned.png", out))
    write_png(path, crop, synthetic=False)
    _wrote([path])


def encode(
    picture: Picture,
    out: Out = None,
    aligned: Annotated[bool, typer.Option("--aligned", help="The picture is an aligned crop already.")] = False,
    face: flags.Face = None,
    backbone: flags.Backbone = None,
    device: flags.Device = None,
    precision: flags.Precision = None,
    memory_budget: flags.Budget = None,
) -> None:
    """A photograph → the latent of the face in it."""
    from kinblend.storage.latents import save_latent

    engine = flags.open_engine(backbone, device, precision, memory_budget)
    latent = engine.backbone.encode([_square(picture)])[0] if aligned else engine.parent(picture, face).latent
    path = flags.default_out(picture, ".safetensors", out)
    save_latent(path, latent)
    _wrote([path])


def blend(
    father: Annotated[Path, typer.Argument(help="The father's latent.")],
    mother: Annotated[Path, typer.Argument(help="The mother's latent.")],
    blender: Annotated[str | None, typer.Option(help="Strategy; see `kinblend blenders list`.")] = None,
    sets: flags.Sets = None,
    seed: flags.Seed = 0,
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("child.safetensors"),
    backbone: flags.Backbone = None,
    device: flags.Device = None,
    memory_budget: flags.Budget = None,
) -> None:
    """Two latents → a child's latent and its weight map."""
    from kinblend.settings import load_settings
    from kinblend.storage.latents import load_latent, save_latent

    options = parse_sets(sets or [], ("blender",))["blender"]
    parents = [load_latent(path) for path in (father, mother)]
    engine = flags.open_engine(backbone or parents[0].space.backbone, device, None, memory_budget)
    strategy = engine.blender(load_settings(blender=blender).blender, options)
    child = engine.blend(parents[0], parents[1], strategy, seed)
    save_latent(out, child.latent, child.weight_map)
    _wrote([out])


def edit(
    latent: LatentFile,
    edits: Annotated[list[str], typer.Option("--edit", help="attribute=strength; repeatable.")],
    sets: flags.Sets = None,
    out: Annotated[Path, typer.Option(help="File to write.")] = Path("edited.safetensors"),
    backbone: flags.Backbone = None,
) -> None:
    """Move a latent along named attributes."""
    from kinblend.storage.latents import load_latent, save_latent

    strengths, options = parse_edits(edits), parse_sets(sets or [], ("editor",))["editor"]
    before = load_latent(latent)
    engine = flags.open_engine(backbone or before.space.backbone)
    save_latent(out, engine.edit(before, engine.editor(options=options), strengths))
    _wrote([out])


def render(
    latents: Annotated[list[Path], typer.Argument(help="Latents: .safetensors files.")],
    out: Annotated[Path, typer.Option(help="Folder for the pictures.")] = Path(),
    noise: Annotated[Literal["const", "none", "random"], typer.Option(help="StyleGAN2's noise.")] = "const",
    seed: flags.Seed = 0,
    backbone: flags.Backbone = None,
    device: flags.Device = None,
    precision: flags.Precision = None,
    memory_budget: flags.Budget = None,
) -> None:
    """Latents → pictures."""
    from kinblend.imaging.encode import write_png
    from kinblend.storage.latents import load_latent

    if len({path.stem for path in latents}) < len(latents):
        raise UsageError("two of the latents have the same file name, and so would their pictures; rename one")
    loaded: Sequence[Latent] = [load_latent(path) for path in latents]
    engine = flags.open_engine(backbone or loaded[0].space.backbone, device, precision, memory_budget)
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for path, picture in zip(latents, engine.backbone.render(loaded, noise=noise, seed=seed), strict=True):
        written.append(out / f"{path.stem}.png")
        write_png(written[-1], picture)
    _wrote(written)


def project(
    picture: Picture,
    out: Out = None,
    steps: Annotated[int, typer.Option(min=0, help="The most steps that are taken.")] = 300,
    start: Annotated[
        str, typer.Option(help="Where to begin: encoder, average, or a latent's file, to go on from it.")
    ] = "encoder",
    aligned: Annotated[bool, typer.Option("--aligned", help="The picture is an aligned crop already.")] = False,
    face: flags.Face = None,
    backbone: flags.Backbone = None,
    device: flags.Device = None,
    memory_budget: flags.Budget = None,
    quiet: flags.Quiet = False,
) -> None:
    """A photograph → the latent that reconstructs it best, by optimisation. Ctrl-C keeps the best so far."""
    from kinblend.faces import align as cut
    from kinblend.faces import find_face
    from kinblend.imaging.decode import read_image
    from kinblend.storage.latents import load_latent, save_latent

    engine = flags.open_engine(backbone, device, None, memory_budget)
    projector = engine.backbone.projector
    if aligned:
        crop = _square(picture)
    else:
        image = read_image(picture)
        crop = cut(image, find_face(image, face=face, name=str(picture)).landmarks, projector.resolution)
    if start == "average":
        begin = None
    elif start == "encoder":
        begin = engine.backbone.encode([crop])[0]
    else:
        begin = load_latent(start, engine.backbone.space)
    path = flags.default_out(picture, ".safetensors", out)
    with bar("project", steps, quiet) as show, _interruptible() as interrupted:

        def on_step(now: Any) -> bool:
            show(now.step, f"project, loss {now.loss:.4g}")
            return not interrupted()

        with engine.pool.lease(projector.module, "projector"):
            found = projector.project(crop, start=begin, steps=steps, progress=on_step)
    save_latent(path, found)
    if interrupted():
        say(f"interrupted: the best so far was kept; go on with --start {path}")
    _wrote([path])


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


def _square(path: Path) -> Image:
    from kinblend.errors import ImageError
    from kinblend.imaging.decode import read_image

    image = read_image(path)
    if image.width != image.height:
        raise ImageError(f"{path} is {image.width}×{image.height} pixels; an aligned crop is square (see align)")
    return image


def _not_itself(source: Path, out: Path) -> Path:
    if out.exists() and source.samefile(out):
        raise UsageError(f"--out {out} is the input itself; name another file")
    return out


def _wrote(paths: Sequence[Path]) -> None:
    for path in paths:
        typer.echo(path)
