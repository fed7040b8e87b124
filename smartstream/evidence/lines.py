"""A file of signed lines that only grows: the chain of a camera, the logs of looks and decisions.

    <name>.ndjson  canonical JSON, a line each: what it says, and ``seq``, ``prev``, ``key``, ``signature``
    <name>.head    how many lines there are and the hash of the last one, signed: a tail that is cut off shows

The head is written after the lines it tells of. So after a kill there may be lines behind the last one that it tells
of, each signed; there are never fewer, and no file without a head has lines. Whoever opens a file that is not so,
writes nothing: the next head would hide what was taken.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from smartstream.errors import UNREADABLE, DataLossError
from smartstream.evidence.canonical import canonical
from smartstream.evidence.files import read_plain, replace
from smartstream.evidence.keys import Signer, is_signed

START: Final = "0" * 64
"""Hash before the first line."""


class Head(msgspec.Struct, frozen=True):
    """How a file ends.

    Attributes:
        of: The file's path within the store.
        length: Lines in it.
        last: SHA-256 of the last one.
        key: Who signed.
    """

    of: str
    length: int
    last: str
    key: str
    signature: str


class SignedLines:
    """One such file, open for writing; ``load`` comes first.

    Args:
        store: The store's folder.
        name: The file's path within it.
        signer: Signs what is appended.
        keys: Public keys that may have signed what is there, by their ids.
    """

    def __init__(self, store: Path, name: str, signer: Signer, keys: Mapping[str, bytes]) -> None:
        self.path, self._name = store / name, name
        self._signer, self._keys = signer, keys
        self._seq, self._prev = 0, START
        self._size = 0
        self._told: int | None = None
        self._new = b""

    def load(self) -> Iterator[dict[str, Any]]:
        """What every line says, in order.

        Raises:
            DataLossError: The file is not as it was written.
        """
        head = read_head(self.path, self._name, self._keys)
        self._told = None if head is None else head.length
        for line, entry in follow(self.path, self._name, self._keys):
            self._follow(line)
            self._size += len(line) + 1
            yield entry

    @property
    def is_ahead(self) -> bool:
        """Something is not on the disk yet, or its head does not tell of it."""
        return self.is_waiting or self._seq != (self._told or 0)

    @property
    def is_waiting(self) -> bool:
        """A line is not on the disk yet."""
        return bool(self._new)

    def append(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """A line that follows; on the disk after ``sync``."""
        entry = {**said, "seq": self._seq, "prev": self._prev, "key": self._signer.key}
        entry["signature"] = self._signer.sign(canonical(entry))
        line = canonical(entry)
        self._follow(line)
        self._new += line + b"\n"
        return entry

    def sync(self) -> None:
        """Everything on the disk, then the head that says so.

        Raises:
            OSError: It cannot be written; it may be tried again.
        """
        if self._told is None:
            self._tell(0, START)
        flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW
        with open(os.open(self.path, flags, 0o600), "wb", buffering=0) as file:
            file.seek(self._size)
            file.truncate()
            rest = memoryview(self._new)
            try:
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
            except OSError:
                file.truncate(self._size)  # all of it or nothing
                raise
        self._size += len(self._new)
        self._new = b""
        self._tell(self._seq, self._prev)

    def _follow(self, line: bytes) -> None:
        self._seq, self._prev = self._seq + 1, sha256(line).hexdigest()

    def _tell(self, length: int, last: str) -> None:
        head = {"of": self._name, "length": length, "last": last, "key": self._signer.key}
        head["signature"] = self._signer.sign(canonical(head))
        replace(head_of(self.path), canonical(head))
        self._told = length


def follow(path: Path, name: str, keys: Mapping[str, bytes]) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Every line and what it says, in order. A last line without an end was never written whole, and does not count.

    Args:
        path: The file.
        name: Its path within the store.
        keys: Public keys that may have signed, by their ids.

    Raises:
        DataLossError: The file is not as it was written.
    """
    head = read_head(path, name, keys)
    length, last = (0, START) if head is None else (head.length, head.last)
    text = read_plain(path)
    *lines, _ = (text or b"").split(b"\n")
    unreadable = (text is None and path.exists()) or (head is None and head_of(path).exists())
    if unreadable or len(lines) < length or (head is None and lines):
        raise touched(path)
    seq, prev = 0, START
    for line in lines:
        entry = decoded(line)
        follows = entry.get("seq") == seq and entry.get("prev") == prev
        # What the head tells of is proved by its hash.
        if not follows or (seq >= length and not is_whole(entry, line, keys)):
            raise touched(path)
        seq, prev = seq + 1, sha256(line).hexdigest()
        if seq == length and prev != last:
            raise touched(path)
        yield line, entry


def touched(path: Path) -> DataLossError:
    """What to raise where a file is not as it was written."""
    return DataLossError(f"{path}: is not as it was written; run smartstream verify")


def head_of(path: Path) -> Path:
    """Where the head of a file is."""
    return path.with_suffix(".head")


def read_head(path: Path, name: str, keys: Mapping[str, bytes]) -> Head | None:
    """The head of a file; ``None`` without one that is signed."""
    text = read_plain(head_of(path)) or b""
    said = decoded(text)
    if not is_whole(said, text, keys):
        return None
    try:
        head = msgspec.convert(said, Head)
    except msgspec.ValidationError:
        return None
    return head if head.of == name else None


def decoded(text: bytes) -> dict[str, Any]:
    """What a text says; nothing where it is no JSON object."""
    try:
        found = msgspec.json.decode(text)
    except UNREADABLE:
        return {}
    return found if isinstance(found, dict) else {}


def is_whole(said: Mapping[str, Any], text: bytes, keys: Mapping[str, bytes]) -> bool:
    """Whether ``text`` is the one text of what it says, signed with one of ``keys``."""
    bare = {name: value for name, value in said.items() if name != "signature"}
    signed = is_canonical(said, text)  # so the rest of it has a canonical text, too
    return signed and is_signed(canonical(bare), said.get("signature"), keys.get(str(said.get("key"))))


def is_canonical(said: Mapping[str, Any], text: bytes) -> bool:
    """Whether ``text`` is the one text of what it says."""
    try:
        return canonical(said) == text
    except (ValueError, RecursionError):  # a number or a depth that no writer of ours would write
        return False
