"""Two people on the command line: which of them is who, and which face of a photograph is meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from kinblend.cli import flags
from kinblend.errors import ImageError, SeveralFacesError, UsageError

PHOTOGRAPHS = "Photographs"  # a panel of the help

First = Annotated[
    Path | None,
    typer.Argument(
        metavar="FATHER",
        help="His photograph, the latent of it that `encode` wrote, or the child.json of an earlier run.",
        show_default=False,
    ),
]
Second = Annotated[Path | None, typer.Argument(metavar="MOTHER", help="Hers, likewise.", show_default=False)]
Father = Annotated[Path | None, typer.Option(help="The same as FATHER.", rich_help_panel=PHOTOGRAPHS)]
Mother = Annotated[Path | None, typer.Option(help="The same as MOTHER.", rich_help_panel=PHOTOGRAPHS)]
Face = Annotated[
    int | None,
    typer.Option(
        "--face", min=1, help="Which face, from the left, of both photographs.", rich_help_panel=PHOTOGRAPHS
    ),
]
FatherFace = Annotated[
    int | None, typer.Option(min=1, help="Which face of the father's photograph.", rich_help_panel=PHOTOGRAPHS)
]
MotherFace = Annotated[
    int | None, typer.Option(min=1, help="Which face of the mother's photograph.", rich_help_panel=PHOTOGRAPHS)
]
Upscale = Annotated[str | None, typer.Option("--upscale", help=flags.UPSCALE, rich_help_panel=PHOTOGRAPHS)]


def who_is_who(given: Sequence[Path], father: Path | None, mother: Path | None) -> tuple[Path | None, Path | None]:
    """Father and mother: those given by place take the places that no flag names. See `person`.

    Raises `UsageError`.
    """
    rest = list(given)
    father = father or (rest.pop(0) if rest else None)
    mother = mother or (rest.pop(0) if rest else None)
    if rest:
        raise UsageError(f"{rest[0]} is one photograph too many: a child has two parents")
    return (father and person(father)), (mother and person(mother))


def person(path: Path) -> Path:
    """A photograph or a latent; of the manifest of an earlier child, its latent. Raises what `person_file` does."""
    existing(path)
    from kinblend.pipeline.lineage import person_file

    return person_file(path)


def existing(path: Path) -> Path:
    """The path of a file to read; said to be missing before PyTorch is imported. Raises `ImageError`."""
    if not path.exists():
        raise ImageError(f"{path} does not exist")
    return path


@contextmanager
def telling_which_face() -> Iterator[None]:
    """Within, a photograph of several people is refused with the flags that choose one of them."""
    try:
        yield
    except SeveralFacesError as error:
        raise SeveralFacesError(f"{error}. For one parent alone: --father-face N, --mother-face N") from error


def backbone_of(*people: Path) -> str | None:
    """The backbone of the first person that is given as a latent."""
    from kinblend.storage.latents import is_latent, load_latent

    return next((load_latent(path).space.backbone for path in people if is_latent(path)), None)
