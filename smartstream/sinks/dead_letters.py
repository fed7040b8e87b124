"""Dead letters on NATS: the first of each kind one by one, a flood as running totals.

The event file keeps every letter. Here each source and reason may send ``PER_EPOCH`` letters between two
snapshots; from then on, every epoch that brings more ends with one summary whose ``count`` is *all* letters
of that source and reason since the run began. The highest count stands (or the letters seen singly, if they are
more), so a summary repeated or overtaken after a restart adds nothing twice.
"""

from __future__ import annotations

from typing import Final

import msgspec

from smartstream.model.event import CloudEvent, make_event
from smartstream.model.time import parse_instant

PER_EPOCH: Final = 100

_Key = str  # JSON array of type, source and reason: a map key in a snapshot


class Flood(msgspec.Struct):
    """Letters of one source and reason.

    Attributes:
        count: All of them since the run began.
        epoch: Of them, in the epoch that is open.
        since: Event time of the first.
        last: Event time of the newest.
        flooded: Whether the allowance was exceeded once.
    """

    since: str
    last: str
    count: int = 0
    epoch: int = 0
    flooded: bool = False


Thinning = dict[_Key, Flood]


class Thinner:
    """Decides which dead letters go out singly and totals the others; other events always pass."""

    def __init__(self, state: Thinning) -> None:
        self._floods = state

    def passes(self, event: CloudEvent) -> bool:
        """Count the event; False keeps it for the summary."""
        if not event.type.startswith("vn.ioc.dlq."):
            return True
        key = msgspec.json.encode((event.type, event.source, str(event.data.get("reason", "")))).decode()
        flood = self._floods.get(key)
        if flood is None:
            flood = self._floods[key] = Flood(event.time, event.time)
        lines = max(1, int(event.data.get("count", 1)))
        flood.count += lines
        flood.epoch += 1
        flood.last = event.time
        if flood.epoch > PER_EPOCH:
            flood.flooded = True
            return False
        return True

    def close_epoch(self) -> list[CloudEvent]:
        """A summary of each source and reason that ever flooded and brought letters in this epoch."""
        summaries = []
        for key, flood in self._floods.items():
            if flood.epoch and flood.flooded:
                summaries.append(_summary(key, flood))
            flood.epoch = 0
        return summaries

    def state(self) -> Thinning:
        """For a snapshot; encode it before the next call."""
        return self._floods


def _summary(key: _Key, flood: Flood) -> CloudEvent:
    type_, source, reason = msgspec.json.decode(key, type=tuple[str, str, str])
    _, _, site, entity = source.split("/", 3)
    _, _, class_, kind, verb, _ = type_.split(".")
    return make_event(
        site=site,
        entity=entity,
        kind=(class_, kind, verb),
        subject=reason,
        at_ns=parse_instant(flood.last),
        key=f"summary/{reason}/{flood.since}",
        revision=flood.count,
        data={
            "stage": kind,
            "reason": reason,
            "summary": True,
            "count": flood.count,
            "since": flood.since,
            "revision": flood.count,
        },
    )


def refused_event(payload: bytes, reason: str) -> CloudEvent | None:
    """The dead letter of an event that the server will never take; None for a dead letter itself."""
    event = msgspec.json.decode(payload, type=CloudEvent)
    if event.type.startswith("vn.ioc.dlq."):
        return None
    _, _, site, entity = event.source.split("/", 3)
    return make_event(
        site=site,
        entity=entity,
        kind=("dlq", "sinks", "observed"),
        subject=event.subject,
        at_ns=parse_instant(event.time),
        key=event.id,
        data={
            "stage": "sinks",
            "reason": "refused_by_nats",
            "source": event.type,
            "place": event.id,
            "detail": reason,
            "payload": "",
            "count": 1,
        },
    )
