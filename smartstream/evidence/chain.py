"""The chain of one camera: a signed link for every package, for its end, and for a suspicion that was taken back."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import msgspec

from smartstream.evidence.files import read_plain
from smartstream.evidence.lines import SignedLines, decoded, touched

CHAINS: Final = "chain"


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


class Withdrawn(msgspec.Struct, frozen=True):
    """A suspicion that the run itself took back: its package, there or to come, accuses nobody any more.

    Attributes:
        camera: The camera's id.
        evidence: The package's id.
        at_ns: Event time of the act.
        why: The reasons of the retraction.
    """

    camera: str
    evidence: str
    at_ns: int
    why: str


class Link(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a line of a chain says.

    Attributes:
        camera: The camera's id.
        evidence: The package's id.
        at_ns: Event time of the act, in digits: a reader of JSON may know no whole number so large.
        manifest: SHA-256 of the package's manifest; absent in a retraction.
        size: Bytes of the package; absent in a retraction.
        tombstone: Why the package was deleted; absent in the link that adds it.
        retracted: Why the suspicion was taken back.
    """

    camera: str
    evidence: str
    at_ns: str
    manifest: str = ""
    size: int = 0
    tombstone: str | None = None
    retracted: str | None = None


class Chain:
    """A chain that is open for writing.

    Args:
        lines: Its file.

    Raises:
        DataLossError: The file is not as it was written.
    """

    def __init__(self, lines: SignedLines) -> None:
        self._lines = lines
        self.kept: dict[str, Packed] = {}
        self.buried: set[str] = set()
        """Packages with a tombstone whose files may still lie there."""
        self._known: set[str] = set()
        self._retracted: set[str] = set()
        for entry in lines.load():
            try:
                self._take(msgspec.convert(entry, Link))
            except ValueError:  # msgspec's is one
                raise touched(lines.path) from None

    @property
    def is_ahead(self) -> bool:
        """Something is not on the disk yet."""
        return self._lines.is_ahead

    def add(self, packed: Packed) -> None:
        """Link a package, unless it is or was linked; one that was deleted is deleted again."""
        if packed.evidence not in self._known:
            self._append(packed)
        elif packed.evidence not in self.kept:
            self.buried.add(packed.evidence)

    def withdraw(self, withdrawn: Withdrawn) -> None:
        """Tell that a suspicion was taken back, once."""
        if withdrawn.evidence not in self._retracted:
            link = Link(
                camera=withdrawn.camera,
                evidence=withdrawn.evidence,
                at_ns=str(withdrawn.at_ns),
                retracted=withdrawn.why,
            )
            self._write(link)

    def bury(self, evidence: str, why: str) -> None:
        """Write a tombstone."""
        self._append(self.kept[evidence], why)

    def sync(self) -> None:
        """Everything on the disk.

        Raises:
            OSError: It cannot be written; it may be tried again.
        """
        self._lines.sync()

    def _append(self, packed: Packed, tombstone: str | None = None) -> None:
        link = Link(
            camera=packed.camera,
            evidence=packed.evidence,
            at_ns=str(packed.at_ns),
            manifest=packed.manifest,
            size=packed.size,
            tombstone=tombstone,
        )
        self._write(link)

    def _write(self, link: Link) -> None:
        self._lines.append(msgspec.to_builtins(link))
        self._take(link)

    def _take(self, link: Link) -> None:
        if link.retracted is not None:
            self._retracted.add(link.evidence)
            return
        self._known.add(link.evidence)
        if link.tombstone is None:
            self.kept[link.evidence] = Packed(link.camera, link.evidence, link.manifest, int(link.at_ns), link.size)
        else:
            self.kept.pop(link.evidence, None)
            self.buried.add(link.evidence)


def retractions(store: Path) -> dict[str, str]:
    """Why the run took back what, by the package's id; whether a line is genuine is for ``verify`` to say."""
    found = {}
    for path in sorted((store / CHAINS).glob("*.ndjson")):
        for line in (read_plain(path) or b"").split(b"\n"):
            if b'"retracted":' in line and (said := decoded(line)):
                found[str(said.get("evidence"))] = str(said.get("retracted"))
    return found
