"""How ``tail`` finds the broker of a run: a note in the store, and per user a list of stores in use.

The store's lock is the truth: a note whose lock nobody holds was left by a killed run.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import sys
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from smartstream.brokers.nats_access import NatsAccess
from smartstream.errors import UnavailableError

LOCK: Final = "lock"
_NOTE: Final = "server.json"


class Holder(msgspec.Struct, frozen=True):
    """Who holds a store: written into its lock file."""

    pid: int
    command: str


def this_process() -> bytes:
    """This process as a ``Holder``, encoded."""
    name = Path(sys.argv[0]).name if sys.argv and sys.argv[0] else "python"
    return msgspec.json.encode(Holder(os.getpid(), " ".join([name, *sys.argv[1:]])))


def holder(store: Path) -> Holder | None:
    """Who wrote the lock file last, if that can be read."""
    try:
        return msgspec.json.decode((store / LOCK).read_bytes(), type=Holder)
    except (OSError, msgspec.DecodeError):
        return None


def in_use(store: Path) -> bool:
    """Whether somebody holds the store now.

    Raises:
        UnavailableError: The store is another user's, who alone can see that.
    """
    try:
        fd = os.open(store / LOCK, os.O_RDONLY)
    except PermissionError as e:
        raise UnavailableError(
            f"{store} belongs to another user: call as that user, or name a server with --url"
        ) from e
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(fd)


def announce(store: Path, access: NatsAccess) -> None:
    """Leave the note, readable by this user alone, whole or not at all."""
    _write_private(store / _NOTE, msgspec.json.encode(access))
    with contextlib.suppress(OSError):  # the list is a convenience: without it ``tail`` needs the site file
        _write_private(_listed(store), os.fsencode(store))


def withdraw(store: Path) -> None:
    """Take the note back."""
    (store / _NOTE).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        _listed(store).unlink(missing_ok=True)


def find(store: Path) -> NatsAccess | None:
    """The broker running on ``store``, or None.

    Raises:
        UnavailableError: The store is another user's.
    """
    if not in_use(store):
        return None
    try:
        return msgspec.json.decode((store / _NOTE).read_bytes(), type=NatsAccess)
    except (OSError, msgspec.DecodeError):
        return None


def running() -> list[Path]:
    """Stores of this user that are in use now; notes of killed runs are cleared away."""
    found = []
    with contextlib.suppress(OSError):
        for entry in sorted(_list_folder().iterdir()):
            store = Path(os.fsdecode(entry.read_bytes()))
            if in_use(store):
                found.append(store)
            else:
                entry.unlink(missing_ok=True)
    return found


def _list_folder() -> Path:
    base = os.environ.get("XDG_RUNTIME_DIR") or Path(tempfile.gettempdir()) / f"smartstream-{os.getuid()}"
    folder = Path(base) / "smartstream-brokers"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if folder.parent.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder.parent} belongs to somebody else")
    return folder


def _listed(store: Path) -> Path:
    return _list_folder() / hashlib.blake2b(os.fsencode(store), digest_size=8).hexdigest()


def _write_private(path: Path, content: bytes) -> None:
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
    new.replace(path)
