"""Pictures that ask for time and memory: read or refused within what their size allows."""

import io
import os
import time
from pathlib import Path

import numpy as np
import pytest
from hostile.pictures import LARGE, REFUSED, mutations, png, saved
from PIL import Image
from plugin_site import read_apart

from kinblend.errors import ImageError
from kinblend.imaging import decode_image, read_image

READ = "from kinblend.imaging import read_image, decode_image\nfrom pathlib import Path\n"
KEPT = READ + "def kept(path):\n    return decode_image(Path(path).read_bytes(), keep=16_000_000)"


@pytest.mark.slow  # pictures of fifty megapixels are made and read
def test_finding_18_and_23_memory_and_time_follow_from_the_size_in_pixels(tmp_path: Path) -> None:
    for name, make in {**REFUSED, **LARGE}.items():
        (tmp_path / name).write_bytes(make())
    paths = [tmp_path / name for name in (*REFUSED, *LARGE)]
    for reader, read in ((READ, "read_image"), (KEPT, "kept")):
        for place, (said, grown, seconds) in zip(paths, read_apart(reader, [read], paths), strict=True):
            assert said.startswith("ImageError" if place.name in REFUSED else "read Image"), (place.name, said)
            # 64 megapixels of 4 bytes, four times: WebP's decoder holds a canvas and the frame before beside ours.
            assert grown < 1.02e9 and seconds < 20, (place.name, grown, seconds)


def test_finding_18_the_web_app_keeps_no_more_pixels_than_it_needs() -> None:
    data = saved("RGB", (6000, 4000), "JPEG")
    assert decode_image(data).size == (6000, 4000)
    assert decode_image(data, keep=16_000_000).size == (3000, 2000)
    assert decode_image(png(600, 400), keep=10_000).size == (120, 80)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_finding_23_strips_give_what_the_whole_gives(kind: str) -> None:
    from kinblend.imaging import plain

    draw = np.random.default_rng(0)
    picture = Image.fromarray(draw.integers(0, 255, (70, 50, 3), np.uint8))
    for exif_way in (1, 3, 6, 7):
        exif = Image.Exif()
        exif[0x0112] = exif_way
        file = io.BytesIO()
        picture.save(file, kind, exif=exif)
        whole = decode_image(file.getvalue())
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(plain, "STRIP", 333)
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
    refused = 0
    for data in mutations(tries=400, seed=0):
        begun = time.thread_time()
        try:
            decode_image(data, "a.jpg")
        except ImageError as error:
            assert str(error).startswith("a.jpg")
            refused += 1
        assert time.thread_time() - begun < 5
    assert 100 < refused < 400
