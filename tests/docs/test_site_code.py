"""What the site tells people to type, typed: Python blocks, and the commands of blocks that are marked `run`."""

import contextlib
import io
import shlex
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest
from planted_families import plant
from plugin_site import Site, here
from portraits import portrait
from published_checkpoints import in_nvidias_names, toy, write_nvidia
from site_pages import DOCS, ROOT, Block, blocks, commands

import kinblend

TUTORIAL = [DOCS / "tutorial" / f"{name}.md" for name in ("first-child", "strategies", "ages", "siblings")]
FILES = {"how-to/blender.md", "how-to/encoder-and-projector.md"}  # pages whose blocks are files of a plugin
NEW = [DOCS / "usage.md", *sorted(page for kind in ("how-to", "explanation") for page in (DOCS / kind).glob("*.md"))]
MARKS = ("run", "not run: ")
ENGINE = cache(kinblend.Engine)  # pages that open one without arguments share it, and the parents that it knows
IN_ONE_PROCESS = """
import sys, pytest
from kinblend.cli import main
for words in {lines!r}:
    sys.argv = ["kinblend", *words]
    try:
        main()
    except SystemExit as end:
        assert not end.code, words
sys.exit(pytest.main(["-q", "-p", "no:cacheprovider", {test!r}]))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a reader stands: two photographs, and what some pages start from."""
    for name, person in (("f.jpg", "P007"), ("m.jpg", "P004")):
        (tmp_path / name).write_bytes(portrait(person).read_bytes())
    write_nvidia(tmp_path / "ffhq.pkl", in_nvidias_names(toy(16)))
    plant(tmp_path / "FAMILY101", 3, 3, frozenset())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KINBLEND_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(kinblend, "Engine", ENGINE)
    return tmp_path


def execute(page: Path, names: dict[str, object]) -> int:
    """Run a page's blocks in order, Python ones in one namespace. Returns how many were run."""
    done = 0
    for block in blocks(page):
        if block.language == "python" and not block.name and not block.mark.startswith("not run"):
            with contextlib.redirect_stdout(io.StringIO()):
                exec(compile(block.text, f"{page.name}: {block.text[:40]!r}", "exec"), names)
            done += 1
        elif block.mark.split(" ")[0] == "run":
            for line in commands(block):
                run(line, block)
            done += 1
    return done


def run(line: str, block: Block) -> None:
    """A command, in this process. What the mark says after `run` is added to it, to make it small."""
    words = shlex.split(line)
    assert words[0] == "kinblend", line
    code, _, error = here(*words[1:], *shlex.split(block.mark.removeprefix("run")))
    assert code == 0, f"{line}\n{error}"


def test_the_tutorial_works_from_the_first_page_to_the_last(folder: Path) -> None:
    assert [execute(page, {"__name__": "__main__"}) > 0 for page in TUTORIAL] == [True] * len(TUTORIAL)
    assert (folder / "again" / "child.png").read_bytes() == (folder / "first" / "child.png").read_bytes()


@pytest.mark.parametrize("page", [*NEW, ROOT / "README.md"], ids=lambda page: str(page.relative_to(ROOT)))
def test_the_code_of_a_page_works(page: Path, folder: Path) -> None:
    execute(page, {"__name__": "__main__"})


@pytest.mark.parametrize("page", [*TUTORIAL, *NEW], ids=lambda page: page.stem)
def test_marks_say_what_is_known(page: Path) -> None:
    marks = [block.mark for block in blocks(page) if block.mark]
    assert [mark for mark in marks if not mark.startswith(MARKS)] == []


@pytest.mark.parametrize("page", sorted(FILES))
def test_blocks_that_are_files_have_names(page: str) -> None:
    """Else they would be executed, or nothing would check them."""
    names = [block.name for block in blocks(DOCS / page)]
    assert "pyproject.toml" in names or page == "how-to/encoder-and-projector.md"
    assert len([name for name in names if name.endswith(".py")]) >= 2


def site_of(page: str, folder: Path, plugin: str) -> Site:
    """The files of a page, and the plugin among them installed."""
    site = Site(folder)
    site.add(plugin, f"from kinblend_{plugin} import *\n")
    for block in blocks(DOCS / page):
        if block.name:
            (folder / block.name).write_text(block.text)
    return site


def used(site: Site, lines: Sequence[Sequence[str]], test: str) -> str:
    """Commands, then a file of tests, in one process that sees the plugin. Returns what was printed."""
    done = site.python(IN_ONE_PROCESS.format(lines=lines, test=test))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_blender_of_the_docs_is_used_and_keeps_its_contract(folder: Path) -> None:
    site = site_of("how-to/blender.md", folder, "alternate")
    for name in "fm":
        kinblend.save_latent(folder / f"{name}.safetensors", ENGINE().encode(folder / f"{name}.jpg"))
    words = ["--blender", "alternate", "--set", "blender.first=mother", "--backbone", "morphable", "--no-neutral"]
    lines = [["blenders", "show", "alternate"], ["blend", "f.safetensors", "m.safetensors", *words]]
    said = used(site, lines, "test_alternate.py")
    assert "blender.first" in said and "father or mother" in said and " passed" in said
    codes = {name: kinblend.load_latent(folder / f"{name}.safetensors").code for name in ("f", "m", "child")}
    assert codes["child"][0].equal(codes["m"][0]) and codes["child"][1].equal(codes["f"][1])


def test_the_backbone_of_the_docs_makes_a_child_and_keeps_its_contracts(folder: Path) -> None:
    site = site_of("how-to/encoder-and-projector.md", folder, "mosaic")
    exec((folder / "make_pack.py").read_text(), {"__file__": str(folder / "make_pack.py")})
    (folder / "test_mosaic.py").write_text(CONTRACTS)
    run = ["run", "f.jpg", "m.jpg", "--backbone", "mosaic", "--age", "parents", "--out", "out"]
    assert " passed" in used(site, [run], "test_mosaic.py")
    assert (folder / "out" / "child.png").is_file()


CONTRACTS = """
from kinblend.faces import align, find_face
from kinblend.imaging import read_image
from kinblend.testing import EncoderContract, ProjectorContract


def face(name):
    image = read_image(name)
    return align(image, find_face(image).landmarks, 256)


class TestEncoder(EncoderContract):
    backbone, faces = "mosaic", [face("f.jpg"), face("m.jpg")]


class TestProjector(ProjectorContract):
    backbone = "mosaic"
"""
