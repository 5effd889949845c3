"""Commands that are killed at any moment: what they wrote is the old or the new, and the next run cleans up."""

from __future__ import annotations

import hashlib
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import fork_server
import torch
from fuzz.outcome import Outcome
from PIL import Image
from plugin_site import Site
from published_checkpoints import in_nvidias_names, toy, write_nvidia

from kinblend import Engine
from kinblend.cli.demo import FATHER, MOTHER, example
from kinblend.families.trios import Trios, save_trios
from kinblend.pack_import import import_pack

KILLS = 100
SAME = (".png", ".safetensors")  # files that are the same bytes in every run
PULLED = """
import kinblend
import kinblend.packs
@kinblend.hookimpl
def kinblend_register_packs(register):
    file = kinblend.packs.Download({url!r}, "net.pkl", {sha!r})
    register(kinblend.packs.PackSource("tiny", "a test", downloads=(file,), importer="nvidia"))
"""


@dataclass(frozen=True)
class Command:
    """words: of `kinblend`. out: the files and folders that it makes. weight: its share of the kills. anew: whether
    it refuses to run where its result is. fixed: whether every run gives the same bytes."""

    words: str
    out: str
    weight: float
    anew: bool = False
    fixed: bool = True


COMMANDS = {
    "run": Command("run --father f.png --mother m.png --backbone morphable --out out", "out", 0.2),
    "encode": Command("encode f.png --backbone morphable --out latent.safetensors", "latent.safetensors", 0.2),
    "models import": Command("models import net.pkl --name mine", "home", 0.15, anew=True),
    "models pull": Command("models pull tiny", "home", 0.15, anew=True),
    "prepare": Command(
        "prepare set --format tskinface --backbone morphable --upscale bicubic --out out --cache cache", "out", 0.1
    ),
    "train blender": Command(
        "train blender learned --trios trios.safetensors --backbone morphable --epochs 3 --out w.safetensors",
        "w.safetensors",
        0.1,
    ),
    "train encoder": Command(
        "train encoder --backbone packs/toy --samples 64 --code-batch 4 --picture-batch 2 --code-minutes 0.03 "
        "--picture-minutes 0.03 --out out",
        "out",
        0.1,
        fixed=False,
    ),
}


def kills(share: float, folder: Path) -> Outcome:
    """100 times SIGKILL over seven commands, each at a random moment of its run; two commands at a time.

    A smaller share leaves out the three that take longest; they have tests of their own that kill them.
    """
    names = [name for name in COMMANDS if share == 1 or COMMANDS[name].weight > 0.1]
    found = Outcome(note=", ".join(names))
    make_inputs(folder / "inputs")
    with served(folder / "inputs") as address, ThreadPoolExecutor(2) as threads:

        def try_one(name: str) -> None:
            site, command = Site(folder / name.replace(" ", "-")), COMMANDS[name]
            shutil.copytree(folder / "inputs", site.folder, dirs_exist_ok=True)
            sha = hashlib.sha256((site.folder / "net.pkl").read_bytes()).hexdigest()
            site.add("tiny", PULLED.format(url=f"{address}/net.pkl", sha=sha))
            attack(site, command, max(1, round(KILLS * share * command.weight)), random.Random(name), found, name)

        list(threads.map(try_one, reversed(names)))
    return found


def attack(site: Site, command: Command, count: int, draw: random.Random, found: Outcome, name: str) -> None:
    """Run it whole, then kill it `count` times, then run it whole again."""
    begun = time.monotonic()
    if (code := start(site, command).wait()) != 0:
        found.count(False, f"{name} itself ends with {code}")
        return
    took, whole = time.monotonic() - begun, tree(site.folder)
    remove(site.folder / command.out)
    for number in range(count):
        process = start(site, command)
        time.sleep(draw.uniform(0.3, 1.0) * took)
        process.send_signal(signal.SIGKILL)
        process.wait()
        now = tree(site.folder)
        odd = [path for path in set(now) & set(whole) if command.fixed and now[path] != whole[path]]
        found.count(not odd, f"{name}, kill {number}: {odd} are neither old nor new")
        if command.anew and set(whole) <= set(now):
            remove(site.folder / command.out)
    if command.anew:
        remove_whole(site, command, whole)
    code, after = start(site, command).wait(), tree(site.folder)
    strays = set(after) ^ set(whole)
    if not command.fixed:
        strays = {path for path in strays if Path(path).name.startswith(".") or path.endswith(".part")}
    found.count(code == 0 and not strays, f"{name} after the kills: code {code}, other files: {sorted(strays)}")


def remove_whole(site: Site, command: Command, whole: dict[str, str]) -> None:
    """Remove a result that is there, so that the command can make it again; leave what a kill left."""
    if set(whole) <= set(tree(site.folder)):
        remove(site.folder / command.out)


def start(site: Site, command: Command) -> subprocess.Popen | fork_server.Forked:
    """The command, without a word, in its site."""
    words, environ = [*command.words.split(), "--quiet"], site.environ | {"OMP_NUM_THREADS": "1"}
    return fork_server.start(words, environ, site.folder)


def tree(folder: Path) -> dict[str, str]:
    """Every file by its path, with its SHA-256 where that is the same in every run."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            fixed = path.suffix in SAME and not path.name.startswith(".")
            found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest() if fixed else ""
    return found


def remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def make_inputs(folder: Path) -> None:
    """What the commands read: photographs, a checkpoint, a pack, a data set, trios."""
    (folder / "set").mkdir(parents=True)
    for name, who in (("f", FATHER), ("m", MOTHER)):
        Image.open(example(who)).convert("RGB").resize((256, 256)).save(folder / f"{name}.png")
    for number in range(3):
        for letter, name in zip("FMSD", "fmfm", strict=True):
            Image.open(folder / f"{name}.png").save(folder / "set" / f"FMSD-{number + 1}-{letter}.jpg")
    write_nvidia(folder / "net.pkl", in_nvidias_names(toy(32)))
    import_pack(folder / "net.pkl", folder / "packs", "toy")
    source, space = torch.Generator().manual_seed(0), Engine("morphable").backbone.space
    father, mother, child = torch.randn(3, 40, space.layers, space.dim, generator=source)
    embedding = torch.nn.functional.normalize(torch.randn(40, 128, generator=source), dim=1)
    names = [f"F{number}" for number in range(40)]
    save_trios(folder / "trios.safetensors", Trios(father, mother, child, embedding, names, space))


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which the folder's files are served."""
    handler: Callable = partial(QuietHandler, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass
