"""How commands speak: data on stdout, everything else on stderr."""

from __future__ import annotations

import errno
import json
import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, TextIO

from kinblend.cli.streams import write_line
from kinblend.errors import KinblendError, UsageError
from kinblend.files import check_target
from kinblend.validation import plain_words

NAMES_FILE = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".mp4", ".pdf")  # how no folder's name ends

_quiet = False
_data: TextIO | None = None  # where stdout was, while a command works


def set_quiet(wanted: bool) -> bool:
    """Whether `log` is to keep silent from now on: the callback of `--quiet`."""
    global _quiet
    _quiet = wanted
    return wanted


def tell_more(level: int) -> None:
    """Show the library's log on stderr: 0 for warnings alone, 1 for what is done, 2 for how."""
    logger = logging.getLogger("kinblend")
    for handler in [handler for handler in logger.handlers if isinstance(handler, _Terminal)]:
        logger.removeHandler(handler)
    handler = _Terminal()
    handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel({0: logging.WARNING, 1: logging.INFO}.get(level, logging.DEBUG))


class _Terminal(logging.Handler):
    """Lines on stderr, whatever that is at the moment."""

    def emit(self, record: logging.LogRecord) -> None:
        if not _quiet or record.levelno >= logging.ERROR:
            write_line(sys.stderr, printable(self.format(record)))


def print_error(error: KinblendError | OSError) -> int:
    """Print an error on stderr, in one line; returns the exit code."""
    text = str(error)
    if isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    write_line(sys.stderr, f"kinblend: {printable(text)}")
    return error.exit_code if isinstance(error, KinblendError) else 1


def print_usage_error(error: Exception) -> int:
    """Print what typer found wrong with a command line, in one line; returns the exit code.

    Anything but typer's own errors is raised: typer may carry a click of its own, so they have no type to name.
    """
    kind = type(error).__name__
    if kind == "Abort":
        write_line(sys.stderr, "kinblend: aborted")
        return 1
    if not hasattr(error, "format_message"):
        raise error
    if kind != "NoArgsIsHelpError":  # the help was printed
        context = getattr(error, "ctx", None)
        where = f"; see `{context.command_path} --help`" if context else ""
        write_line(sys.stderr, f"kinblend: {printable(_usage(error.format_message()))}{where}")
    return int(getattr(error, "exit_code", 2))


def _usage(message: str) -> str:
    """typer's message in plain words: "--children: use at least 1"."""
    text = " ".join(message.split()).rstrip(".")
    if re.fullmatch(r"No such option: (-v|--verbose)\b.*", text):
        return f"{text[:1].lower()}{text[1:]}; -v and -vv stand before the command: kinblend -v run …"
    about = re.fullmatch(r"Invalid value for '?(.*?)'?: (.*)", text)
    if about is None:
        return text[:1].lower() + text[1:]
    return f"{about[1]}: {plain_words(about[2])}"


@contextmanager
def reserve_stdout() -> Iterator[None]:
    """Within, what anybody prints goes to stderr; stdout is for `emit` and `emit_paths` alone."""
    global _data
    before = _data
    _data = _stdout()
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _data.flush()
        _data = before


def _stdout() -> TextIO:
    return _data or sys.stdout


def printable(text: str) -> str:
    """Text from anywhere as a terminal may have it: control characters could move the cursor or hide what follows."""
    return "".join(letter if letter.isprintable() or letter in "\n\t" else "?" for letter in text)


def log(text: str) -> None:
    """A line for people, on stderr; nothing when quiet."""
    if not _quiet:
        write_line(sys.stderr, printable(text))


def warn(lines: Iterable[str]) -> None:
    """Warnings for people, on stderr, a line each."""
    for line in lines:
        log(f"note: {line}")


def say_replaced(paths: Iterable[Path]) -> None:
    """A line on stderr where files will be written over, before they are."""
    there = [str(path) for path in paths if path.exists()]
    if there:
        more = f" and {len(there) - 1} files more" if len(there) > 1 else ""
        log(f"note: {there[0]}{more} will be replaced; --out names another place")


def emit(data: Any, *, as_json: bool, rows: Sequence[Sequence[str]] = (), head: Sequence[str] = ()) -> None:
    """`data` as JSON, or `rows` on stdout: a table under `head` on a terminal, else tab-separated lines."""
    if as_json:
        print(json.dumps(data, indent=2, sort_keys=True), file=_stdout(), flush=True)
        return
    if not _stdout().isatty():
        if len(head) > 1 and any(head):  # of one column each line says itself what it is
            log("\t".join(head))  # a heading is no data
        for row in rows:
            print("\t".join(map(printable, row)), file=_stdout(), flush=True)
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(*head, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(escape(printable(cell)) for cell in row))
    Console(file=_stdout()).print(table)


def emit_paths(paths: Sequence[Path], as_json: bool, **facts: Any) -> None:
    """Name the files that were written: a line each, or `{"files": […]}`. facts: what else the JSON says."""
    files = [str(path) for path in paths]
    if as_json:
        emit({"files": files, **facts}, as_json=True)
    else:
        print("\n".join(files), file=_stdout())


def check_file(path: Path) -> None:
    """Raise `OSError` or `OutputError` if a file can't be written there: asked before work that takes long."""
    check_target(path)
    check_folder(path.parent)


def check_folder(path: Path) -> None:
    """Raise `OSError` if no file can be written into that folder, or the folder can't be made, and `UsageError` for a
    new folder that is named like a picture: a picture was expected."""
    if path.suffix.lower() in NAMES_FILE and not path.is_dir():
        raise UsageError(f"{path} is named like a file, and here a folder is written; give {path.with_suffix('')}")
    nearest = next(folder for folder in (path, *path.parents) if folder.exists())
    if not nearest.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(nearest))
    try:
        with tempfile.TemporaryFile(dir=nearest):
            return
    except OSError as error:
        raise OSError(error.errno, f"nothing can be written there ({error.strerror})", str(path)) from error
