"""How far each source is, shared by all processes of a run: for pacing, alignment and progress.

Nothing on the board reaches a result. It decides only *when* an item is delivered: a file paced by ``--speed``
waits for its time, and sources of a replay stay within ``ALIGN_NS`` of event time of each other, so that the
joins never have to buffer the whole of a faster one.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from smartstream.model.time import MAX_NS, MIN_NS, NS

ALIGN_NS: Final = 30 * NS
"""A source waits when it is this far ahead of the slowest camera."""

_START, _POSITION, _ITEMS, _DONE, _COLUMNS = range(5)


class Board:
    """One row per source: start, position, items, done. A small file mapped by every process.

    Args:
        path: The file; made when ``create``.
        sides: Every source of the site; the order gives the rows.
        cameras: Those that pace a replay and that others align with.
        speed: Event seconds per wall second, or ``None`` for as fast as possible.
        create: Make a fresh board.
        elsewhere: Sources may be read on other hosts, which do not see this board: those that have not begun here
            hold nobody up, and nobody here knows when they end.
    """

    def __init__(
        self,
        path: Path,
        sides: tuple[str, ...],
        cameras: frozenset[str],
        *,
        speed: float | None,
        create: bool,
        elsewhere: bool = False,
    ) -> None:
        self.sides = sides
        self._elsewhere = elsewhere
        self._row = {side: i for i, side in enumerate(sides)}
        self._cameras = np.array([side in cameras for side in sides], dtype=bool)
        self._speed = speed
        self._origin: tuple[float, int] | None = None
        shape = (len(sides), _COLUMNS)
        if create:
            fresh = np.zeros(shape, dtype=np.int64)
            fresh[:, (_START, _POSITION)] = MIN_NS
            path.write_bytes(fresh.tobytes())
        self._rows = np.memmap(path, dtype=np.int64, mode="r+", shape=shape)

    def begin(self, side: str, start_ns: int) -> None:
        """A source is open and will emit from ``start_ns`` on."""
        row = self._rows[self._row[side]]
        row[_POSITION] = start_ns
        row[_START] = start_ns

    def advance(self, side: str, position_ns: int, items: int) -> None:
        """A source has emitted up to ``position_ns``, ``items`` frames or lines in all."""
        row = self._rows[self._row[side]]
        row[_POSITION] = max(int(row[_POSITION]), position_ns)  # a first turn may not have come to a frame yet
        row[_ITEMS] = items

    def finish(self, side: str) -> None:
        """A source has ended."""
        row = self._rows[self._row[side]]
        if row[_START] == MIN_NS:
            row[_START] = MAX_NS  # ended before it began, as after a resume
        row[_DONE] = 1

    def all_ended(self) -> bool:
        """Every source was read to its end."""
        return bool((self._rows[self._here(), _DONE] == 1).all())

    def allowed_ns(self, side: str) -> int:
        """Up to which event time ``side`` may emit now."""
        limit = MAX_NS
        others = self._rows[self._cameras & self._here() & (self._rows[:, _DONE] == 0)]
        if len(others):
            slowest = int(others[:, _POSITION].min())
            if slowest == MIN_NS:
                return MIN_NS  # some camera is not open yet
            limit = min(MAX_NS, slowest + ALIGN_NS)
        if self._speed is not None and self._cameras[self._row[side]]:
            limit = min(limit, self._paced_ns(self._speed))
        return limit

    def _paced_ns(self, speed: float) -> int:
        """Event time that the chosen pace has reached."""
        now = time.monotonic()
        if self._origin is None:
            starts = self._rows[self._cameras & self._here(), _START]
            if (starts == MIN_NS).any():
                return MIN_NS
            self._origin = (now, int(starts.min()))
        wall, event = self._origin
        return min(MAX_NS, event + round((now - wall) * speed * NS))

    def _here(self) -> Any:
        """Rows of sources that are read on this host."""
        return (self._rows[:, _START] != MIN_NS) | (not self._elsewhere)

    def progress(self) -> list[tuple[str, int, int, bool]]:
        """(side, event time reached, items, ended) of every source that is open."""
        rows = np.array(self._rows)
        return [
            (side, int(rows[i, _POSITION]), int(rows[i, _ITEMS]), bool(rows[i, _DONE]))
            for i, side in enumerate(self.sides)
            if rows[i, _START] != MIN_NS
        ]
