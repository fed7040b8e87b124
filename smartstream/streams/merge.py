"""Merging sides in event time under the minimum watermark.

Bytewax's own windows take the *maximum* over the sides of a join, so that a fast side makes a slow one late
and its data are lost; here nothing is released before every side that counts has passed it.
"""

from __future__ import annotations

import heapq
from typing import Any, Generic, TypeVar

from smartstream.model.time import MAX_NS, MIN_NS

T = TypeVar("T")


class SideMerge(Generic[T]):
    """Items of several sides out in one order that does not depend on how they arrived.

    The order is (event time, rank of the side, order within the side). A side's watermark says that nothing at
    or before it will follow; the frontier is the smallest watermark of the sides that are not idle.

    Args:
        sides: Every side that is expected; the position in the tuple is its rank among equal times.
    """

    def __init__(self, sides: tuple[str, ...]) -> None:
        self._rank = {side: i for i, side in enumerate(sides)}
        self._watermark = dict.fromkeys(sides, MIN_NS)
        self._idle: set[str] = set()
        self._heap: list[tuple[int, int, int, T]] = []
        self._pushed = 0
        self.frontier_ns = MIN_NS

    @property
    def ended(self) -> bool:
        """Every side has come to its end."""
        return all(w == MAX_NS for w in self._watermark.values())

    def watermark_ns(self, side: str) -> int:
        """How far a side has come."""
        return self._watermark[side]

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, side: str, at_ns: int, item: T) -> bool:
        """Take an item; ``False`` when it lies at or before what was released already, and is not taken."""
        if at_ns <= self.frontier_ns:
            return False
        heapq.heappush(self._heap, (at_ns, self._rank[side], self._pushed, item))
        self._pushed += 1
        return True

    def mark(self, side: str, watermark_ns: int, *, idle: bool = False) -> None:
        """A side's watermark; it never retreats. An idle side holds nobody up until it speaks again."""
        self._watermark[side] = max(self._watermark[side], watermark_ns)
        if idle:
            self._idle.add(side)
        else:
            self._idle.discard(side)

    def release(self) -> list[tuple[int, T]]:
        """Items up to the new frontier, in order."""
        waiting = [w for side, w in self._watermark.items() if side not in self._idle]
        now = min(waiting, default=MAX_NS)
        if now == MAX_NS and self._idle:  # nobody else is there any more: as far as the idle ones had come
            now = min(self._watermark[side] for side in self._idle)
        self.frontier_ns = max(self.frontier_ns, now)
        out = []
        while self._heap and self._heap[0][0] <= self.frontier_ns:
            at_ns, _, _, item = heapq.heappop(self._heap)
            out.append((at_ns, item))
        return out

    def snapshot(self) -> dict[str, Any]:
        """A copy of the state; picklable when the items are."""
        return {
            "watermark": dict(self._watermark),
            "idle": sorted(self._idle),
            "heap": list(self._heap),
            "pushed": self._pushed,
            "frontier": self.frontier_ns,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``snapshot``."""
        self._watermark.update(state["watermark"])
        self._idle = set(state["idle"])
        self._heap = list(state["heap"])
        self._pushed = state["pushed"]
        self.frontier_ns = state["frontier"]
