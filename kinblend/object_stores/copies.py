"""Contents from elsewhere as files, for readers of files: private, and gone with the process, however it ends."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kinblend.errors import KinblendError
from kinblend.object_stores.addresses import Address

DESCRIPTORS = Path("/proc/self/fd")  # where Linux shows a process its open files, also those without a name


@contextmanager
def nameless_file(data: bytes, address: Address) -> Iterator[Path]:
    """Within, the path of a file with that content, and errors about it name the address instead.

    On Linux the content has no name on the disk, so that a process that is killed leaves none of it: the path is a
    link in a folder of the user's own. Elsewhere the file lies in that folder.
    """
    with tempfile.TemporaryDirectory(prefix="kinblend-") as folder, tempfile.TemporaryFile() as file:
        path = Path(folder) / f"object{address.suffix[:20]}"
        if DESCRIPTORS.is_dir():
            file.write(data)
            file.flush()
            path.symlink_to(DESCRIPTORS / str(file.fileno()))
        else:
            path.write_bytes(data)
        try:
            yield path
        except KinblendError as error:
            if str(path) not in str(error):
                raise
            raise type(error)(str(error).replace(str(path), str(address))) from error
