"""Pictures as scanners, telephones and programs write them: read as what they show, or refused in one sentence."""

from __future__ import annotations

import io
import os
import struct
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features
from plugin_site import here

from kinblend.errors import ImageError, OutputError
from kinblend.imaging import decode_image, read_image
from kinblend.imaging.encode import picture_bytes, write_picture

SIDE = 48


def picture(seed: int = 0) -> Image.Image:
    """Smooth colours with some noise, dark to bright, so that a JPEG of it has something to lose."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:SIDE, : 2 * SIDE]
    smooth = np.stack([x * 2.5, y * 5, 255 - x * 2], axis=2) + draw.normal(0, 12, (SIDE, 2 * SIDE, 3))
    return Image.fromarray(np.clip(smooth, 0, 255).astype(np.uint8))


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def apart(one: Image.Image, other: Image.Image) -> float:
    return float(np.abs(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean())


# --- transparency that hides everything, or nothing


@pytest.mark.parametrize("alpha", [0, 1, 15, 128, 255])
@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "BMP"])
def test_an_alpha_channel_that_is_the_same_everywhere_hides_nothing(kind: str, alpha: int) -> None:
    image = picture().convert("RGBA")
    image.putalpha(alpha)
    options = {"lossless": True, "exact": True} if kind == "WEBP" else {}
    assert apart(decode_image(saved(image, kind, **options)), picture()) == 0


def test_so_do_grey_palettes_and_bitmaps_as_scanners_write_them() -> None:
    grey = picture().convert("L")
    with_alpha = Image.merge("LA", (grey, Image.new("L", grey.size)))
    assert apart(decode_image(saved(with_alpha, "PNG")), grey.convert("RGB")) == 0
    palette = picture().quantize(8)
    shown = palette.convert("RGB")
    assert apart(decode_image(saved(palette, "PNG", transparency=bytes(8))), shown) == 0
    plain = np.dstack([np.asarray(picture())[..., ::-1], np.zeros((SIDE, 2 * SIDE), np.uint8)])[::-1]
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    head = struct.pack("<IiiHHIIiiII", 108, 2 * SIDE, SIDE, 1, 32, 3, plain.nbytes, 2835, 2835, 0, 0) + masks
    head += b"BGRs" + bytes(48)
    file = b"BM" + struct.pack("<IHHI", 14 + len(head) + plain.nbytes, 0, 0, 14 + len(head)) + head
    assert Image.open(io.BytesIO(file + plain.tobytes())).mode == "RGBA"
    assert apart(decode_image(file + plain.tobytes()), picture()) == 0


def test_alpha_that_shows_a_part_still_masks() -> None:
    image = picture().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    assert min(decode_image(saved(image, "PNG")).getpixel((9, 0))) > 250


# --- ten, twelve and fourteen bits in files of sixteen


def png16(values: np.ndarray) -> bytes:
    """A PNG of 16 bits. values: uint16 [H, W, channels]."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, channels = values.shape
    colours = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    head = struct.pack(">IIBBBBB", width, height, 16, colours, 0, 0, 0)
    rows = b"".join(b"\0" + row.tobytes() for row in values.astype(">u2"))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff16(values: np.ndarray, order: str) -> bytes:
    """A TIFF of 16 bits without compression. order: "<" or ">"."""
    height, width, channels = values.shape
    data = values.astype(f"{order}u2").tobytes()
    tags = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, channels, None), (259, 3, 1, 1)]
    tags += [(262, 3, 1, 2 if channels == 3 else 1), (273, 4, 1, None), (277, 3, 1, channels)]
    tags += [(278, 3, 1, height), (279, 4, 1, len(data))]
    end = 8 + 2 + 12 * len(tags) + 4
    bits = struct.pack(f"{order}{channels}H", *[16] * channels)
    file = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(tags))
    for tag, kind, count, value in tags:
        if tag == 258 and channels == 1:
            value = 16
        place = {258: end, 273: end + len(bits)}.get(tag, 0) if value is None else value
        short = kind == 3 and count == 1
        file += struct.pack(f"{order}HHI", tag, kind, count)
        file += struct.pack(f"{order}HH", place, 0) if short else struct.pack(f"{order}I", place)
    return file + struct.pack(f"{order}I", 0) + bits + data


@settings(max_examples=30, deadline=None)
@given(
    bits=st.sampled_from([10, 12, 14, 16]),
    channels=st.sampled_from([1, 2, 3, 4]),
    brightest=st.floats(0.6, 1),
    kind=st.sampled_from(["png", "tiff<", "tiff>"]),
    seed=st.integers(0, 99),
)
def test_the_depth_of_a_picture_is_known_by_its_values(
    bits: int, channels: int, brightest: float, kind: str, seed: int
) -> None:
    colours = np.asarray(picture(seed), dtype=float)
    colours = colours[..., :1] if channels < 3 else colours
    share = colours / colours.max() * brightest
    values = np.rint(share * (2**bits - 1)).astype(np.uint16)
    if kind == "png" and channels in (2, 4):
        values = np.dstack([values, np.full(values.shape[:2], 65535, np.uint16)])
    data = png16(values) if kind == "png" else tiff16(values, kind[-1])
    assert np.abs(np.asarray(decode_image(data), dtype=float) - share * 255).max() <= 1.01


# --- JPEG without its end


@settings(max_examples=25, deadline=None)
@given(
    progressive=st.booleans(),
    quality=st.integers(30, 95),
    missing=st.integers(1, 2),
    seed=st.integers(0, 99),
    mode=st.sampled_from(["RGB", "L", "CMYK"]),
)
def test_a_jpeg_without_its_end_marker_is_read(
    progressive: bool, quality: int, missing: int, seed: int, mode: str
) -> None:
    data = saved(picture(seed).convert(mode), "JPEG", quality=quality, progressive=progressive)
    assert apart(decode_image(data[:-missing]), decode_image(data)) == 0


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8, 0.95])
def test_one_of_which_pixels_are_missing_is_refused(share: float, progressive: bool) -> None:
    data = saved(picture(), "JPEG", quality=90, progressive=progressive)
    with pytest.raises(ImageError, match=r"(?i)truncated"):
        decode_image(data[: int(share * len(data))])


# --- names and formats


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM"])
@pytest.mark.parametrize("suffix", [".jpg", ".png", ".heic", ".txt", ""])
def test_the_content_says_what_a_file_is(tmp_path: Path, kind: str, suffix: str) -> None:
    (tmp_path / f"a{suffix}").write_bytes(saved(picture(), kind))
    assert read_image(tmp_path / f"a{suffix}").size == (2 * SIDE, SIDE)


HEADS = {
    **{brand: b"\0\0\0\x18ftyp" + brand.encode() + bytes(40) for brand in ("heic", "heix", "mif1", "avif", "avis")},
    "a bare JPEG XL": b"\xff\x0a" + bytes(40),
    "a JPEG XL in a box": b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40),
}


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_what_telephones_write_is_refused_in_one_sentence_without_its_decoder(
    head: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setitem(sys.modules, "pillow_jxl", None)
    monkeypatch.setattr(features, "check", lambda name: False)
    (tmp_path / "a.jpg").write_bytes(head)
    with pytest.raises(ImageError, match=r"a\.jpg is an? (HEIC|AVIF|JPEG XL) picture: install .*JPEG"):
        read_image(tmp_path / "a.jpg")


@pytest.mark.skipif(not features.check("avif"), reason="this Pillow has no AVIF")
def test_avif_is_read() -> None:
    assert apart(decode_image(saved(picture(), "AVIF", quality=95)), picture()) < 12
    with pytest.raises(ImageError):
        decode_image(HEADS["avif"])


@pytest.mark.skipif(find_spec("pillow_heif") is None, reason="pillow-heif is not installed")
def test_heic_is_read() -> None:
    from pillow_heif import register_heif_opener

    register_heif_opener()
    assert apart(decode_image(saved(picture(), "HEIF", quality=95)), picture()) < 12


@pytest.mark.skipif(find_spec("pillow_jxl") is None, reason="pillow-jxl-plugin is not installed")
def test_jpeg_xl_is_read() -> None:
    import pillow_jxl  # noqa: F401

    assert apart(decode_image(saved(picture(), "JXL", lossless=True)), picture()) == 0


@pytest.mark.parametrize("kind", ["FIFO", "device"])
def test_a_fifo_or_a_device_is_refused_by_every_command(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    if kind == "FIFO":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    for words in (["align", str(path)], ["encode", str(path)], ["run", "--father", str(path), "--mother", str(path)]):
        code, _, told = here(*words, "--out", tmp_path / "out")
        assert code == 3 and "device, a FIFO" in told, words


# --- pictures out


@pytest.mark.parametrize(
    ("name", "kind"), [("a.jpg", "JPEG"), ("a.JPEG", "JPEG"), ("a.webp", "WEBP"), ("a.png", "PNG"), ("a", "PNG")]
)
def test_a_picture_is_of_the_kind_that_its_name_says(tmp_path: Path, name: str, kind: str) -> None:
    write_picture(tmp_path / name, picture())
    with Image.open(tmp_path / name) as image:
        assert image.format == kind
        said = str(image.info.get("Description") or image.info.get("comment") or image.getexif().get(0x010E))
        assert "Synthetic image made by kinblend" in said
        assert apart(image.convert("RGB"), picture()) < 12
    write_picture(tmp_path / name, picture(), synthetic=False)
    assert b"Synthetic" not in (tmp_path / name).read_bytes()


@pytest.mark.parametrize("name", ["a.tif", "a.gif", "a.heic", "a.safetensors", "a.jpg.bak"])
def test_other_kinds_are_refused_before_anything_is_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match=r"\.png, \.jpg"):
        write_picture(tmp_path / name, picture())
    assert not list(tmp_path.iterdir())


def test_a_picture_too_long_for_its_kind_is_refused() -> None:
    with pytest.raises(OutputError, match="16383"):
        picture_bytes("a.webp", Image.new("RGB", (16_384, 1)))
