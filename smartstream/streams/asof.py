"""As-of join: each left row meets the newest right row of its key at or before it."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np

from smartstream import _core
from smartstream.errors import InvalidInputError
from smartstream.model.time import MIN_NS
from smartstream.streams.columns import I64, ColumnMerge, Rows, in_total_order

LEFT: Final = "left"
RIGHT: Final = "right"


class Met(msgspec.Struct, frozen=True, eq=False):
    """Left rows by event time, and what each has met.

    Attributes:
        left: (N,) rows.
        value: (N,) int64, of the right row.
        since_ns: (N,) int64, its event time; ``MIN_NS`` where there is none, or none that is recent enough.
        late: Rows of either side that came after their instant had been answered.
    """

    left: Rows
    value: I64
    since_ns: I64
    late: dict[str, Rows]


class AsOfJoin:
    """Answers a left row once both sides have passed it; a right row of the same instant counts.

    Of right rows with the same key and instant the largest value counts, whichever came first. The state is one
    right row per key and the rows that wait for the slower side.

    Args:
        keys: Keys are below it.
        within_ns: A right row older than this is not met; ``None``: it holds until the next.
    """

    def __init__(self, *, keys: int, within_ns: int | None = None) -> None:
        self._within = within_ns
        self._merge = ColumnMerge((LEFT, RIGHT))
        self._known_time: I64 = np.full(keys, MIN_NS, np.int64)
        self._known_value: I64 = np.zeros(keys, np.int64)

    def take(self, side: str, rows: Rows, watermark_ns: int, *, idle: bool = False) -> Met:
        """Rows of a side in any order and its watermark; the left rows that can be answered now.

        Raises:
            InvalidInputError: A key is out of range.
        """
        if len(rows) and int(rows.key.max()) >= len(self._known_time):
            raise InvalidInputError(f"as-of join: expected keys below {len(self._known_time)}, found {rows.key.max()}")
        late = self._merge.push(side, rows)
        self._merge.mark(side, watermark_ns, idle=idle)
        ready = self._merge.release()
        left, right = ready[LEFT], in_total_order(ready[RIGHT])
        value, since = _core.asof(
            np.ascontiguousarray(left.time_ns),
            np.ascontiguousarray(left.key),
            right.time_ns,
            right.key,
            right.value,
            self._known_time,
            self._known_value,
        )
        if self._within is not None:
            since[left.time_ns - self._within > since] = MIN_NS
            self._known_time[self._known_time < self._merge.frontier_ns - self._within] = MIN_NS
        return Met(left, value, since, {side: late} if len(late) else {})

    def snapshot(self) -> dict[str, Any]:
        """A copy of the state; picklable."""
        heard = np.flatnonzero(self._known_time != MIN_NS)
        known = Rows(self._known_time[heard], heard.astype(np.uint32), self._known_value[heard])
        return {"merge": self._merge.snapshot(), "known": known.to_bytes()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``snapshot``."""
        self._merge.restore(state["merge"])
        known = Rows.from_bytes(state["known"])
        self._known_time[known.key] = known.time_ns
        self._known_value[known.key] = known.value
