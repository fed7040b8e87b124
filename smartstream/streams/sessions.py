"""Sessions: rows of a key that follow one another within a gap."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from smartstream.model.time import MAX_NS
from smartstream.streams.columns import I64, U32, ColumnMerge, Rows, concat


class Ended(msgspec.Struct, frozen=True, eq=False):
    """Sessions that no row can join any more, by start and key.

    Attributes:
        start_ns: (N,) int64, time of the first row.
        last_ns: (N,) int64, time of the last row.
        key: (N,) uint32.
        count: (N,) int64, rows.
        sum: (N,) int64, of their values.
        late: Rows that came after their instant had been passed.
    """

    start_ns: I64
    last_ns: I64
    key: U32
    count: I64
    sum: I64
    late: dict[str, Rows]

    def __len__(self) -> int:
        return len(self.start_ns)


class _Open(msgspec.Struct, eq=False):
    start_ns: I64
    last_ns: I64
    key: U32
    count: I64
    sum: I64

    def __getitem__(self, which: Any) -> _Open:
        return _Open(*(column[which] for column in msgspec.structs.astuple(self)))


class Sessions:
    """Rows of all sides into sessions; a row exactly ``gap_ns`` after the last one still belongs.

    The state is one session per key that is open, and the rows that wait for the slowest side.

    Args:
        gap_ns: Longest silence within a session.
        sides: Where rows come from.
    """

    def __init__(self, *, gap_ns: int, sides: tuple[str, ...] = ("rows",)) -> None:
        self._gap = gap_ns
        self._merge = ColumnMerge(sides)
        self._open = _none()

    def __len__(self) -> int:
        return len(self._open.key)

    def take(self, side: str, rows: Rows, watermark_ns: int, *, idle: bool = False) -> Ended:
        """Rows of a side in any order and its watermark; the sessions that have ended now."""
        late = self._merge.push(side, rows)
        self._merge.mark(side, watermark_ns, idle=idle)
        new = concat([part for part in self._merge.release().values() if len(part)])
        if len(new):
            self._open = self._extend(new)
        frontier = self._merge.frontier_ns
        over = self._open.last_ns <= (MAX_NS if frontier == MAX_NS else frontier - self._gap)
        ended, self._open = self._open[over], self._open[~over]
        ended = ended[np.lexsort((ended.key, ended.start_ns))]
        return Ended(
            ended.start_ns, ended.last_ns, ended.key, ended.count, ended.sum, {side: late} if len(late) else {}
        )

    def _extend(self, new: Rows) -> _Open:
        """Open sessions and single rows, side by side, cut where the silence is too long."""
        was, ones = self._open, np.ones(len(new), np.int64)
        start = np.concatenate((was.start_ns, new.time_ns))
        last = np.concatenate((was.last_ns, new.time_ns))
        key = np.concatenate((was.key, new.key))
        order = np.lexsort((start, key))
        start, last, key = start[order], last[order], key[order]
        cut = np.concatenate(([True], (key[1:] != key[:-1]) | (start[1:] - last[:-1] > self._gap)))
        at = np.flatnonzero(cut)
        count = np.concatenate((was.count, ones))[order]
        total = np.concatenate((was.sum, new.value))[order]
        return _Open(
            start[at], np.maximum.reduceat(last, at), key[at], np.add.reduceat(count, at), np.add.reduceat(total, at)
        )

    def snapshot(self) -> dict[str, Any]:
        """A copy of the state; picklable."""
        columns = [column.copy() for column in msgspec.structs.astuple(self._open)]
        return {"merge": self._merge.snapshot(), "open": columns}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``snapshot``."""
        self._merge.restore(state["merge"])
        self._open = _Open(*state["open"])


def _none() -> _Open:
    none = np.empty(0, np.int64)
    return _Open(none, none, np.empty(0, np.uint32), none, none)
