"""Rows in columns, and the merge of sides that have many: what the event-time operators are made of.

A row is an instant, a small whole-numbered key and one whole number: a code, a count, millionths of a unit. Whole
numbers, since their sums do not depend on the order in which rows arrive.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from smartstream.errors import InvalidInputError
from smartstream.model.time import MAX_NS, MIN_NS

I64 = npt.NDArray[np.int64]
U32 = npt.NDArray[np.uint32]
_HEADER: Final = struct.Struct("<4sI")
_MAGIC: Final = b"SRW1"
_ROW: Final = 20  # bytes


class Rows(msgspec.Struct, frozen=True, eq=False):
    """N rows.

    Attributes:
        time_ns: (N,) int64, event time.
        key: (N,) uint32, small numbers: tables are as long as the largest.
        value: (N,) int64.
    """

    time_ns: I64
    key: U32
    value: I64

    @classmethod
    def of(cls, rows: Sequence[tuple[int, int, int]] = ()) -> Rows:
        """Rows from (time, key, value)."""
        time, key, value = zip(*rows, strict=True) if rows else ((), (), ())
        return cls(np.array(time, np.int64), np.array(key, np.uint32), np.array(value, np.int64))

    def __len__(self) -> int:
        return len(self.time_ns)

    def __getitem__(self, which: Any) -> Rows:
        """The rows of a slice, a mask or an array of positions."""
        return Rows(self.time_ns[which], self.key[which], self.value[which])

    def tuples(self) -> list[tuple[int, int, int]]:
        """(time, key, value) of every row."""
        return list(zip(self.time_ns.tolist(), self.key.tolist(), self.value.tolist(), strict=True))

    def to_bytes(self) -> bytes:
        """Wire form: magic ``SRW1``, u32 N, then the columns, little endian."""
        columns = (self.time_ns.astype("<i8"), self.key.astype("<u4"), self.value.astype("<i8"))
        return _HEADER.pack(_MAGIC, len(self)) + b"".join(column.tobytes() for column in columns)

    @classmethod
    def from_bytes(cls, data: bytes) -> Rows:
        """Read the wire form back; the columns are read-only views of ``data``.

        Raises:
            InvalidInputError: Not whole rows.
        """
        if len(data) < _HEADER.size or data[:4] != _MAGIC:
            raise InvalidInputError(f"rows: expected magic SRW1 ({len(data)} bytes)")
        n = _HEADER.unpack_from(data)[1]
        if len(data) != _HEADER.size + _ROW * n:
            raise InvalidInputError(f"rows: expected {n} of {_ROW} bytes ({len(data)} bytes)")
        at = _HEADER.size
        return cls(
            np.frombuffer(data, "<i8", n, at),
            np.frombuffer(data, "<u4", n, at + 8 * n),
            np.frombuffer(data, "<i8", n, at + 12 * n),
        )


def concat(parts: Sequence[Rows]) -> Rows:
    """Rows one behind the other."""
    if len(parts) == 1:
        return parts[0]
    if not parts:
        return Rows.of()
    return Rows(
        np.concatenate([p.time_ns for p in parts]),
        np.concatenate([p.key for p in parts]),
        np.concatenate([p.value for p in parts]),
    )


def in_time_order(rows: Rows) -> Rows:
    """Rows by event time, those of one instant in the order they have."""
    time = rows.time_ns
    if len(time) < 2 or bool((time[1:] >= time[:-1]).all()):
        return rows
    return rows[np.argsort(time, kind="stable")]


def in_total_order(rows: Rows) -> Rows:
    """Rows by event time, key and value: an order that does not know how they arrived."""
    return rows[np.lexsort((rows.value, rows.key, rows.time_ns))]


class ColumnMerge:
    """Rows of several sides under the minimum watermark; the columnar twin of ``SideMerge``.

    Args:
        sides: Every side that is expected.
    """

    def __init__(self, sides: tuple[str, ...]) -> None:
        self._watermark = dict.fromkeys(sides, MIN_NS)
        self._idle: set[str] = set()
        self._waiting: dict[str, list[Rows]] = {side: [] for side in sides}
        self.frontier_ns = MIN_NS

    @property
    def ended(self) -> bool:
        """Every side has come to its end."""
        return all(w == MAX_NS for w in self._watermark.values())

    def __len__(self) -> int:
        return sum(len(rows) for parts in self._waiting.values() for rows in parts)

    def push(self, side: str, rows: Rows) -> Rows:
        """Take rows in any order; those at or before what was released already are not taken but returned."""
        late = rows.time_ns <= self.frontier_ns
        if not late.any():
            if len(rows):
                self._waiting[side].append(rows)
            return Rows.of()
        self._waiting[side].append(rows[~late])
        return rows[late]

    def mark(self, side: str, watermark_ns: int, *, idle: bool = False) -> None:
        """A side's watermark; it never retreats. An idle side holds nobody up until it speaks again."""
        self._watermark[side] = max(self._watermark[side], watermark_ns)
        (self._idle.add if idle else self._idle.discard)(side)

    def release(self) -> dict[str, Rows]:
        """By side the rows up to the new frontier, each side by event time."""
        counted = [w for side, w in self._watermark.items() if side not in self._idle]
        if counted:
            self.frontier_ns = max(self.frontier_ns, min(counted))
        return {side: self._take(side) for side in self._waiting}

    def _take(self, side: str) -> Rows:
        parts = self._waiting[side]
        if not parts:
            return Rows.of()
        rows = in_time_order(concat(parts))
        ready = int(np.searchsorted(rows.time_ns, self.frontier_ns, side="right"))
        self._waiting[side] = [rows[ready:]] if ready < len(rows) else []
        return rows[:ready]

    def snapshot(self) -> dict[str, Any]:
        """A copy of the state; picklable."""
        return {
            "watermark": dict(self._watermark),
            "idle": sorted(self._idle),
            "waiting": {side: concat(parts).to_bytes() for side, parts in self._waiting.items()},
            "frontier": self.frontier_ns,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``snapshot``."""
        self._watermark.update(state["watermark"])
        self._idle = set(state["idle"])
        self._waiting.update({side: [Rows.from_bytes(rows)] for side, rows in state["waiting"].items()})
        self.frontier_ns = state["frontier"]
