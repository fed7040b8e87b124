"""Hot state: what was last said about anything, what is near a place; for screens and helpers, never for verdicts.

One interface, two homes: the process itself (``LocalState``), or Redis for several processes (``redis_state``).
Whatever is in it follows from the events and the site file, so it can be thrown away and built again at any time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

_EARTH_M: Final = 6_372_797.560856
"""As Redis has it, so that both homes give the same distances."""


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was last said about a thing.

    Attributes:
        kind: Such as ``camera``, ``junction``, ``report.received``.
        name: Which one.
        at_ns: Event time of what was said.
        revision: Among what was said of that instant.
        value: What was said.
        position: Latitude and longitude, degrees, if it has a place.
    """

    kind: str
    name: str
    at_ns: int
    revision: int
    value: bytes
    position: tuple[float, float] | None = None

    @property
    def version(self) -> tuple[int, int]:
        """Later wins."""
        return self.at_ns, self.revision


class LocalState:
    """The process's own.

    Args:
        now_s: A monotonic clock, for keys that expire.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._entries: dict[str, dict[str, Entry]] = {}
        self._until_s: dict[str, float] = {}
        self._lists: dict[str, frozenset[str]] = {}

    def put(self, entries: Iterable[Entry]) -> None:
        """Keep each unless something later is known of it: a replay changes nothing."""
        for entry in entries:
            kept = self._entries.setdefault(entry.kind, {})
            known = kept.get(entry.name)
            if known is None or entry.version > known.version:
                kept[entry.name] = entry

    def get(self, kind: str, name: str) -> Entry | None:
        """What was last said."""
        return self._entries.get(kind, {}).get(name)

    def near(self, kind: str, lat: float, lon: float, radius_m: float, limit: int = 100) -> list[tuple[str, float]]:
        """Names and metres of what is within the radius, nearest first."""
        found = [
            (name, metres)
            for name, entry in self._entries.get(kind, {}).items()
            if entry.position is not None and (metres := distance_m((lat, lon), entry.position)) <= radius_m
        ]
        return sorted(found, key=lambda n: (n[1], n[0]))[:limit]

    def first_time(self, key: str, keep_s: float) -> bool:
        """Whether a key has not been seen for so long; it has from now on."""
        now = self._now_s()
        if self._until_s.get(key, now) > now:
            return False
        self._until_s[key] = now + keep_s
        if len(self._until_s) % 4096 == 0:
            self._until_s = {k: until for k, until in self._until_s.items() if until > now}
        return True

    def watch(self, watch_list: str, members: Iterable[str]) -> None:
        """Make these the members of a list; keyed hashes, never plates or names."""
        self._lists[watch_list] = frozenset(members)

    def watched(self, watch_list: str, member: str) -> bool:
        """Whether a list has a member."""
        return member in self.members(watch_list)

    def members(self, watch_list: str) -> frozenset[str]:
        """Of a watch list."""
        return self._lists.get(watch_list, frozenset())

    def sweep(self, before_ns: int) -> None:
        """Forget everything that was last said before an instant; what stands in the site file has none, and stays."""
        for kind, kept in self._entries.items():
            self._entries[kind] = {n: entry for n, entry in kept.items() if not entry.at_ns or entry.at_ns >= before_ns}

    def everything(self) -> tuple[list[Entry], dict[str, frozenset[str]]]:
        """Every entry and every watch list, to build another home from."""
        return [entry for kept in self._entries.values() for entry in kept.values()], dict(self._lists)

    def close(self) -> None:
        """Nothing to free."""


def distance_m(one: tuple[float, float], other: tuple[float, float]) -> float:
    """Metres between two places on the sphere (haversine)."""
    lat1, lon1, lat2, lon2 = map(math.radians, (*one, *other))
    h = math.sin((lat2 - lat1) / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin((lon2 - lon1) / 2) ** 2
    return 2 * _EARTH_M * math.asin(math.sqrt(h))
