"""Hot state beside the flow: what events say last, where things are; trouble with Redis comes back as an event."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import bytewax.operators as op
from bytewax.operators import KeyedStream, StatefulBatchLogic

from pipelines.beside import beside_events
from smartstream.brokers.hot_state import Entry
from smartstream.brokers.redis_state import RedisState
from smartstream.config.settings import settings
from smartstream.config.site import Site
from smartstream.model.event import CloudEvent
from smartstream.model.items import Health
from smartstream.model.time import NS, TOLD_NS

_KEPT_NS: Final = 7 * 86_400 * NS
_SWEEP: Final = 10_000


@dataclass(frozen=True)
class HotSpec:
    """Where the hot state is, and what is there from the start.

    Attributes:
        url: Of Redis.
        site: Site id.
        places: Junctions and cameras.
    """

    url: str
    site: str
    places: tuple[Entry, ...]


def hot_spec(site: Site) -> HotSpec | None:
    """Of a site; ``None`` without ``[redis]``."""
    if site.redis is None:
        return None
    where = {j.id: (j.position.lat, j.position.lon) for j in site.junction if j.position is not None}
    junctions = [Entry("junction", j.id, 0, 0, j.title.encode(), where.get(j.id)) for j in site.junction]
    cameras = [Entry("camera", c.id, 0, 0, c.junction.encode(), where.get(c.junction)) for c in site.camera]
    return HotSpec(site.redis.url, site.site.id, (*junctions, *cameras))


def shared_state(spec: HotSpec) -> RedisState:
    """The state of a site, with its places."""
    credentials = settings()
    password = credentials.redis_password
    secret = None if password is None else password.get_secret_value()
    state = RedisState(spec.url, spec.site, username=credentials.redis_user, password=secret)
    state.put(spec.places)
    return state


def hot_events(events: KeyedStream[CloudEvent], spec: HotSpec) -> KeyedStream[CloudEvent]:
    """Put what events say into the hot state; what comes out are events about its health."""
    return op.stateful_batch("hot_state", events, lambda _: HotStep(spec))


def entry_of(event: CloudEvent) -> Entry | None:
    """What an event says last about its subject; dead letters say nothing."""
    _, _, class_, kind, _, _ = event.type.split(".")
    if class_ == "dlq":
        return None
    said = event.data.get("position")
    position = None
    if isinstance(said, dict) and isinstance(said.get("lat"), float) and isinstance(said.get("lon"), float):
        position = (said["lat"], said["lon"])
    revision = event.data.get("revision")
    return Entry(
        f"{class_}.{kind}", event.subject, _at_ns(event), revision if isinstance(revision, int) else 0,
        event.to_json(), position,
    )  # fmt: skip


def _at_ns(event: CloudEvent) -> int:
    return round(datetime.fromisoformat(event.time).timestamp() * 1000) * 1_000_000


class HotStep(StatefulBatchLogic[CloudEvent, CloudEvent, None]):
    """Writes without waiting.

    Args:
        spec: Where to.
    """

    def __init__(self, spec: HotSpec) -> None:
        self._site, self._state = spec.site, shared_state(spec)
        self._newest_ns, self._count, self._told_ns = 0, 0, 0

    def on_batch(self, values: list[CloudEvent]) -> tuple[list[CloudEvent], bool]:
        """Hand the events on and tell what is wrong."""
        entries = [entry for event in values if (entry := entry_of(event)) is not None]
        self._newest_ns = max([self._newest_ns, *(entry.at_ns for entry in entries)])
        self._state.put(entries)
        before, self._count = self._count, self._count + len(entries)
        if self._count // _SWEEP != before // _SWEEP:
            self._state.sweep(self._newest_ns - _KEPT_NS)
        return self._health(), StatefulBatchLogic.RETAIN

    def _health(self) -> list[CloudEvent]:
        out: list[CloudEvent] = []
        while (news := self._state.news()) is not None:
            # One event may be far ahead of the others: a second outage before the rest get there is another one.
            self._told_ns = max(self._newest_ns, self._told_ns + TOLD_NS)
            out += beside_events(self._site, Health("redis", "lost", news[0], self._told_ns, news[1]))
        return out

    def on_eof(self) -> tuple[list[CloudEvent], bool]:
        """Give what is on its way a moment."""
        self._state.settle(1.0)
        self._state.close()
        return self._health(), StatefulBatchLogic.RETAIN

    def snapshot(self) -> None:
        """Nothing that a verdict needs: Redis has it, or it comes again."""
