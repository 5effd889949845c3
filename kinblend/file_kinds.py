"""What a file is, told by how it begins, where another kind was asked for: a web page, a picture, a table."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

from kinblend.files import open_plain

HEAD = 8192  # bytes that are looked at
SAFETENSORS = re.compile(rb'.{6}\x00\x00\{\s*"', re.DOTALL)  # the header's size, less than 2**48, and the header

_PAGE = re.compile(r"<(!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF"),
    (b"\x89HDF\r\n", "an HDF5 file of TensorFlow or Keras; give the PyTorch checkpoint"),
    (b"GGUF", "a GGUF file; give the PyTorch checkpoint"),
    (b"SQLite format 3", "a SQLite database"),
    (b"PAR1", "a Parquet table"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x1f\x8b", "a gzip archive; unpack it, and name the checkpoint in it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it, and name the checkpoint in it"),
    (b"Rar!", "a RAR archive; unpack it, and name the checkpoint in it"),
    (b"\xfd7zXZ", "an xz archive; unpack it, and name the checkpoint in it"),
    (b"BZh", "a bzip2 archive; unpack it, and name the checkpoint in it"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive; unpack it, and name the checkpoint in it"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
)

_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"II*\0", b"MM\0*")
_TEXT = frozenset(range(32, 127)) | frozenset(b"\t\n\r\f") | frozenset(range(128, 256))  # UTF-8 and Latin-1


def describe_foreign_file(path: str | Path) -> str:
    """What a file is that is no checkpoint, with what to do ("a web page, …"); "" where it may be one.

    "" as well where it can't be read.
    """
    path = Path(path)
    try:
        with open_plain(path) as file:
            head = file.read(HEAD)
    except OSError:
        return ""
    return describe_head(head)


def file_kind(path: str | Path) -> str:
    """What a file is by how it begins: "a picture", "a table" or "a text".

    Empty for anything else, and where it can't be read.
    """
    try:
        with open_plain(path) as file:
            start = file.read(64)
    except OSError:  # whoever needs it says why
        return ""
    if start.startswith(_PICTURES) or start[8:12] == b"WEBP":
        return "a picture"
    text = bool(start) and all(byte in _TEXT for byte in start)
    if start.startswith(b"PAR1") or (text and Path(path).suffix.lower() in (".csv", ".tsv")):
        return "a table"
    return "a text" if text else ""


def is_safetensors(head: bytes) -> bool:
    """Whether a file that begins so has the layout of safetensors."""
    return bool(SAFETENSORS.match(head)) or (len(head) >= 10 and head[8:10] == b"{}" and head[2:8] == bytes(6))


def describe_head(head: bytes) -> str:
    """As `describe_foreign_file`, of a file's first 8 KiB."""
    if head and not head.strip(b"\0"):
        return "nothing but zeros: its download did not finish; fetch it again"
    for signature, what in _SIGNATURES:
        if head.startswith(signature):
            return what
    for looks, what in _LOOKS:
        if looks(head):
            return what
    return _describe_text(head)


def _is_onnx(head: bytes) -> bool:
    """Whether this is a protobuf message that begins as ONNX's: a version, then who made it, or the graph."""
    if len(head) < 4 or head[0] != 0x08 or head[1] > 0x40:
        return False
    return head[2] in (0x12, 0x3A) and (b"onnx" in head.lower() or b"torch" in head.lower() or b"ai." in head)


def _is_tensorflow_pickle(head: bytes) -> bool:
    return head.startswith(b"\x80") and any(name in head for name in (b"dnnlib.tflib", b"tfutil"))


_LOOKS: tuple[tuple[Callable[[bytes], bool], str], ...] = (
    (_is_onnx, "an ONNX network; give the PyTorch checkpoint that it was made from"),
    (
        _is_tensorflow_pickle,
        "a TensorFlow pickle of StyleGAN (legacy); convert it with legacy.py of stylegan2-ada-pytorch, and give that",
    ),
    (lambda head: head[4:8] == b"TFL3", "a TensorFlow Lite network; give the PyTorch checkpoint"),
    (lambda head: head[4:8] == b"ftyp", "a video or a picture"),
    (lambda head: head[:4] == b"RIFF" and head[8:12] == b"WEBP", "a WebP picture"),
    (lambda head: head[257:262] == b"ustar", "a tar archive; unpack it, and name the checkpoint in it"),
)


def _describe_text(head: bytes) -> str:
    text = _decoded(head)
    if text is None:
        return ""
    if text.startswith("version https://git-lfs.github.com/"):
        return "a git-LFS pointer, and not the file it stands for; fetch that with `git lfs pull`"
    if re.search(r"/annex/objects/|^\.git/annex/", text[:200]):
        return "a git-annex pointer, and not the file it stands for; fetch that with `git annex get`"
    if text.startswith("<") and _PAGE.search(text[:2000]):
        return "a web page, not a checkpoint; open the address in a browser and save the file that the page offers"
    if text.startswith("<"):
        return "an XML text, not a checkpoint; fetch the file again"
    if text.startswith(("{", "[")) and _is_json(text):
        return "a JSON text, not a checkpoint; fetch the file again"
    return ""


def first_line(head: bytes) -> str:
    """The first line of a file that begins so, at most 60 characters; "" where it is no text."""
    text = _decoded(head) or ""
    return text.split("\n", 1)[0].strip()[:60]


def _decoded(head: bytes) -> str | None:
    """The text, if it is one: UTF-8 or UTF-16, printable."""
    for mark, encoding in ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"", "utf-8-sig")):
        if head.startswith(mark):
            # The last letter may be cut off, and a page may be of another encoding.
            text = head.decode(encoding, "replace").rstrip("\ufffd").strip().removeprefix("\ufeff").strip()
            strange = sum(letter == "\ufffd" or (letter < " " and not letter.isspace()) for letter in text)
            is_markup = text.startswith("<") and "\0" not in text
            return text if is_markup or (text and strange * 50 <= len(text)) else None
    return None


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return len(text) > HEAD // 2 and '"' in text  # a long one was cut off
    except RecursionError:
        return False
    return True
