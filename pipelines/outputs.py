"""What a run writes is its own: no other run writes it at the same time, and none of it is what the run reads."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from pipelines.feeds import feeds
from smartstream.config.site import Site
from smartstream.errors import InvalidInputError


@contextmanager
def held(place: Path, name: str, *, folder: bool = True) -> Iterator[None]:
    """Keep a folder or file from other runs; the kernel gives it back when this process is gone, however it went.

    Args:
        place: The folder or file, made when it is missing; a device or a pipe is not held.
        name: What messages call it.
        folder: Which of them it is to be.

    Raises:
        InvalidInputError: Another run holds it, or it cannot be made.
    """
    if place.exists() and not (place.is_dir() or place.is_file()):
        yield
        return
    try:
        if folder:
            place.mkdir(parents=True, exist_ok=True)
        lock = os.open(place, os.O_RDONLY if folder else os.O_RDONLY | os.O_CREAT, 0o644)
    except OSError as e:
        raise InvalidInputError(f"{name} {place}: cannot be written: {e.strerror}") from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InvalidInputError(f"{name} {place}: another run writes there; expected one of its own") from None
        yield
    finally:
        os.close(lock)


def inputs_of(site: Site, site_file: Path) -> list[Path]:
    """The site file and every file that it names as a source."""
    urls = [url for camera in site.camera for url in camera.url] + [feed.url for feed in feeds(site)]
    addresses = [site.address(url) for url in urls]
    return [site_file, *(Path(a.target) for a in addresses if a.scheme in ("file", "tracks"))]


def check_apart(outputs: Mapping[str, Iterable[Path]], inputs: list[Path]) -> None:
    """No output is an input, or another output: it would be emptied before it is read.

    Args:
        outputs: Files by the option that names them.
        inputs: What the run reads.

    Raises:
        InvalidInputError: One is.
    """
    taken = {_identity(path): f"the run reads {path}" for path in inputs}
    for option, paths in outputs.items():
        for path in paths:
            if (known := taken.get(_identity(path))) is not None:
                raise InvalidInputError(f"{option} {path}: expected a file of its own, but {known}")
            if path.is_file() or not path.exists():  # any number of outputs may go to one device
                taken[_identity(path)] = f"{option} writes it"


def _identity(path: Path) -> object:
    try:
        found = path.stat()
    except OSError:
        return path.resolve()
    return found.st_dev, found.st_ino
