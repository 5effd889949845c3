"""How files are read and written: plain files only, whole or not at all, and none over an input of the command.

Plugins that write files should use this, too.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path
from typing import IO, Any, BinaryIO

from kinblend.errors import OutputError, WriteError

_NO_WAITING = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)

_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL)  # of file systems that know no locks

# How the name of a part ends: the process that writes it, six digits, and six digits of chance.
_PART = re.compile(r"([0-9a-f]{6})[0-9a-f]{6}\.part$")

_strays: dict[Path, list[Path]] = {}  # parts of processes that are gone, by the folders that were looked through

# Device and inode of each input of the command that runs; None outside of one, where nothing is looked after.
_inputs: set[tuple[int, int]] | None = None


@contextmanager
def inputs_kept(paths: Iterable[str | Path] = ()) -> Iterator[None]:
    """Within, whoever writes over one of these files, or of those that `keep_inputs` names later, is refused."""
    global _inputs
    before, _inputs = _inputs, set()
    try:
        keep_inputs(paths)
        yield
    finally:
        _inputs = before


def keep_inputs(paths: Iterable[str | Path]) -> None:
    """Name more inputs of the command that runs. What is not a plain file is passed over."""
    if _inputs is None:
        return
    for path in paths:
        with suppress(OSError, ValueError):
            state = Path(path).stat()
            if stat.S_ISREG(state.st_mode):
                _inputs.add((state.st_dev, state.st_ino))


def check_target(path: str | Path) -> None:
    """Raise unless a file may be written there, now.

    `OutputError` for a link, a device, a FIFO, a socket and an input of the command, by whichever name;
    `IsADirectoryError` for a folder.
    """
    try:
        state = Path(path).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return
    if stat.S_ISDIR(state.st_mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if stat.S_ISLNK(state.st_mode):
        raise OutputError(f"{path} is a link, which is neither followed nor replaced; name the file itself")
    if not stat.S_ISREG(state.st_mode):
        raise OutputError(f"{path} is a device, a FIFO or a socket; name a plain file")
    if _inputs is not None and (state.st_dev, state.st_ino) in _inputs:
        raise OutputError(f"{path} is an input of this command and is not written over; name another file")


def checked_path(path: Any, what: str = "a file") -> Path:
    """A path that can be one. Raises `OutputError` for an empty name, a NUL in it, and what is no path at all."""
    if not isinstance(path, (str, os.PathLike)) or not isinstance(os.fspath(path), str):
        raise OutputError(f"a {type(path).__name__} names no place to write to; give the path of {what}")
    if not os.fspath(path) or "\0" in os.fspath(path):
        raise OutputError(f"{os.fspath(path)!r} names no place to write to; give the path of {what}")
    return Path(path)


@contextmanager
def write_errors(path: Any) -> Iterator[None]:
    """Within, what the system refuses becomes a `WriteError` that names the path. Our own errors pass."""
    try:
        yield
    except OSError as error:
        raise WriteError(f"{error.filename or path} can't be written: {error.strerror or error}") from error


@contextmanager
def replacing(path: str | Path, *, durable: bool = False) -> Iterator[Path]:
    """Write to the path that this gives: it takes the place of `path` when the block ends without an error.

    A reader sees the old file or the new one, never a part; what a process left that was killed while it wrote to
    `path` is removed. The file has the permissions that the umask leaves.
    durable: wait until the disk has it. Raises what `check_target` does.
    """
    path = checked_path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    check_target(path)
    _remove_strays(path)
    part = path.with_name(f"{_start(path)}{os.getpid() & 0xFFFFFF:06x}{secrets.token_hex(3)}.part")
    mode = _create(part)
    try:
        yield part
        part.chmod(mode)  # some writers put a file of their own there, for their owner alone
        if durable:
            _sync(part)
        check_target(path)
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def atomic_write(path: str | Path, data: bytes, *, durable: bool = False) -> None:
    """Write `data` to `path`, as `replacing` does."""
    with replacing(path, durable=durable) as part:
        part.write_bytes(data)


def append_text(path: str | Path, text: str, *, durable: bool = False) -> None:
    """Write text, UTF-8, at the end of a file, which is made where there is none.

    durable: wait until the disk has it. Raises what `check_target` does.
    """
    check_target(path)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _NO_LINK | _NO_WAITING, 0o666)
    with os.fdopen(descriptor, "ab") as file:
        file.write(text.encode())
        if durable:
            file.flush()
            os.fsync(file.fileno())


def open_for_writing(path: str | Path, *, append: bool = False) -> BinaryIO:
    """A file to be written in pieces, anew or at its end; a link in its place is not followed.

    Raises what `check_target` does.
    """
    check_target(path)
    how = os.O_APPEND if append else os.O_TRUNC
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | how | _NO_LINK | _NO_WAITING, 0o666), "wb")


@contextmanager
def locked(folder: str | Path, waiting: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Within, no other process holds this folder, which is made where there is none. It may be removed meanwhile.

    waiting: called once where another process holds it. The lock ends with its process, however that ends.
    """
    import fcntl

    path = Path(folder)
    while True:
        path.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
            if not _is_still(path, descriptor):  # whoever held it removed the folder
                continue
            yield
            return
        finally:
            os.close(descriptor)


def _is_still(path: Path, descriptor: int) -> bool:
    held = os.fstat(descriptor)
    try:
        now = path.stat()
    except OSError:
        return False
    return (now.st_dev, now.st_ino) == (held.st_dev, held.st_ino)


def leftovers(paths: Iterable[Path]) -> list[Path]:
    """What lies beside these files since a process was killed that wrote one of them with `replacing`."""
    starts: dict[Path, set[str]] = {}
    for path in paths:
        starts.setdefault(path.parent, set()).add(_start(path))
    found = []
    for folder in filter(Path.is_dir, starts):
        for path in folder.iterdir():
            part = _PART.search(path.name)
            if part and path.name[: part.start()] in starts[folder]:
                found.append(path)
    return found


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left of any file in a folder that nobody but kinblend writes into."""
    for path in _left_by_the_dead(folder):
        path.unlink(missing_ok=True)


def _remove_strays(path: Path) -> None:
    """Remove what killed processes left of this file. A folder is looked through once in a process."""
    folder = path.parent.absolute()
    if folder not in _strays:
        _strays[folder] = _left_by_the_dead(folder)
    for stray in list(_strays[folder]):
        part = _PART.search(stray.name)
        if part and stray.name[: part.start()] == _start(path):
            _strays[folder].remove(stray)
            with suppress(OSError):
                stray.unlink()


def _left_by_the_dead(folder: Path) -> list[Path]:
    """Parts in a folder whose process is gone. Only where one can ask for a process without ending it."""
    if os.name != "posix":
        return []
    try:
        parts = [(path, part) for path in folder.iterdir() if (part := _PART.search(path.name))]
    except OSError:
        return []
    return [path for path, part in parts if not process_lives(int(part[1], 16))]


def process_lives(process: int) -> bool:
    """Whether there is a process of that number on this system; where the system does not say, there is."""
    if os.name != "posix":  # there, asking would end it
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True  # somebody else's
    return True


def open_plain(path: str | Path) -> BufferedReader:
    """Open a plain file for reading. Raises `OSError`, for a FIFO, a device and a folder as well, without waiting."""
    descriptor = os.open(path, os.O_RDONLY | _NO_WAITING)
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "it is a device, a FIFO or a socket, and no plain file", str(path))


def file_sha256(path: str | Path) -> str:
    """The SHA-256 of a file, 64 hex digits. Raises `OSError`."""
    with open_plain(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class BoundedReader:
    """The rest of a stream, of which nobody can ask for more than there is, nor read a line without end."""

    LINE = 2**20  # bytes

    def __init__(self, stream: IO[bytes]) -> None:
        here = stream.tell()
        self._stream, self._left = stream, stream.seek(0, 2) - here
        stream.seek(here)

    def read(self, size: int) -> bytes:
        """So many bytes. Raises `EOFError`."""
        self._left -= size
        if self._left < 0 or size < 0:
            raise EOFError
        return self._stream.read(size)

    def readline(self) -> bytes:
        """A line of at most 1 MiB; one that is longer comes in parts."""
        line = self._stream.readline(self.LINE)
        self._left -= len(line)
        return line


def _start(path: Path) -> str:
    return f".{path.name[:40]}."


def _create(part: Path) -> int:
    """An empty file; returns its permissions, which the system derives from the umask."""
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK | _NO_WAITING, 0o666)
    try:
        return stat.S_IMODE(os.fstat(descriptor).st_mode)
    finally:
        os.close(descriptor)


def _sync(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
