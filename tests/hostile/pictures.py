"""Pictures that ask for time and memory, and mutated ones."""

import io
import random
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image


def png(width: int, height: int, colour: int = 2, depth: int = 8) -> bytes:
    """A plain picture of any size, packed a thousandfold."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row, packer = bytes(1 + width * {0: 1, 2: 3, 6: 4}[colour] * depth // 8), zlib.compressobj(9)
    packed = b"".join(packer.compress(row) for _ in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


def saved(mode: str, size: tuple[int, int], kind: str, **how: object) -> bytes:
    file = io.BytesIO()
    Image.new(mode, size).save(file, kind, **how)
    return file.getvalue()


def turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


LARGE = {
    "jpeg": lambda: saved("RGB", (8192, 6144), "JPEG", exif=turned()),
    "png": lambda: png(8192, 6144),
    "alpha": lambda: png(8192, 6144, 6),
    "deep": lambda: png(8192, 6144, 0, 16),
    "mode I": lambda: saved("I", (8000, 7900), "TIFF", compression="tiff_deflate"),
    "mode F": lambda: saved("F", (8000, 7900), "TIFF", compression="tiff_deflate"),
    "cmyk": lambda: saved("CMYK", (8000, 6000), "JPEG"),
    "webp": lambda: saved("RGB", (8000, 6000), "WEBP"),
    "palette": lambda: saved("P", (8192, 6144), "GIF"),
}


REFUSED = {
    "one pixel wide": lambda: png(1, 2_000_000, 0),
    "one pixel high": lambda: png(2_000_000, 1, 0),
    "too many": lambda: png(10_000, 10_000, 0),
}


def mutations(tries: int, seed: int) -> Iterator[bytes]:
    """Damaged pictures of seven formats."""
    draw = random.Random(seed)
    noise = Image.fromarray(np.random.default_rng(seed).integers(0, 255, (48, 64, 3), np.uint8))
    wholes = []
    for kind in ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF", "PPM"):
        file = io.BytesIO()
        noise.save(file, kind)
        wholes.append(file.getvalue())
    for _ in range(tries):
        data = bytearray(draw.choice(wholes))
        for _ in range(draw.choice((1, 1, 4, 30))):
            data[draw.randrange(min(len(data), draw.choice((64, len(data)))))] = draw.randrange(256)
        yield bytes(data[: draw.choice((None, None, draw.randrange(1, len(data))))])
