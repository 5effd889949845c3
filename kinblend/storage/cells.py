"""What cells of a table mean: pictures, lists of pictures, numbers, as people and programs write them."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path
from typing import Any

SUFFIX = r"\.[A-Za-z0-9]{2,5}"  # of a picture's file
NOTHING = frozenset(("", "nan", "none", "null", "n/a", "na", "#n/a", "#ref!", "#value!", "#name?", "-", "[]", "()"))

# The quotation marks that word processors set.
_PLAIN_QUOTES = str.maketrans({"‘": "'", "’": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"'})
# How pandas and NumPy write what holds a list: array([…], dtype=object), PosixPath('a.jpg').
_HOLDER = re.compile(r"(?:array|Index|Series|list|tuple|set|frozenset)\(")
_PATH = re.compile(r"\b(?:Pure)?(?:Posix|Windows)?Path\(('[^']*'|\"[^\"]*\")\)")
_BRACKETS = {"[": "]", "(": ")", "{": "}"}
_ITEM = re.compile(
    r"(?:(?P<mark>['\"])(?P<quoted>(?:\\.|(?!(?P=mark)).)*)(?P=mark)"
    rf"|(?P<bare>[^\s'\",;|\[\](){{}}][^'\",;|\[\](){{}}]*?{SUFFIX})(?=\s*[,;|]|\s|$))(?:\s*[,;|]|\s+|$)",
    re.DOTALL,
)
_SPACE, _PICTURE = re.compile(r"\s*"), re.compile(rf"{SUFFIX}$")
_CUT_SHORT = re.compile(r"(?:^|[\s,'\"\[])(?:\.\.\.|…)(?:$|[\s,'\"\]])")


def parse_list(cell: Any) -> list[str]:
    """A cell's texts: `a.jpg` → one; `['a.jpg', 'b.jpg']`, `["a.jpg"]`, `[a.jpg b.jpg]` and `a.jpg;b.jpg` → each.

    A list that is not one of texts alone gives none. Nothing is evaluated.
    """
    if isinstance(cell, (list, tuple)):
        return [value for value in cell if isinstance(value, str) and value]
    text = _unwrapped(str(cell if cell is not None else "").strip())
    if text.casefold() in NOTHING:
        return []
    parts = [part.strip() for part in re.split(r"[;|\n,]", text) if part.strip()]
    if len(parts) > 1 and text[0] not in _BRACKETS and all(map(_PICTURE.search, parts)):
        return [_unquoted(part) for part in parts]
    if text[0] not in "[(" and not _is_set(text):
        return [_unquoted(text)]
    return _items(text[1:-1]) if text.endswith(_BRACKETS[text[0]]) and len(text) > 1 else []


def is_cut_short(cell: Any) -> bool:
    """Whether a list was shortened when it was written: NumPy and pandas put "..." for what they leave out."""
    return isinstance(cell, str) and bool(_CUT_SHORT.search(cell))


def join_path(folder: Path, text: str) -> Path:
    """The file that a cell names, relative to a folder.

    Where there is none as it is written, Windows' separators are taken for ours, and letters with accents for the
    same in two parts, as other systems store them.
    """
    text = text.strip()
    first = folder / text
    slashed = text.replace("\\", "/")
    forms = [unicodedata.normalize(form, written) for written in (text, slashed) for form in ("NFC", "NFD")]
    for written in (text, slashed, *forms):
        if _is_file(folder / written):
            return folder / written
    return folder / slashed if "\\" in text else first


def parse_number(text: Any) -> float:
    """A number with a point or a comma before its decimals. Raises `ValueError` for any other text."""
    if isinstance(text, (int, float)):
        return float(text)
    written = str(text).strip()
    if re.fullmatch(r"[+-]?\d*,\d+", written):
        written = written.replace(",", ".")
    return float(written)


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _unwrapped(text: str) -> str:
    """Without what holds the list, and with plain quotation marks."""
    found = _HOLDER.match(text)
    if found and text.endswith(")"):
        text = text[found.end() : -1].strip()
        head, dtype, _ = text.rpartition("dtype=")
        text = head.rstrip().removesuffix(",") if dtype else text
    if text[:1] in _BRACKETS:
        text = _PATH.sub(r"\1", text.translate(_PLAIN_QUOTES))
    return text


def _is_set(text: str) -> bool:
    return text.startswith("{") and text.endswith("}") and text[1:2] in ("'", '"')


def _unquoted(text: str) -> str:
    plain = text.translate(_PLAIN_QUOTES)
    return plain[1:-1].strip() if len(plain) > 2 and plain[0] == plain[-1] and plain[0] in "'\"" else text


def _items(inner: str) -> list[str]:
    found, place = [], 0
    inner = inner.strip()
    while place < len(inner):
        space = _SPACE.match(inner, place)
        item = _ITEM.match(inner, space.end() if space else place)
        text = "" if item is None else (item["bare"] or _unescaped(item["quoted"] or "", item["mark"])).strip()
        if item is None or not text:
            return []
        found.append(text)
        place = item.end()
    return found


def _unescaped(text: str, mark: str) -> str:
    """Without the backslashes that Python and JSON put before some letters; those of Windows' paths stay."""
    if mark == '"':
        text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
    return re.sub(r"\\(['\"\\/])", r"\1", text)
