"""How many of the areas of each indicator are up to date, kept as values come instead of counted anew."""

from __future__ import annotations

import heapq
from collections import Counter

_Key = tuple[str, str]


class Coverage:
    """Share of the areas heard of whose newest value is not overdue; time costs what changes, not what is known."""

    def __init__(self) -> None:
        self._until: dict[_Key, int | None] = {}
        self._areas: Counter[str] = Counter()
        self._fresh: Counter[str] = Counter()
        self._stale: set[_Key] = set()
        self._ends: dict[str, list[tuple[int, str]]] = {}
        self._next: dict[_Key, int] = {}  # the one end of each area that stands in the heap

    def set(self, key: _Key, until_ns: int | None) -> None:
        """An indicator and area: the last instant at which its newest value is not overdue; ``None`` for ever."""
        indicator, area = key
        if key not in self._until:
            self._areas[indicator] += 1
            self._fresh[indicator] += 1
        elif key in self._stale:
            self._stale.discard(key)
            self._fresh[indicator] += 1
        self._until[key] = until_ns
        if until_ns is not None and until_ns < self._next.get(key, until_ns + 1):
            self._next[key] = until_ns
            heapq.heappush(self._ends.setdefault(indicator, []), (until_ns, area))

    def percent(self, indicator: str, clock_ns: int) -> float:
        """Of all areas of an indicator, by a clock that never goes back."""
        ends = self._ends.get(indicator, [])
        while ends and ends[0][0] < clock_ns:
            end_ns, area = heapq.heappop(ends)
            key = (indicator, area)
            if self._next.get(key) != end_ns:
                continue  # an earlier end has taken its place
            del self._next[key]
            until_ns = self._until[key]
            if until_ns is None:
                continue
            if until_ns >= clock_ns:
                self._next[key] = until_ns
                heapq.heappush(ends, (until_ns, area))
            elif key not in self._stale:
                self._stale.add(key)
                self._fresh[indicator] -= 1
        return round(100 * self._fresh[indicator] / self._areas[indicator], 1)
