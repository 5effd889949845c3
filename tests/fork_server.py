"""Runs commands each in a process of its own, forked from one that has imported torch and read dlib's landmarker.

That saves seconds each. What is kinblend's own each process imports itself.

`run` and `run_code` take what `subprocess.run` does, `start` what `subprocess.Popen` does. As a script it is the
process that is forked.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import IO

IMPORTED = (
    "numpy", "numpy.ctypeslib", "numpy.ma", "PIL.ImageDraw", "PIL.ImageFilter", "PIL.ImageFont", "PIL.ImageSequence",
    "PIL.JpegImagePlugin", "PIL.PngImagePlugin", "safetensors.torch", "pydantic.json_schema", "pydantic.main",
    "pydantic.type_adapter", "torch", "torch.utils.serialization.config", "pluggy", "tomllib", "typer",
    "rich.progress", "rich.table", "xml.parsers.expat", "zoneinfo",
)  # fmt: skip
LANDMARKER = "shape_predictor_68_face_landmarks.dat"
# What Python, the C library and torch look at before a command could; such a command gets a process from scratch.
EARLY = ("PYTHON", "LC_", "LANG", "OMP_", "GOMP_", "KMP_", "MKL_", "MALLOC_", "GLIBC_", "LD_")
COMMAND = "from kinblend.cli import main\nmain()"  # what `python -m kinblend.cli` does


def run(words: Sequence[str], env: Mapping[str, str], cwd: Path) -> subprocess.CompletedProcess:
    """`python -m kinblend.cli WORDS` with that environment, in that folder: exit code, stdout and stderr."""
    return run_code(COMMAND, words, env, cwd)


def run_code(code: str, words: Sequence[str], env: Mapping[str, str], cwd: Path) -> subprocess.CompletedProcess:
    """`python -c CODE WORDS` with that environment, in that folder: exit code, stdout and stderr."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
        code_of_exit = _started(code, words, env, cwd, out, error).wait()
        said = [file.seek(0) or file.read().decode() for file in (out, error)]
    return subprocess.CompletedProcess(["kinblend", *words], code_of_exit, *said)


def start(
    words: Sequence[str],
    env: Mapping[str, str],
    cwd: Path,
    code: str = COMMAND,
    out: IO | None = None,
    error: IO | None = None,
) -> subprocess.Popen | Forked:
    """`python -m kinblend.cli WORDS` with that environment, in that folder, started.

    code: what to run in its place. out, error: files for what it says; None for nobody.
    """
    with Path(os.devnull).open("wb") as nobody:
        return _started(code, words, env, cwd, out or nobody, error or nobody)


class Forked:
    """A process that was forked for us: as much of `subprocess.Popen` as is needed.

    connection: to the process's parent, which says the process's number, and its exit code when it has ended.
    """

    def __init__(self, connection: socket.socket) -> None:
        self._said = connection.makefile()
        connection.close()
        self.pid, self.returncode = int(self._said.readline()), None

    def __enter__(self) -> Forked:
        return self

    def __exit__(self, *error: object) -> None:
        self.wait()

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        if self.returncode is None and select.select([self._said], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, negative for a signal. Raises `subprocess.TimeoutExpired` after so many seconds."""
        if self.returncode is None:
            if not select.select([self._said], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("kinblend", timeout or 0)
            self.returncode = int(self._said.read())
            self._said.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _started(
    code: str, words: Sequence[str], env: Mapping[str, str], cwd: Path, out: IO[bytes], error: IO[bytes]
) -> subprocess.Popen | Forked:
    path = env.get("PYTHONPATH")
    early = {name for name in {*env, *os.environ} if name.startswith(EARLY) and env.get(name) != os.environ.get(name)}
    if os.name != "posix" or early - {"PYTHONPATH"}:
        command = [sys.executable, "-c", code, *words]
        return subprocess.Popen(command, env=dict(env), stdout=out, stderr=error, stdin=subprocess.DEVNULL, cwd=cwd)
    told = {"code": code, "words": [*words], "env": dict(env), "cwd": str(cwd), "path": path or ""}
    packed = json.dumps(told).encode()
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(_server())
    socket.send_fds(connection, [len(packed).to_bytes(8, "big")], [out.fileno(), error.fileno()])
    connection.sendall(packed)
    return Forked(connection)


@cache
def _server() -> str:
    """The socket of a server that lives as long as this process."""
    folder = tempfile.mkdtemp(prefix="kinblend-tests-")
    address = f"{folder}/socket"
    environ = os.environ | {"THP_MEM_ALLOC_ENABLE": "1"}  # as the command line sets it before torch is imported
    environ.setdefault("GOMP_SPINCOUNT", "1000")  # likewise
    server = subprocess.Popen(
        [sys.executable, __file__, address], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environ
    )
    atexit.register(_end, server, folder)
    assert server.stdout is not None
    assert server.stdout.readline() == b"ready\n"
    return address


def _end(server: subprocess.Popen, folder: str) -> None:
    server.communicate()
    shutil.rmtree(folder, ignore_errors=True)


def serve(address: str) -> None:
    """Answer until whoever started it is gone."""
    for name in IMPORTED:
        importlib.import_module(name)
    keep_landmarker()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address)
    listener.listen()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    os.write(1, b"ready\n")
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        connection, _ = listener.accept()
        if os.fork() == 0:
            _answer(connection)
        connection.close()


def keep_landmarker() -> None:
    """dlib reads its landmarker, a hundred megabytes, for most of a second: whoever asks for that file gets this one.

    Without dlib or the file there is nothing to keep.
    """
    with suppress(ImportError, RuntimeError):
        import dlib

        found = find_spec("face_recognition_models")
        [folder] = (found and found.submodule_search_locations) or [""]
        path, read = str(Path(folder) / "models" / LANDMARKER), dlib.shape_predictor
        kept = read(path)
        dlib.shape_predictor = lambda file: kept if file == path else read(file)


def _answer(connection: socket.socket) -> None:
    """Run one command in a process of its own, and send its exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, files, _, _ = socket.recv_fds(connection, 8, 2)
    told = json.loads(connection.makefile("rb").read(int.from_bytes(size, "big")))
    process = os.fork()
    if process == 0:
        connection.close()
        _command(told["code"], told["words"], told["env"], told["cwd"], told["path"], files)
    for file in files:
        os.close(file)
    connection.sendall(f"{process}\n".encode())
    _, status = os.waitpid(process, 0)
    with suppress(BrokenPipeError):  # of one who did not wait for the end
        connection.sendall(str(os.waitstatus_to_exitcode(status)).encode())
    os._exit(0)


def _command(source: str, words: list[str], environ: dict[str, str], cwd: str, path: str, files: list[int]) -> None:
    """What `python -c SOURCE WORDS` does."""
    empty = os.open(os.devnull, os.O_RDONLY)
    for number, file in enumerate((empty, *files)):
        os.dup2(file, number)
    for file in (empty, *files):
        os.close(file)
    os.environ.clear()
    os.environ.update(environ)
    os.chdir(cwd)
    sys.path[:1] = [cwd, *filter(None, path.split(os.pathsep))]
    sys.argv = ["-c", *words]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    code: object = 0
    try:
        exec(compile(source, "<string>", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 1
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(bool(code)))


if __name__ == "__main__":
    serve(sys.argv[1])
