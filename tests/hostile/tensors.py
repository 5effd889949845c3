"""Safetensors files with odd headers."""

import json
import struct
from pathlib import Path


def written(path: Path, header: object, data: bytes = b"", length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def entry(dtype: object = "F32", shape: object = (1,), place: object = (0, 4)) -> dict[str, object]:
    return {"w": {"dtype": dtype, "shape": shape, "data_offsets": place}}


HEADERS = {
    "nothing": (b"", b""),
    "a list": ([], b""),
    "deep": (b"[" * 100_000, b""),
    "deep in a dict": (b'{"w":' * 50_000 + b"1" + b"}" * 50_000, b""),
    "many parts": (b'{"w":[' + b"[]," * 3_000_000 + b"[]]}", b""),
    "float8": (entry("F8_E4M3", [4]), b"1234"),
    "float8, another": (entry("F8_E5M2", [4]), b"1234"),
    "an unknown dtype": (entry("\x1b[31mX"), b"1234"),
    "no text for a dtype": (entry(["F32"]), b"1234"),
    "a shape of texts": (entry(shape=["1"]), b"1234"),
    "a negative shape": (entry(shape=[-1, -1]), b"1234"),
    "a shape of floats": (entry(shape=[1.0]), b"1234"),
    "a large shape": (entry(shape=[2**31, 2**31, 2**31]), b"1234"),
    "many dimensions": (entry(shape=[1] * 5000), b"1234"),
    "a place outside": (entry(place=[0, 400], shape=[100]), b"1234"),
    "a place backwards": (entry(place=[4, 0]), b"1234"),
    "no place": ({"w": {"dtype": "F32", "shape": [1]}}, b"1234"),
    "a number": ({"w": 1}, b"1234"),
    "notes of numbers": ({"__metadata__": {"a": 1}}, b""),
    "notes of lists": ({"__metadata__": [1]}, b""),
    "a gap": ({**entry(place=[4, 8])}, b"12345678"),
    "overlapping": ({**entry(), "v": entry()["w"]}, b"1234"),
}
