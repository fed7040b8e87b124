"""Engines kept on disk: found by what was asked for, written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from smartstream.errors import UnavailableError
from smartstream.observe.logging import get_logger
from smartstream.vision.layouts import Port

_MAGIC: Final = b"smartstream engine 1\n"
_SUFFIX: Final = ".engine"
_log = get_logger("tensorrt")


class EngineLabel(msgspec.Struct, frozen=True, kw_only=True):
    """What stands before an engine in its file.

    Attributes:
        key: Name of the file: a hash of ``asked``.
        asked: What it was built from and for: hash of the model, library, GPU, batch, size.
        name: The model's file.
        inputs: Of the model, as exported.
        outputs: Of the model, as exported.
        batch: Pictures in one go: one profile for each.
        stated: What the model says of itself: class names, size.
        build_s: Seconds it took.
        digest: SHA-256 of the engine.
    """

    key: str
    asked: dict[str, Any]
    name: str
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    batch: tuple[int, ...]
    stated: dict[str, str]
    build_s: float
    digest: str = ""

    @property
    def made_with(self) -> str:
        """Who built it."""
        return str(self.asked["library"])

    @property
    def gpu(self) -> str:
        """The GPU it is for."""
        return str(self.asked["gpu"])


class EngineCache:
    """A folder of engines; processes may share it.

    Args:
        folder: Made when something is first kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @staticmethod
    def key(asked: Mapping[str, Any]) -> str:
        """The name of what is asked for."""
        return hashlib.sha256(msgspec.json.encode(asked, order="deterministic")).hexdigest()[:32]

    def path(self, label: EngineLabel) -> Path:
        """Its file."""
        return self.folder / f"{label.key}{_SUFFIX}"

    def find(self, asked: Mapping[str, Any]) -> tuple[EngineLabel, bytes] | None:
        """The engine that was built for exactly this; ``None`` when there is none, or it is damaged."""
        path = self.folder / f"{self.key(asked)}{_SUFFIX}"
        try:
            whole = path.read_bytes()
        except OSError:
            return None
        label, begin = _label(whole)
        if label is None or hashlib.sha256(memoryview(whole)[begin:]).hexdigest() != label.digest:
            _log.warning("engine in the cache is damaged; it is built again", file=str(path))
            return None
        return label, whole[begin:]

    def keep(self, label: EngineLabel, engine: bytes) -> None:
        """Write it; a crash leaves the file as it was, or none.

        Raises:
            UnavailableError: The folder cannot be written.
        """
        label = msgspec.structs.replace(label, digest=hashlib.sha256(engine).hexdigest())
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".new-", delete=False) as new:
                try:
                    new.write(_MAGIC + msgspec.json.encode(label) + b"\n" + engine)
                    new.flush()
                    os.fsync(new.fileno())
                    os.replace(new.name, self.path(label))
                except BaseException:
                    os.unlink(new.name)
                    raise
        except OSError as e:
            raise UnavailableError(f"{self.folder}: the engine cannot be kept ({e.strerror})") from None

    def list(self) -> Iterator[tuple[EngineLabel, int]]:
        """Every whole engine's label, and its file's bytes; by model and key."""
        found = []
        for path in self.folder.glob(f"*{_SUFFIX}"):
            with path.open("rb") as file:
                label, _ = _label(file.read(1 << 20))
            if label is not None:
                found.append((label, path.stat().st_size))
        yield from sorted(found, key=lambda pair: (pair[0].name, pair[0].key))


def _label(begin: bytes) -> tuple[EngineLabel | None, int]:
    """The label at the beginning of a file, and where its engine begins."""
    end = begin.find(b"\n", len(_MAGIC))
    if not begin.startswith(_MAGIC) or end < 0:
        return None, 0
    try:
        return msgspec.json.decode(begin[len(_MAGIC) : end], type=EngineLabel), end + 1
    except msgspec.MsgspecError:
        return None, 0
