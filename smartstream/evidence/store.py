"""The evidence store: packages, and per camera a chain of signed links over them.

    keys/<key id>.pub                          public keys, hexadecimal
    packages/<camera>/<evidence id>/           one package, there whole or not at all
        manifest.json  manifest.sig            canonical JSON and its signature
        <sha-256>.<suffix>                     stills, overlays, the clip: named by what is in them
    chain/<camera>.ndjson                      links: sequence number, package, hash of the link before, signature
    chain/<camera>.head                        signed: how long the chain is and how it ends
    access.ndjson                              who looked at what, why; each line hashes the one before

A package is written beside the store's packages and renamed into place. Its link is written when the run commits
what led to it, and only once per package, so that a run that was killed and repeats itself forks nothing. What
retention deletes leaves a signed tombstone in the chain.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec

from smartstream.errors import UNREADABLE, DataLossError
from smartstream.evidence.canonical import canonical
from smartstream.evidence.keys import Signer
from smartstream.model.time import NS, rfc3339

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
_DAY_NS: Final = 86_400 * NS


class Packed(msgspec.Struct, frozen=True):
    """A package that is in the store, or was to be.

    Attributes:
        camera: The camera's id.
        evidence: The package's id.
        manifest: SHA-256 of its manifest.
        at_ns: Event time of the act.
        size: Bytes of all its files.
    """

    camera: str
    evidence: str
    manifest: str
    at_ns: int
    size: int


class Link(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of a chain.

    Attributes:
        seq: From 0 without gaps.
        prev: SHA-256 of the line before; 64 zeros at the start.
        tombstone: Why the package was deleted; absent in the link that adds it.
    """

    seq: int
    camera: str
    evidence: str
    manifest: str
    at_ns: str
    size: int
    prev: str
    key: str
    tombstone: str | None = None
    signature: str = ""

    def signed(self) -> bytes:
        """What the signature is over."""
        fields: dict[str, Any] = {n: getattr(self, n) for n in self.__struct_fields__ if n != "signature"}
        return canonical({name: value for name, value in fields.items() if value is not None})

    def line(self) -> bytes:
        """The line, without its end."""
        fields = {n: getattr(self, n) for n in self.__struct_fields__}
        return canonical({name: value for name, value in fields.items() if value is not None})


START: Final = "0" * 64


class EvidenceStore:
    """Writes a store; one process holds the chains.

    Args:
        folder: Where it lies.
        signer: Signs manifests and links.
        retention_days: Packages of acts so much older than the newest one are deleted.
        max_bytes: Bound on all packages; beyond it the oldest are deleted.
    """

    def __init__(self, folder: Path, signer: Signer, *, retention_days: float = 365.0, max_bytes: int = 10**11) -> None:
        self.folder = folder
        self._signer = signer
        self._keep_ns = round(retention_days * _DAY_NS)
        self._max_bytes = max_bytes
        self._chains: dict[str, Chain] | None = None

    def prepare(self) -> None:
        """Make the folders and publish the public key.

        Raises:
            OSError: It cannot be written.
        """
        for name in ("keys", "packages", "chain"):
            (self.folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        public = self.folder / "keys" / f"{self._signer.key}.pub"
        if not public.exists():
            _replace(public, self._signer.public.hex().encode())

    def package(self, camera: str, evidence: str) -> Path:
        """Folder of a package."""
        return self.folder / "packages" / camera / evidence

    def put(
        self, camera: str, evidence: str, manifest: Mapping[str, Any], files: Mapping[str, bytes], at_ns: int
    ) -> Packed:
        """Write a package; one that is there already stays as it is.

        Args:
            camera: The camera's id.
            evidence: The package's id.
            manifest: What the package says; names its files by their SHA-256.
            files: Content by file name.
            at_ns: Event time of the act.

        Raises:
            OSError: It cannot be written; nothing of it is left.
        """
        place = self.package(camera, evidence)
        if not place.exists():
            text = canonical(manifest)
            signature = {"key": self._signer.key, "signature": self._signer.sign(text)}
            parts = {**files, MANIFEST: text, SIGNATURE: canonical(signature)}
            # The name begins with a dot: what a killed writer leaves is no package, and the next one clears it.
            new = place.with_name(f".{evidence}")
            try:
                shutil.rmtree(new, ignore_errors=True)
                new.mkdir(parents=True, mode=0o700)
                for name, content in parts.items():
                    _write(new / name, content)
                _sync(new)
                new.rename(place)
                _sync(place.parent)
            except OSError:
                shutil.rmtree(new, ignore_errors=True)
                raise
        size = sum(file.stat().st_size for file in place.iterdir())
        return Packed(camera, evidence, sha256((place / MANIFEST).read_bytes()).hexdigest(), at_ns, size)

    def commit(self, packed: Iterable[Packed]) -> None:
        """Link packages into their chains, each once; then delete what retention no longer allows.

        Raises:
            OSError: A chain cannot be written; what is missing may be committed again.
            DataLossError: A chain does not read.
        """
        if self._chains is None:
            self._chains = {p.stem: Chain(p, self._signer) for p in sorted((self.folder / "chain").glob("*.ndjson"))}
        for one in packed:
            if one.camera not in self._chains:
                path = self.folder / "chain" / f"{one.camera}.ndjson"
                self._chains[one.camera] = Chain(path, self._signer)
            self._chains[one.camera].add(one)
        grown = [chain for chain in self._chains.values() if chain.is_ahead]
        for chain in grown:
            chain.sync()
        if grown:
            self._retain()

    def _retain(self) -> None:
        assert self._chains is not None
        chains = self._chains
        kept = sorted((p.at_ns, p.camera, p.evidence) for chain in chains.values() for p in chain.kept.values())
        size = sum(p.size for chain in chains.values() for p in chain.kept.values())
        newest = kept[-1][0] if kept else 0
        for at_ns, camera, evidence in kept:
            too_old = at_ns < newest - self._keep_ns
            if not too_old and size <= self._max_bytes:
                break
            size -= chains[camera].kept[evidence].size
            chains[camera].bury(evidence, "retention" if too_old else "space")
            chains[camera].sync()  # the tombstone first: what is gone without one was stolen
            shutil.rmtree(self.package(camera, evidence), ignore_errors=True)


def is_written(folder: Path) -> bool:
    """Whether a run holds the store: it locks the folder for as long as it lasts."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(fd)
    return False


class Chain:
    """The chain of one camera, open for writing."""

    def __init__(self, path: Path, signer: Signer) -> None:
        self._path, self._signer = path, signer
        self.kept: dict[str, Packed] = {}
        self._known: set[str] = set()
        self._seq, self._prev, self._length = 0, START, 0
        text = path.read_bytes() if path.exists() else b""
        whole = text.rfind(b"\n") + 1  # a line without an end was never committed
        for line in text[:whole].splitlines():
            try:
                link = msgspec.json.decode(line, type=Link)
            except UNREADABLE as e:
                raise DataLossError(f"evidence chain {path}: line {self._seq + 1} does not read ({e})") from None
            self._take(link, line)
        self._length = whole
        self._new = b""

    @property
    def is_ahead(self) -> bool:
        """Something is not on the disk yet."""
        return bool(self._new)

    def add(self, packed: Packed) -> None:
        """Link a package, unless it is or was linked."""
        if packed.evidence not in self._known:
            self._append(packed, None)

    def bury(self, evidence: str, why: str) -> None:
        """Write a tombstone."""
        self._append(self.kept[evidence], why)

    def _append(self, packed: Packed, tombstone: str | None) -> None:
        link = Link(
            seq=self._seq,
            camera=packed.camera,
            evidence=packed.evidence,
            manifest=packed.manifest,
            at_ns=str(packed.at_ns),
            size=packed.size,
            prev=self._prev,
            key=self._signer.key,
            tombstone=tombstone,
        )
        link = msgspec.structs.replace(link, signature=self._signer.sign(link.signed()))
        line = link.line()
        self._take(link, line)
        self._new += line + b"\n"

    def _take(self, link: Link, line: bytes) -> None:
        self._seq, self._prev = link.seq + 1, sha256(line).hexdigest()
        self._known.add(link.evidence)
        if link.tombstone is None:
            self.kept[link.evidence] = Packed(link.camera, link.evidence, link.manifest, int(link.at_ns), link.size)
        else:
            self.kept.pop(link.evidence, None)

    def sync(self) -> None:
        """Everything on the disk, then the head that says so."""
        with open(os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o600), "wb", buffering=0) as file:
            file.seek(self._length)
            file.truncate()
            rest = memoryview(self._new)
            try:
                while rest:
                    rest = rest[file.write(rest) :]
                os.fsync(file.fileno())
            except OSError:
                file.truncate(self._length)  # all of it or nothing; it is tried again
                raise
        self._length += len(self._new)
        self._new = b""
        head = {"camera": self._path.stem, "length": self._seq, "last": self._prev, "key": self._signer.key}
        head["signature"] = self._signer.sign(canonical(head))
        _replace(self._path.with_suffix(".head"), canonical(head))


def instant(at_ns: int) -> str:
    """RFC 3339 with nanoseconds: what a manifest says of an instant."""
    return f"{rfc3339(at_ns)[:-5]}.{at_ns % NS:09d}Z"


def _write(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _replace(path: Path, content: bytes) -> None:
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    try:
        _write(new, content)
        new.replace(path)
    except OSError:
        new.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
