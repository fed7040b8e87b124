"""Telling a feed's real pause from a broken clock, by the feed's own lines alone.

One line with a year typed wrong must not move the watermark, or every honest line after it would be late. So a
jump ahead of more than ``limit_ns`` is believed only when the next line confirms it. The decision reads nothing
but the feed, hence a replay decides alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Generic, TypeVar

from smartstream.model.time import NS

T = TypeVar("T")
_HELD: Final = 3  # candidates without a witness; more would only delay honest lines


class JumpGuard(Generic[T]):
    """Passes items on in order, holding back at most a few that jumped ahead.

    Args:
        limit_ns: A jump ahead that needs no witness.
        lateness_ns: How far back a witness may lie.
    """

    def __init__(self, *, limit_ns: int = 3600 * NS, lateness_ns: int = NS) -> None:
        self._limit = limit_ns
        self._lateness = lateness_ns
        self.last_ns: int | None = None
        self.held: list[tuple[int, T]] = []

    def push(self, at_ns: int, item: T) -> Iterator[tuple[bool, int, T]]:
        """Take one item; yield (believed, its time, item) for every item that is decided now."""
        if self.last_ns is not None and at_ns <= self.last_ns + self._limit:
            if self.held:
                yield from self._drop(self.held)
                self.held = []
            yield self._believe(at_ns, item)
            return
        self.held.append((at_ns, item))
        for i, (held_ns, _) in enumerate(self.held[:-1]):
            if -self._lateness <= at_ns - held_ns <= self._limit:
                decided, self.held = self.held, []
                yield self._believe(*decided[i])
                yield from self._drop([*decided[:i], *decided[i + 1 : -1]])
                yield self._believe(at_ns, item)
                return
        if len(self.held) > _HELD:
            yield from self._drop([self.held.pop(0)])

    def end(self) -> Iterator[tuple[bool, int, T]]:
        """The feed has ended: of what is held, the first stands if nothing contradicts it."""
        decided, self.held = self.held, []
        if len(decided) == 1 and (self.last_ns is None or decided[0][0] - self.last_ns <= 24 * self._limit):
            yield self._believe(*decided.pop())
        yield from self._drop(decided)

    def _believe(self, at_ns: int, item: T) -> tuple[bool, int, T]:
        self.last_ns = at_ns if self.last_ns is None else max(self.last_ns, at_ns)
        return True, at_ns, item

    @staticmethod
    def _drop(items: list[tuple[int, T]]) -> Iterator[tuple[bool, int, T]]:
        yield from ((False, at_ns, item) for at_ns, item in items)
