"""Files that last, and that are what they seem: through to the disk when written, read only where they are plain."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet; it is on the disk on return.

    Raises:
        OSError: It cannot be written.
    """
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def replace(path: Path, content: bytes) -> None:
    """Put a file in the place of another: there is the old one or the new one, whole, whatever stops us.

    Raises:
        OSError: It cannot be written; the old one stands.
    """
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    try:
        write_new(new, content)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """What was put into a folder or renamed in it is on the disk on return.

    Raises:
        OSError: It cannot be written.
    """
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def read_plain(path: Path) -> bytes | None:
    """The bytes of a plain file; ``None`` where there is none: nothing, a folder, a link, a pipe, no right to read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)  # a pipe would wait for its writer
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        return None
    with open(fd, "rb") as file:
        try:
            return file.read()
        except OSError:
            return None
