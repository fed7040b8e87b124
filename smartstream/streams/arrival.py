"""Several feeds as one, in the order of arrival that their own clocks give.

A feed's clock is the newest event time it has brought. Merged by it, lines of different feeds meet in an order
that depends on the feeds alone and not on who was polled first, late lines included: so what counts as late, and
what a late line corrects, is the same in every run.
"""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

from smartstream.model.items import FeedLines, Mark
from smartstream.model.time import MAX_NS
from smartstream.streams.merge import SideMerge


class _Line(Protocol):
    @property
    def clock_ns(self) -> int: ...


T = TypeVar("T", bound=_Line)


class Arrivals(Generic[T]):
    """Merges feeds under their smallest clock.

    Args:
        sides: Every feed.
    """

    def __init__(self, sides: tuple[str, ...]) -> None:
        self._merge: SideMerge[T] = SideMerge(sides)
        self.clock_ns: int | None = None

    @property
    def ended(self) -> bool:
        """Every feed has ended and everything is out."""
        return self._merge.ended and not len(self._merge)

    def take(self, item: FeedLines[T] | Mark) -> None:
        """A turn of a feed; a mark says that a feed is lost, and nothing more will come."""
        if isinstance(item, Mark):
            self._merge.mark(item.side, MAX_NS)
            return
        for line in item.lines:
            self._merge.push(item.side, line.clock_ns, line)
        # More may arrive at the same clock.
        self._merge.mark(item.side, MAX_NS if item.ended else item.clock_ns - 1)

    def release(self) -> list[T]:
        """Lines that nothing can come before any more; ``clock_ns`` moves on."""
        released = self._merge.release()
        if self._merge.frontier_ns != MAX_NS:
            reached = self._merge.frontier_ns
        else:
            reached = released[-1][0] if released else (self.clock_ns if self.clock_ns is not None else -1)
        if reached >= 0:
            self.clock_ns = reached if self.clock_ns is None else max(self.clock_ns, reached)
        return [value for _, value in released]

    def snapshot(self) -> tuple[Any, ...]:
        """A copy of the state; picklable when the lines are."""
        return self._merge.snapshot(), self.clock_ns

    def restore(self, state: tuple[Any, ...]) -> None:
        """Go on from ``snapshot``."""
        merge, self.clock_ns = state
        self._merge.restore(merge)
