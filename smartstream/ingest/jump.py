"""Telling a feed's real pause from a broken clock, by the feed's own lines alone.

One line with a year typed wrong must not move the watermark, or every honest line after it would be late. So a
jump ahead of more than ``limit_ns`` is believed only when another line confirms it. The decision reads nothing but the
feed, hence a replay decides alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final, Generic, TypeVar

from smartstream.model.time import NS

T = TypeVar("T")
_MOST: Final = 64  # lines that are held back


class JumpGuard(Generic[T]):
    """Passes items on in order, holding back those that jumped ahead, ``_MOST`` at most.

    Args:
        limit_ns: A jump ahead that needs no witness.
        lateness_ns: How far back a witness may lie.
        state: What ``snapshot`` returned.
    """

    def __init__(
        self,
        *,
        limit_ns: int = 3600 * NS,
        lateness_ns: int = NS,
        state: dict[str, Any] | None = None,
    ) -> None:
        known = state or {}
        self._limit, self._lateness = limit_ns, lateness_ns
        self.last_ns: int | None = known.get("last_ns")
        self.held: list[tuple[int, T]] = list(known.get("held", ()))

    def push(self, at_ns: int, item: T) -> Iterator[tuple[bool, int, T]]:
        """Take one item; yield (believed, its time, item) for every item that is decided now."""
        if self.last_ns is not None and at_ns <= self.last_ns + self._limit:
            yield from self._drop()
            yield self._believe(at_ns, item)
            return
        near = [one for one in self.held if self._agree(one[0], at_ns)]
        self.held.append((at_ns, item))
        if near:
            decided, self.held = self.held, []
            for one in near:
                yield self._believe(*one)
            yield from ((False, *one) for one in decided[:-1] if one not in near)
            yield self._believe(at_ns, item)
        elif len(self.held) > _MOST:
            yield from self.pause()
            if len(self.held) > _MOST:
                yield (False, *self.held.pop(0))

    def pause(self) -> Iterator[tuple[bool, int, T]]:
        """The feed is silent: what is held stands if nothing contradicts it, and waits where it is far away."""
        goes_on = self._goes_on()
        decided, self.held = self.held[:goes_on], self.held[goes_on:]
        for one in decided:
            yield self._believe(*one)

    def end(self) -> Iterator[tuple[bool, int, T]]:
        """The feed has ended: as ``pause``, but nothing waits any more."""
        yield from self.pause()
        yield from self._drop()

    def snapshot(self) -> dict[str, Any]:
        """A copy of the state."""
        return {"last_ns": self.last_ns, "held": list(self.held)}

    def _goes_on(self) -> int:
        """How many of the held ones go on from what is believed, step by step, as of a feed that speaks seldom."""
        times = [at_ns for at_ns, _ in self.held]
        if any(later < earlier - self._lateness for earlier, later in pairwise(times)):
            return 0
        before = [self.last_ns if self.last_ns is not None else at_ns for at_ns in times[:1]] + times
        far = (i for i, (a, b) in enumerate(pairwise(before)) if b - a > 24 * self._limit)
        return next(far, len(times))

    def _agree(self, held_ns: int, at_ns: int) -> bool:
        return -self._lateness <= at_ns - held_ns <= self._limit

    def _believe(self, at_ns: int, item: T) -> tuple[bool, int, T]:
        self.last_ns = at_ns if self.last_ns is None else max(self.last_ns, at_ns)
        return True, at_ns, item

    def _drop(self) -> Iterator[tuple[bool, int, T]]:
        decided, self.held = self.held, []
        yield from ((False, *one) for one in decided)
