"""Moving pictures out: WebP and GIF by Pillow, MP4 by the program ffmpeg where there is one."""

from __future__ import annotations

import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING

from kinblend.errors import OutputError, WriteError
from kinblend.files import atomic_write, replacing
from kinblend.imaging.encode import gif_bytes, moving_webp_bytes, statement

if TYPE_CHECKING:
    from PIL.Image import Image

KINDS = (".webp", ".gif", ".mp4")
FRAMES_A_SECOND = 25  # of an MP4
TICK = 1000 // FRAMES_A_SECOND  # ms
PATIENCE, EACH = 60.0, 1.0  # seconds that ffmpeg may take, and more for each frame: far more than it does


def check_video_name(path: str | Path) -> None:
    """Raise `OutputError` where a name says no kind of moving picture, or MP4 and there is no ffmpeg."""
    suffix = Path(path).suffix.lower()
    if suffix not in KINDS:
        raise OutputError(f"{path}: name a file that ends in {', '.join(KINDS)}")
    if suffix == ".mp4" and find_ffmpeg() is None:
        raise OutputError(
            f"{path}: MP4 needs the program ffmpeg, which is not here; install it or the package imageio-ffmpeg, or "
            "name a .webp or .gif file"
        )


def find_ffmpeg() -> str | None:
    """The program: the system's, or that of the package imageio-ffmpeg."""
    if found := which("ffmpeg"):
        return found
    try:
        from imageio_ffmpeg import get_ffmpeg_exe

        return str(get_ffmpeg_exe())
    except (ImportError, RuntimeError):  # it looks for a program itself, and may find none
        return None


def write_video(path: str | Path, frames: Sequence[Image], milliseconds: Sequence[int]) -> None:
    """Write RGB pictures of one size as a moving picture of the kind that a name says; it says that it is synthetic.

    milliseconds: how long each is shown, in steps of 10 for .gif and of 40 for .mp4. .webp and .gif play for ever.
    The file appears whole or not at all. Raises `OutputError`, `WriteError` where ffmpeg fails, and `OSError`.
    """
    check_video_name(path)
    suffix = Path(path).suffix.lower()
    if suffix == ".mp4":
        with replacing(path, durable=True) as part:
            _encode_mp4(part, frames, milliseconds)
    else:
        make = gif_bytes if suffix == ".gif" else moving_webp_bytes
        atomic_write(path, make(frames, milliseconds), durable=True)


def _encode_mp4(path: Path, frames: Sequence[Image], milliseconds: Sequence[int]) -> None:
    """H.264 as every player takes it: 4:2:0, even sides, the index first; nothing in it that differs between runs."""
    width, height = (side - side % 2 for side in frames[0].size)
    size, rate = f"{width}x{height}", str(FRAMES_A_SECOND)
    said_of_it = ("-map_metadata", "-1", "-metadata", f"comment={statement()}")
    command = [
        *(find_ffmpeg() or "ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y"),
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", rate, "-i", "pipe:0"),
        *("-c:v", "libx264", "-crf", "18", "-pix_fmt", "yuv420p", "-threads", "1"),
        *("-fflags", "+bitexact", "-flags:v", "+bitexact", *said_of_it),
        *("-movflags", "+faststart", "-f", "mp4", f"file:{path}"),
    ]
    ticks = sum(map(_ticks_of, milliseconds))
    with tempfile.TemporaryFile() as said:
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said)
        except OSError as error:
            raise WriteError(f"ffmpeg can't be started: {command[0]}: {error.strerror or error}") from error
        with _killed_after(process, PATIENCE + EACH * ticks) as late:
            _feed(process, _pixels(frames, milliseconds, (width, height)))
            code = process.wait()
        if late.is_set():
            raise WriteError("ffmpeg made no MP4: it did not end in time and was stopped; name a .webp or .gif file")
        if code:
            said.seek(0)
            lines = said.read().decode(errors="replace").strip().splitlines()
            raise WriteError(f"ffmpeg made no MP4: {lines[-1] if lines else f'it ended with {code}'}")


def _feed(process: subprocess.Popen[bytes], frames: Iterator[bytes]) -> None:
    """Write frames to the program's standard input."""
    try:
        assert process.stdin is not None
        with process.stdin as pipe:
            for data in frames:
                pipe.write(data)
    except BrokenPipeError:
        pass  # ffmpeg ended; it has said why


@contextmanager
def _killed_after(process: subprocess.Popen[bytes], seconds: float) -> Iterator[threading.Event]:
    """Within, a program that takes longer is killed, and the event says so; one that is left by an error, too."""
    late = threading.Event()

    def kill() -> None:
        if process.poll() is None:
            late.set()
            process.kill()

    timer = threading.Timer(seconds, kill)
    timer.start()
    try:
        yield late
    except BaseException:
        process.kill()
        process.wait()
        raise
    finally:
        timer.cancel()
        timer.join()


def _pixels(frames: Sequence[Image], milliseconds: Sequence[int], size: tuple[int, int]) -> Iterator[bytes]:
    """The pixels of each frame, as often as it is shown; uint8 [H, W, 3]."""
    for frame, shown in zip(frames, milliseconds, strict=True):
        data = frame.convert("RGB").crop((0, 0, *size)).tobytes()
        for _ in range(_ticks_of(shown)):
            yield data


def _ticks_of(shown: float) -> int:
    """For how many frames of an MP4 a picture is shown that is there for so many milliseconds."""
    return max(1, round(shown / TICK))
