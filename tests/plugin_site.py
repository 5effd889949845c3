"""A stranger's plugin, put where Python finds it, and `kinblend` run in a process of its own that sees it."""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

import fork_server
import pytest


class Site:
    """A folder of installed distributions. Every one is a module `NAME_plugin` and its metadata."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = os.environ | {
            "PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")])),
            "KINBLEND_HOME": str(folder / "home"),
            "COLUMNS": "200",
            "no_proxy": "*",
        }

    def add(self, name: str, source: str) -> None:
        """Install a distribution whose entry point `name` in the group `kinblend` is a module of that source."""
        info = self.folder / f"{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[kinblend]\n{name} = {name}_plugin\n")
        (self.folder / f"{name}_plugin.py").write_text(source)

    def kinblend(self, *words: object, **environ: str) -> subprocess.CompletedProcess:
        """`kinblend` with these words."""
        return fork_server.run([*map(str, words)], self.environ | environ, self.folder)

    def here(self, *words: object, **environ: str) -> subprocess.CompletedProcess:
        """`kinblend` with these words in this process, which sees no added distribution: quicker by seconds."""
        with contextlib.chdir(self.folder):
            code, out, error = here(*words, **(self.environ | environ))
        return subprocess.CompletedProcess(["kinblend", *map(str, words)], code, out, error)

    def start(self, *words: object) -> subprocess.Popen | fork_server.Forked:
        """`kinblend` with these words, started; nobody hears what it says."""
        return fork_server.start([*map(str, words)], self.environ, self.folder)

    def python(self, code: str) -> subprocess.CompletedProcess:
        """`python -c CODE`."""
        return fork_server.run_code(code, [], self.environ, self.folder)


def here(*words: object, **environ: object) -> tuple[int, str, str]:
    """`kinblend` with these words in this process: exit code, stdout, stderr. A process for each takes seconds."""
    from kinblend.cli import main

    out, error = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict("os.environ", {name: str(value) for name, value in environ.items()}),
        mock.patch.object(sys, "argv", ["kinblend", *map(str, words)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(error),
        pytest.raises(SystemExit) as end,
    ):
        main()
    return int(end.value.code or 0), out.getvalue(), error.getvalue()


_APART = """
import json, sys, time
{imports}
from memory import peak, start_anew
import torch; torch.ones(2).mul(2)
for path in json.loads(sys.argv[1]):
    for read in ({readers},):
        before, begun = start_anew(), time.monotonic()
        try:
            said = "read " + type(read(path)).__name__
        except Exception as error:
            said = type(error).__name__ + ": " + str(error)
        print(json.dumps([said, peak() - before, time.monotonic() - begun]), flush=True)
"""


def read_apart(imports: str, readers: Sequence[str], paths: Sequence[Path]) -> list[tuple[str, int, float]]:
    """What functions make of files, each of every file, in a process of its own.

    For each: "read TYPE" or the error, by how many bytes the process's memory grew at most for it, and seconds.
    """
    code = _APART.format(imports=imports, readers=", ".join(readers))
    here = os.pathsep.join(filter(None, [str(Path(__file__).parent), os.environ.get("PYTHONPATH")]))
    words = [json.dumps([str(path) for path in paths])]
    done = fork_server.run_code(code, words, os.environ | {"PYTHONPATH": here}, Path.cwd())
    assert done.returncode == 0, done.stderr
    return [tuple(json.loads(line)) for line in done.stdout.splitlines()]


def with_flags(words: Sequence[object], more: Sequence[object]) -> list[object]:
    """A command's words with other flags: those that it has already take the new values, in their old ones' place."""
    names = [word for word in more if str(word).startswith("--")]
    kept = list(words)
    for name in names:
        if name in kept:
            place = kept.index(name)
            del kept[place : place + 2]
    return [*kept, *more]
