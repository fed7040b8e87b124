"""Each thing once: the first row of a key and value, until it has been silent for a while."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from smartstream.streams.columns import ColumnMerge, Rows, concat, in_total_order


class Firsts(msgspec.Struct, frozen=True, eq=False):
    """What passed.

    Attributes:
        rows: The first of each, in the order of time, key, value.
        repeats: How many rows repeated one.
        late: Rows that came after their instant had been passed.
    """

    rows: Rows
    repeats: int
    late: dict[str, Rows]


class Dedupe:
    """Lets a row through when none of the same key and value came within ``horizon_ns`` before it.

    "First" is by event time, not by arrival. The state is the last sight of each key and value of the last
    ``horizon_ns``.

    Args:
        horizon_ns: Silence after which the same counts as new.
        sides: Where rows come from.
    """

    def __init__(self, *, horizon_ns: int, sides: tuple[str, ...] = ("rows",)) -> None:
        self._horizon = horizon_ns
        self._merge = ColumnMerge(sides)
        self._seen = Rows.of()

    def __len__(self) -> int:
        return len(self._seen)

    def take(self, side: str, rows: Rows, watermark_ns: int, *, idle: bool = False) -> Firsts:
        """Rows of a side in any order and its watermark; what can be let through now."""
        late = self._merge.push(side, rows)
        self._merge.mark(side, watermark_ns, idle=idle)
        new = concat([part for part in self._merge.release().values() if len(part)])
        passed, repeats = Rows.of(), 0
        if len(new):
            both = concat([self._seen, new])
            known = np.arange(len(both)) < len(self._seen)
            order = np.lexsort((~known, both.time_ns, both.value, both.key))
            both, known = both[order], known[order]
            same = (both.key[1:] == both.key[:-1]) & (both.value[1:] == both.value[:-1])
            again = np.concatenate(([False], same & (both.time_ns[1:] - both.time_ns[:-1] <= self._horizon)))
            first = ~again & ~known
            passed, repeats = in_total_order(both[first]), len(new) - int(first.sum())
            self._seen = both[np.concatenate((~same, [True]))]
        self._seen = self._seen[self._seen.time_ns > self._merge.frontier_ns - self._horizon - 1]
        return Firsts(passed, repeats, {side: late} if len(late) else {})

    def snapshot(self) -> dict[str, Any]:
        """A copy of the state; picklable."""
        return {"merge": self._merge.snapshot(), "seen": self._seen.to_bytes()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``snapshot``."""
        self._merge.restore(state["merge"])
        self._seen = Rows.from_bytes(state["seen"])
