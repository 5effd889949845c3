"""Every error kinblend raises on purpose. Each message says what happened and what to do next."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

LOG = logging.getLogger(__name__)


class KinblendError(Exception):
    """Base of all errors that kinblend raises on purpose: one line that says what to do.

    Attributes:
        exit_code: what the command line ends with.

    Example:
        >>> UsageError("give a backbone").exit_code
        2
    """

    exit_code = 1


class UsageError(KinblendError):
    """Invalid usage: an unknown name, an option out of range, flags that contradict each other."""

    exit_code = 2


class OptionError(UsageError):
    """An option of a plugin is unknown or has a value its model refuses."""


class UnknownPluginError(UsageError):
    """No plugin of that kind has that name."""


class DuplicateNameError(UsageError):
    """A name is taken already; the registry is unchanged."""


class UnsupportedError(UsageError):
    """This plugin cannot do what was asked (such as projecting an image)."""


class OutputError(UsageError):
    """No file may be written there: a link, a device, an input of the command, somebody else's file."""


class WriteError(KinblendError):
    """The system writes nothing there: a full disk, no permission, a file where a folder is needed."""


class StoreError(KinblendError):
    """An object store does not answer, or another call holds it."""


class StoreRefusedError(StoreError):
    """An object store does not allow it, as no further try would change."""


class WeightsMissingError(UnsupportedError):
    """This plugin needs trained weights, and neither the backbone's pack nor a file provides them."""


class InputError(KinblendError):
    """An input file was refused."""

    exit_code = 3


class ImageError(InputError):
    """The picture can't be read, is of a kind we don't decode, or is too large."""


class FaceError(InputError):
    """Base of what can be wrong with the faces in a picture."""


class NoFaceError(FaceError):
    """No face was found."""


class SeveralFacesError(FaceError):
    """More than one face, and none was chosen."""


class FaceTooSmallError(FaceError):
    """The face has too few pixels."""


class ProfileError(FaceError):
    """The head is turned too far from the camera."""


class FaceCutOffError(FaceError):
    """Much of the face lies beyond the picture's edge."""


class LatentError(InputError):
    """A latent or weight map was refused."""


class CorruptFileError(LatentError):
    """The bytes are not what was written: truncated, altered or not safetensors."""


class NonFiniteError(LatentError):
    """A tensor holds NaN or infinity."""


class LatentSpaceError(LatentError):
    """Two latents, or a latent and a backbone, are of different latent spaces."""


class LatentShapeError(LatentError):
    """A tensor has the wrong shape or dtype."""


class ModelError(KinblendError):
    """A model is missing or does not verify."""

    exit_code = 4


class PackNotFoundError(ModelError):
    """No model pack of that name is installed."""


class PackError(ModelError):
    """A model pack is damaged: a file is missing, its SHA-256 differs, its description is off."""


class CheckpointError(ModelError):
    """A checkpoint file was refused by the importer."""


class DownloadError(ModelError):
    """A download failed or its SHA-256 differs."""


class OfflineError(DownloadError):
    """The network is forbidden by KINBLEND_OFFLINE."""


class DeviceMemoryError(KinblendError):
    """The memory budget can't hold what must be on the device at once."""


class WorkerLostError(KinblendError):
    """A process that did part of the work was killed."""


class PluginError(KinblendError):
    """A plugin is broken."""


class Interrupted(KeyboardInterrupt):
    """The user's own Ctrl-C. A plugin that handles signals itself raises this one when it has ended its work."""


@contextmanager
def own_interrupts() -> Iterator[None]:
    """Within, in the main thread, Ctrl-C raises `Interrupted`, and any other `KeyboardInterrupt` is a plugin's."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _interrupt(number: int, frame: Any) -> NoReturn:
    raise Interrupted


def is_interrupt(error: BaseException) -> bool:
    """Whether this is the user's own Ctrl-C, as far as one can tell; in a thread of its own it never is."""
    if isinstance(error, Interrupted):
        return True
    # Where Ctrl-C is ignored, as in what a shell starts in the background, nobody but a plugin raises this.
    told = signal.getsignal(signal.SIGINT) in (_interrupt, signal.SIG_IGN)
    main = threading.current_thread() is threading.main_thread()
    return isinstance(error, KeyboardInterrupt) and main and not told


@contextmanager
def wrap_plugin_errors(who: str, *kinds: type[KinblendError]) -> Iterator[None]:
    """Within, whatever fails becomes a `PluginError` about `who`: `sys.exit()` and the like, too.

    Our own errors pass, but for those of `kinds`; and so does the user's own Ctrl-C.
    """
    try:
        yield
    except PluginError:
        raise
    except KinblendError as error:
        if not isinstance(error, kinds):
            raise
        raise PluginError(f"{who} returned an invalid value: {error}. Tell its authors, or use another") from error
    except BaseException as error:
        if is_interrupt(error):
            raise
        LOG.debug("%s failed", who, exc_info=True)
        raise PluginError(f"{who} failed: {summarize(error)}. Tell its authors, or use another") from error


def summarize(error: BaseException) -> str:
    """An exception's kind and text, without line breaks."""
    text = ""
    with suppress(BaseException):  # a stranger's exception may fail at this as well
        text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
