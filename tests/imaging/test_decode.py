"""Every kind of file becomes plain RGB or is refused by name; written files say what they are."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from kinblend.errors import ImageError
from kinblend.imaging.decode import decode_image, read_image, to_picture
from kinblend.imaging.encode import jpeg_bytes, write_picture


def gradient() -> Image.Image:
    y, x = np.mgrid[:40, :60]
    return Image.fromarray(np.stack([x * 4, y * 6, 255 - x * 4], axis=2).astype(np.uint8))


def test_orientation_and_metadata(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "a camera"
    gradient().save(tmp_path / "a.jpg", exif=exif, quality=95, comment=b"private")
    image = read_image(tmp_path / "a.jpg")
    assert image.mode == "RGB" and image.size == (40, 60)
    assert not image.info and not image.getexif()
    expected = np.asarray(gradient().transpose(Image.Transpose.ROTATE_270), dtype=int)
    assert np.abs(np.asarray(image, dtype=int) - expected).mean() < 3


@pytest.mark.parametrize("mode", ["CMYK", "L", "1", "P", "YCbCr"])
def test_modes(tmp_path: Path, mode: str) -> None:
    picture = gradient().convert(mode)
    # Pillow 12.3 can't read the YCbCr TIFF that it writes; cameras write YCbCr as JPEG.
    file = tmp_path / ("a.jpg" if mode == "YCbCr" else "a.tif")
    picture.save(file, **({"quality": 100, "subsampling": 0} if mode == "YCbCr" else {}))
    expected = np.asarray(picture.convert("RGB"), dtype=int)
    away = np.abs(np.asarray(read_image(file), dtype=int) - expected).max()
    assert away <= (6 if mode == "YCbCr" else 2)


def test_sixteen_bits(tmp_path: Path) -> None:
    Image.fromarray(np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)).save(tmp_path / "a.png")
    red = np.asarray(read_image(tmp_path / "a.png"))[..., 0]
    np.testing.assert_allclose(red.ravel(), np.arange(256), atol=1)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_over_white(tmp_path: Path, mode: str) -> None:
    picture = Image.new(mode, (4, 4))
    picture.putpixel((3, 3), (0,) * (len(picture.getbands()) - 1) + (255,))
    picture.save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").getpixel((0, 0)) == (255, 255, 255)
    assert read_image(tmp_path / "a.png").getpixel((3, 3)) == (0, 0, 0)


def test_transparent_palette(tmp_path: Path) -> None:
    picture = Image.new("P", (4, 4), 0)
    picture.putpixel((3, 3), 1)
    picture.save(tmp_path / "a.png", transparency=0)
    assert read_image(tmp_path / "a.png").getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("side", [8001, 10_000, 60_000])
def test_too_large_is_refused_before_decoding(tmp_path: Path, side: int) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(ImageError, match=rf"a\.png has {side * side / 1e6:.1f} megapixels; at most 64"):
        read_image(tmp_path / "a.png")


def test_fifty_megapixels_of_a_camera_are_read(tmp_path: Path) -> None:
    Image.new("L", (8192, 6144), 7).save(tmp_path / "a.png", compress_level=1)
    assert read_image(tmp_path / "a.png").size == (8192, 6144)


def wide() -> bytes:
    """A profile of a colour space with another green than sRGB's: sRGB's own with its primaries changed places."""
    content = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    place = {bytes(content[at : at + 4]): at for at in range(132, 132 + 12 * 20, 12)}
    red, green = place[b"rXYZ"], place[b"gXYZ"]
    content[red + 4 : red + 12], content[green + 4 : green + 12] = (
        content[green + 4 : green + 12],
        content[red + 4 : red + 12],
    )
    # The description says what it is not: "sRGB built-in" would be taken at its word.
    return bytes(content).replace("sRGB".encode("utf-16-be"), "Mine".encode("utf-16-be")).replace(b"sRGB", b"Mine")


def test_colours_are_converted_by_the_pictures_own_profile(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8), (250, 10, 10)).save(tmp_path / "a.png", icc_profile=wide())
    red, green, _ = read_image(tmp_path / "a.png").getpixel((4, 4))
    assert green > 240 > 20 > red
    Image.new("RGB", (8, 8), (250, 10, 10)).save(tmp_path / "b.png", icc_profile=b"no profile")
    assert read_image(tmp_path / "b.png").getpixel((4, 4)) == (250, 10, 10)


def test_pictures_from_memory_are_taken_as_files_are(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    gradient().save(tmp_path / "turned.png", exif=exif)
    Image.new("RGBA", (4, 4)).save(tmp_path / "clear.png")
    Image.fromarray(np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)).save(tmp_path / "deep.png")
    for name in ("turned.png", "clear.png", "deep.png"):
        with Image.open(tmp_path / name) as image:
            assert to_picture(image).tobytes() == read_image(tmp_path / name).tobytes(), name
    array = np.asarray(gradient())
    assert to_picture(array).tobytes() == gradient().tobytes()
    assert to_picture(np.dstack([array, np.indices((40, 60)).sum(0).astype(np.uint8)])).getpixel((0, 0)) == (255,) * 3
    for other in (array.astype(np.float32), array[None], "a.jpg", None):
        with pytest.raises(ImageError):
            to_picture(other)


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs a file that nobody can read, root neither")
def test_a_file_that_cannot_be_read() -> None:
    with pytest.raises(ImageError, match="can't be read"):
        read_image("/proc/self/mem")


def test_damaged(tmp_path: Path) -> None:
    gradient().save(tmp_path / "whole.png")
    whole = (tmp_path / "whole.png").read_bytes()
    for name, content in {
        "short.png": whole[: len(whole) // 2],
        "head.png": whole[:20],
        "text.jpg": b"not a picture",
        "empty.jpg": b"",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ImageError, match=name):
            read_image(tmp_path / name)
    with pytest.raises(ImageError, match="does not exist"):
        read_image(tmp_path / "missing.png")
    with pytest.raises(ImageError, match="folder"):
        read_image(tmp_path)


def test_written_files_say_what_they_are(tmp_path: Path) -> None:
    write_picture(tmp_path / "child.png", gradient())
    with Image.open(tmp_path / "child.png") as image:
        assert image.info["Software"].startswith("kinblend")
        assert "Synthetic" in image.info["Description"]
    np.testing.assert_array_equal(np.asarray(read_image(tmp_path / "child.png")), np.asarray(gradient()))
    assert [file.name for file in tmp_path.iterdir()] == ["child.png"]


def test_nothing_is_left_when_writing_fails(tmp_path: Path) -> None:
    (tmp_path / "child.png").mkdir()
    with pytest.raises(OSError, match=r"child\.png"):
        write_picture(tmp_path / "child.png", gradient())
    assert [file.name for file in tmp_path.iterdir()] == ["child.png"]


def test_the_folder_is_made(tmp_path: Path) -> None:
    write_picture(tmp_path / "new" / "deep" / "child.png", gradient())
    assert (tmp_path / "new" / "deep" / "child.png").is_file()


def test_bytes_are_read_as_files_are(tmp_path: Path) -> None:
    gradient().save(tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()
    assert decode_image(data).tobytes() == read_image(tmp_path / "a.jpg").tobytes()
    with pytest.raises(ImageError, match="the upload is empty"):
        decode_image(b"", "the upload")
    with pytest.raises(ImageError, match=r"the upload has 0\.0 megapixels; at most 0 are read"):
        decode_image(data, "the upload", most_pixels=2399)


def test_pictures_for_screens_say_what_they_are() -> None:
    shown = Image.open(io.BytesIO(jpeg_bytes(gradient())))
    assert shown.size == (60, 40) and b"Synthetic image" in shown.info["comment"]
    assert b"Synthetic" not in Image.open(io.BytesIO(jpeg_bytes(gradient(), synthetic=False))).info["comment"]
