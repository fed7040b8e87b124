"""Interval join: each left row meets every right row of its key from so long before it to so long after it."""

from __future__ import annotations

from typing import Any, Final

import msgspec
import numpy as np

from smartstream.errors import InvalidInputError
from smartstream.model.time import MAX_NS
from smartstream.streams.columns import ColumnMerge, Rows, concat, in_total_order

LEFT: Final = "left"
RIGHT: Final = "right"


class Pairs(msgspec.Struct, frozen=True, eq=False):
    """What became of left rows whose interval is complete.

    Attributes:
        left: (P,) rows, one for each pair.
        right: (P,) rows.
        alone: Left rows that met none.
        late: Rows of either side that came after their instant had been passed.
    """

    left: Rows
    right: Rows
    alone: Rows
    late: dict[str, Rows]


class IntervalJoin:
    """Answers a left row once, when both sides have passed the end of its interval.

    The state is bounded by the interval: a right row is dropped when no left row to come can reach back to it.

    Args:
        before_ns: The interval begins so long before the left row.
        after_ns: And ends so long after it, that instant included.
    """

    def __init__(self, *, before_ns: int, after_ns: int) -> None:
        if before_ns < -after_ns:
            raise InvalidInputError(f"interval join: expected an interval, found -{before_ns} to {after_ns}")
        self._before, self._after = before_ns, after_ns
        self._merge = ColumnMerge((LEFT, RIGHT))
        self._left, self._right = Rows.of(), Rows.of()

    def __len__(self) -> int:
        return len(self._merge) + len(self._left) + len(self._right)

    def take(self, side: str, rows: Rows, watermark_ns: int, *, idle: bool = False) -> Pairs:
        """Rows of a side in any order and its watermark; the left rows that are complete now."""
        late = self._merge.push(side, rows)
        self._merge.mark(side, watermark_ns, idle=idle)
        ready = self._merge.release()
        self._left, self._right = concat([self._left, ready[LEFT]]), concat([self._right, ready[RIGHT]])
        frontier = self._merge.frontier_ns
        done = self._left.time_ns <= (MAX_NS if frontier == MAX_NS else frontier - max(self._after, 0))
        left, self._left = in_total_order(self._left[done]), self._left[~done]
        pairs = self._pair(left, in_total_order(self._right))
        oldest = min(frontier, int(self._left.time_ns.min())) if len(self._left) else frontier
        self._right = self._right[self._right.time_ns >= oldest - self._before]
        return Pairs(*pairs, {side: late} if len(late) else {})

    def _pair(self, left: Rows, right: Rows) -> tuple[Rows, Rows, Rows]:
        if not len(left) or not len(right):
            return Rows.of(), Rows.of(), left
        by_key = np.argsort(right.key, kind="stable")  # still by time within a key
        right = right[by_key]
        base = min(int(left.time_ns.min()) - self._before, int(right.time_ns.min()))
        span = max(int(left.time_ns.max()) + self._after, int(right.time_ns.max())) - base + 1
        keys, dense = np.unique(np.concatenate((left.key, right.key)), return_inverse=True)
        if len(keys) * span >= 2**63:
            raise InvalidInputError("interval join: keys and their times do not fit into 63 bits")
        line = dense * span - base  # key and time as one number: one sorted array serves every key
        of_left, of_right = line[: len(left)], line[len(left) :]
        place = of_right + right.time_ns
        low = np.searchsorted(place, of_left + (left.time_ns - self._before), side="left")
        high = np.searchsorted(place, of_left + (left.time_ns + self._after), side="right")
        met = high - low
        which = np.repeat(np.arange(len(left)), met)
        within = np.arange(len(which)) - np.repeat(np.cumsum(met) - met, met)
        return left[which], right[np.repeat(low, met) + within], left[met == 0]

    def snapshot(self) -> dict[str, Any]:
        """A copy of the state; picklable."""
        return {"merge": self._merge.snapshot(), "left": self._left.to_bytes(), "right": self._right.to_bytes()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``snapshot``."""
        self._merge.restore(state["merge"])
        self._left, self._right = Rows.from_bytes(state["left"]), Rows.from_bytes(state["right"])
