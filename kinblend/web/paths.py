"""No path of the server's in an answer: what a file is called, but not where it lies."""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from kinblend.settings import home_folder

_NAME = r"[^\s/\\:;,'\"`()\[\]{}<>|]+"  # up to what can't belong to a name, or ends a sentence
_POSIX = re.compile(rf"(?!file:)\b[a-z][a-z0-9+.-]*://\S+|(?<![\w/\])])(?:file://)?~?((?:/+{_NAME})+)/?")
_WINDOWS = re.compile(rf"(?<!\w)(?:[A-Za-z]:|\\)((?:\\{_NAME})+)\\?")


def without_paths(text: str) -> str:
    """A sentence with the names of files in the place of their absolute paths."""
    for root in _roots():  # with what may hold spaces first
        text = re.sub(rf"(?<![\w/]){re.escape(root)}[/\\]", "", text)
    text = _POSIX.sub(lambda found: found[1].rpartition("/")[2] if found[1] else found[0], text)
    return _WINDOWS.sub(lambda found: found[1].rpartition("\\")[2], text)


@cache
def _roots() -> list[str]:
    """Folders whose content is named in messages, the longest first."""
    known = {str(path) for path in _folders() if path.is_absolute() and len(path.parts) > 1}
    return sorted(known, key=len, reverse=True)


def _folders() -> Iterator[Path]:
    for path in (home_folder(), Path(tempfile.gettempdir()), Path(sys.prefix), Path.cwd(), Path.home()):
        yield from (path, path.resolve())
    yield Path(__file__).resolve().parents[2]
