"""Pictures that ask for time and memory: read or refused within what their size allows."""

import io
import os
import random
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from strangers import read_apart

from kinblend.errors import ImageError
from kinblend.imaging import decode_image, read_image

READ = "from kinblend.imaging import read_image, decode_image\nfrom pathlib import Path\n"
KEPT = READ + "def kept(path):\n    return decode_image(Path(path).read_bytes(), keep=16_000_000)"


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


@pytest.mark.slow  # pictures of fifty megapixels are made and read
def test_finding_18_and_23_memory_and_time_follow_from_the_size_in_pixels(tmp_path: Path) -> None:
    for name, make in {**REFUSED, **LARGE}.items():
        (tmp_path / name).write_bytes(make())
    paths = [tmp_path / name for name in (*REFUSED, *LARGE)]
    for place, (said, grown, seconds) in zip(paths, read_apart(READ, ["read_image"], paths), strict=True):
        assert said.startswith("ImageError" if place.name in REFUSED else "read Image"), (place.name, said)
        assert grown < 700e6 and seconds < 10, (place.name, grown, seconds)
    for place, (_, grown, seconds) in zip(paths, read_apart(KEPT, ["kept"], paths), strict=True):
        assert grown < 500e6 and seconds < 10, (place.name, grown, seconds)


def test_finding_18_the_web_app_keeps_no_more_pixels_than_it_needs() -> None:
    data = saved("RGB", (6000, 4000), "JPEG")
    assert decode_image(data).size == (6000, 4000)
    assert decode_image(data, keep=16_000_000).size == (3000, 2000)
    assert decode_image(png(600, 400), keep=10_000).size == (120, 80)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_finding_23_strips_give_what_the_whole_gives(kind: str) -> None:
    from kinblend.imaging import decode

    draw = np.random.default_rng(0)
    picture = Image.fromarray(draw.integers(0, 255, (70, 50, 3), np.uint8))
    for exif_way in (1, 3, 6, 7):
        exif = Image.Exif()
        exif[0x0112] = exif_way
        file = io.BytesIO()
        picture.save(file, kind, exif=exif)
        whole = decode_image(file.getvalue())
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(decode, "STRIP", 333)
            assert decode_image(file.getvalue()).tobytes() == whole.tobytes()
        with Image.open(file) as known:
            from PIL import ImageOps

            assert ImageOps.exif_transpose(known).convert("RGB").tobytes() == whole.tobytes()


@pytest.mark.parametrize("kind", ["FIFO", "device", "folder", "socket"])
def test_finding_23_no_device_is_waited_for(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    if kind == "FIFO":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    else:
        import socket

        line = socket.socket(socket.AF_UNIX)
        line.bind(str(path))
        line.close()
    begun = time.monotonic()
    with pytest.raises(ImageError, match=r"a\.jpg"):
        read_image(path)
    assert time.monotonic() - begun < 2


def test_mutated_pictures_are_read_or_refused_by_name() -> None:
    mutated(tries=400, seed=0)


def mutated(tries: int, seed: int) -> int:
    """Read damaged pictures; how many were refused. Any other error than `ImageError` passes."""
    draw, refused = random.Random(seed), 0
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
        begun = time.thread_time()
        try:
            decode_image(bytes(data[: draw.choice((None, None, draw.randrange(1, len(data))))]), "a.jpg")
        except ImageError as error:
            assert str(error).startswith("a.jpg")
            refused += 1
        assert time.thread_time() - begun < 5
    return refused
