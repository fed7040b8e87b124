"""Cases of the junctions to packages in the evidence store: one step that writes, one sink that links at commit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bytewax.outputs import StatefulSinkPartition

from smartstream.config.site import Site
from smartstream.errors import InvalidInputError
from smartstream.evidence.chain import Packed, Withdrawn
from smartstream.evidence.desk import Case
from smartstream.evidence.keys import Signer, require_cryptography
from smartstream.evidence.package import Packer, law_pack_hashes
from smartstream.evidence.pictures import Ring
from smartstream.evidence.store import EvidenceStore
from smartstream.model.event import CloudEvent
from smartstream.model.time import parse_instant
from smartstream.observe.logging import get_logger
from smartstream.rules.law import load_law
from smartstream.sinks.one_partition import OnePartitionSink

_log = get_logger("evidence")


@dataclass(frozen=True)
class EvidenceSpec:
    """What the evidence steps are made of.

    Attributes:
        site: The site.
        store: The store.
        ring: The recent past of a camera, where a process of this host holds it.
    """

    site: Site
    store: EvidenceStore
    ring: Callable[[str], Ring | None]

    def packer(self) -> Callable[[Case], list[CloudEvent | Packed]]:
        """Writes a case down: its event, and what is to be linked."""
        packer = Packer(self.site, self.store, law_pack_hashes(load_law().packs))

        def pack(case: Case) -> list[CloudEvent | Packed]:
            event, packed = packer.pack(case, self.ring(case.camera))
            if packed is None:
                _log.error("evidence is incomplete", case=case.evidence, why=event.data["why"])
                return [event]
            return [event, packed]

        return pack


def evidence_store(site: Site) -> EvidenceStore | None:
    """The store of a site, ready to be written; ``None`` when the site file has no ``[evidence]``.

    Raises:
        InvalidInputError: The folder cannot be written, or the key cannot be read.
        MissingExtraError: The library that signs is missing.
    """
    if site.evidence is None:
        return None
    require_cryptography()
    folder = site.path(site.evidence.dir)
    key = site.evidence.key
    signer = Signer.load(Path(f"{folder}.key.pem") if key is None else site.path(key), create=key is None)
    store = EvidenceStore(
        folder,
        signer,
        retention_days=site.evidence.retention_days,
        max_bytes=round(site.evidence.max_gb * 1e9),
    )
    try:
        store.prepare()
    except OSError as e:
        raise InvalidInputError(f"evidence.dir {folder}: cannot be written: {e.strerror}") from None
    return store


def withdrawn(told: object) -> Withdrawn | None:
    """What an event takes back of the store; ``None`` for everything that retracts no suspicion."""
    if not isinstance(told, CloudEvent) or not {"retracts", "evidence_id"} <= told.data.keys():
        return None
    why = ", ".join(told.data["reasons"])
    return Withdrawn(told.data["camera"], told.data["evidence_id"], parse_instant(told.time), why)


class ChainSink(OnePartitionSink[Packed | Withdrawn, tuple[Packed | Withdrawn, ...]]):
    """Links packages and retractions when the epoch commits; what the disk refuses is tried again at the next commit.

    Args:
        store: The store.
    """

    def __init__(self, store: EvidenceStore) -> None:
        self._store = store

    def build_part(self, step_id: str, for_part: str, resume_state: tuple[Packed | Withdrawn, ...] | None) -> _Chains:
        """Go on with what was not linked yet."""
        return _Chains(self._store, resume_state or ())


class _Chains(StatefulSinkPartition[Packed | Withdrawn, tuple[Packed | Withdrawn, ...]]):
    def __init__(self, store: EvidenceStore, waiting: tuple[Packed | Withdrawn, ...]) -> None:
        self._store, self._waiting = store, list(waiting)

    def write_batch(self, values: list[Packed | Withdrawn]) -> None:
        self._waiting += values

    def snapshot(self) -> tuple[Packed | Withdrawn, ...]:
        if self._waiting:
            try:
                self._store.commit(self._waiting)
                self._waiting.clear()
            except OSError as e:
                _log.error("evidence chain cannot be written", waiting=len(self._waiting), why=e.strerror)
        return tuple(self._waiting)

    def close(self) -> None:
        self.snapshot()
