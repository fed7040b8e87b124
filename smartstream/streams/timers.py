"""Timers in event time, by the clock or by the working calendar."""

from __future__ import annotations

import heapq
from typing import Any

from smartstream.streams.working_calendar import WorkingCalendar


class Timers:
    """Named instants that ring in order as event time passes them; the same instant rings by name.

    Args:
        calendar: Of working hours and holidays, for timers that run in them alone.
    """

    def __init__(self, calendar: WorkingCalendar | None = None) -> None:
        self._calendar = calendar
        self._due: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def __len__(self) -> int:
        return len(self._due)

    def set(self, name: str, at_ns: int) -> None:
        """Let ``name`` ring at an instant; an earlier setting is forgotten."""
        self._due[name] = at_ns
        heapq.heappush(self._heap, (at_ns, name))
        if len(self._heap) > 2 * len(self._due) + 64:  # settings forgotten must not pile up
            self._heap = sorted((at_ns, name) for name, at_ns in self._due.items())

    def set_working(self, name: str, from_ns: int, working_ns: int) -> int:
        """Let ``name`` ring after so much working time; the instant."""
        assert self._calendar is not None, "timers by the working calendar need one"
        at_ns = self._calendar.add(from_ns, working_ns)
        self.set(name, at_ns)
        return at_ns

    def cancel(self, name: str) -> bool:
        """Forget a timer; whether it was set."""
        return self._due.pop(name, None) is not None

    def ring_one(self, until_ns: int) -> tuple[int, str] | None:
        """The first timer due up to and including an instant, done with; what it sets may ring next."""
        while self._heap and self._heap[0][0] <= until_ns:
            at_ns, name = heapq.heappop(self._heap)
            if self._due.get(name) == at_ns:
                del self._due[name]
                return at_ns, name
        return None

    def ring(self, until_ns: int) -> list[tuple[int, str]]:
        """Timers due up to and including an instant, in order; they are done with."""
        rung = []
        while found := self.ring_one(until_ns):
            rung.append(found)
        return rung

    def snapshot(self) -> dict[str, int]:
        """A copy of the state."""
        return dict(self._due)

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``snapshot``."""
        self._due = dict(state)
        self._heap = sorted((at_ns, name) for name, at_ns in self._due.items())
