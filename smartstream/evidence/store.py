"""The evidence store: packages, and per camera a chain of signed links over them.

    keys/<key id>.pub                          public keys, hexadecimal
    packages/<camera>/<evidence id>/           one package, there whole or not at all
        manifest.json  manifest.sig            canonical JSON and its signature
        <sha-256>.<suffix>                     stills, overlays, the clip: named by what is in them
    chain/<camera>.ndjson  .head               signed links, and how the chain ends
    access.ndjson  reviews.ndjson  .head       who looked at what, who decided what, and why: signed lines

A package is written beside the store's packages and renamed into place. Its link is written when the run commits
what led to it, and only once per package, so that a run that was killed and repeats itself forks nothing. What
retention deletes leaves a signed tombstone in the chain; what the run takes back leaves a signed retraction.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import time
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from smartstream.evidence.canonical import canonical
from smartstream.evidence.chain import CHAINS, Chain, Packed, Withdrawn
from smartstream.evidence.files import read_plain, sync_folder, write_new
from smartstream.evidence.keys import Signer, is_signed, publish, published
from smartstream.evidence.lines import SignedLines, decoded
from smartstream.model.time import NS, rfc3339

PACKAGES: Final = "packages"
MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
_DAY_NS: Final = 86_400 * NS


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
        self._keys = {signer.key: signer.public}

    def prepare(self) -> None:
        """Make the folders and publish the public key.

        Raises:
            OSError: It cannot be written.
        """
        for name in (PACKAGES, CHAINS):
            (self.folder / name).mkdir(parents=True, exist_ok=True, mode=0o700)
        publish(self.folder, self._signer)
        self._keys = published(self.folder)

    def open(self) -> None:
        """Read the chains.

        Raises:
            DataLossError: One is not as it was written: what follows would hide what was done to it.
        """
        if self._chains is None:
            # A head alone: its chain was taken, or the run was stopped before the first link.
            files = [p for p in (self.folder / CHAINS).glob("[!.]*") if p.suffix in (".ndjson", ".head")]
            self._chains = {name: self._chain(name) for name in sorted({p.stem for p in files})}

    def package(self, camera: str, evidence: str) -> Path:
        """Folder of a package."""
        return self.folder / PACKAGES / camera / evidence

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
            OSError: It cannot be written, and nothing of it is left; or what is there was not written by us.
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
                    write_new(new / name, content)
                sync_folder(new)
                new.rename(place)
                sync_folder(place.parent)
            except OSError:
                shutil.rmtree(new, ignore_errors=True)
                raise
        held = read_plain(place / MANIFEST) or b""
        sealed = decoded(read_plain(place / SIGNATURE) or b"")
        if not is_signed(held, sealed.get("signature"), self._keys.get(str(sealed.get("key")))):
            raise OSError(errno.EEXIST, "what lies in the package's place was not written here")
        size = sum(file.stat().st_size for file in place.iterdir())
        return Packed(camera, evidence, sha256(held).hexdigest(), at_ns, size)

    def manifest(self, camera: str, evidence: str) -> dict[str, Any]:
        """What a package says that is there."""
        return decoded(read_plain(self.package(camera, evidence) / MANIFEST) or b"")

    def commit(self, told: Iterable[Packed | Withdrawn]) -> None:
        """Link packages into their chains, each once, and retractions; then delete what retention no longer allows.

        Raises:
            OSError: A chain cannot be written; what is missing may be committed again.
            DataLossError: A chain is not as it was written.
        """
        self.open()
        assert self._chains is not None
        for one in told:
            if one.camera not in self._chains:
                self._chains[one.camera] = self._chain(one.camera)
            chain = self._chains[one.camera]
            if isinstance(one, Withdrawn):
                chain.withdraw(one)
            else:
                chain.add(one)
        grown = [chain for chain in self._chains.values() if chain.is_ahead]
        for chain in grown:
            chain.sync()
        if grown:
            self._retain(self._chains)
        self._clear(self._chains)

    def _chain(self, camera: str) -> Chain:
        return Chain(SignedLines(self.folder, f"{CHAINS}/{camera}.ndjson", self._signer, self._keys))

    def _retain(self, chains: Mapping[str, Chain]) -> None:
        """Write the tombstones that are due."""
        kept = sorted((p.at_ns, p.camera, p.evidence) for chain in chains.values() for p in chain.kept.values())
        size = sum(p.size for chain in chains.values() for p in chain.kept.values())
        # An act dated into the future by a wrong start_time makes nothing else old.
        newest = min(kept[-1][0], time.time_ns()) if kept else 0
        for at_ns, camera, evidence in kept:
            too_old = at_ns < newest - self._keep_ns
            if not too_old and size <= self._max_bytes:
                break
            size -= chains[camera].kept[evidence].size
            chains[camera].bury(evidence, "retention" if too_old else "space")
        for chain in chains.values():
            if chain.is_ahead:
                chain.sync()

    def _clear(self, chains: Mapping[str, Chain]) -> None:
        """Delete what has a tombstone on the disk: what is gone without one was stolen.

        What a run left that was stopped between the two, or that a repeated run wrote again, goes too.
        """
        for camera, chain in chains.items():
            for evidence in chain.buried:
                shutil.rmtree(self.package(camera, evidence), ignore_errors=True)
            chain.buried = {evidence for evidence in chain.buried if self.package(camera, evidence).exists()}


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


def instant(at_ns: int) -> str:
    """RFC 3339 with nanoseconds: what a manifest says of an instant."""
    return f"{rfc3339(at_ns)[:-5]}.{at_ns % NS:09d}Z"
