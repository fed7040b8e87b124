"""Tumbling and sliding aggregates on windows of whole numbers: window = time // step, no origin to get lost."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
import numpy as np

from smartstream import _core
from smartstream.errors import InvalidInputError
from smartstream.model.time import MAX_NS, MIN_NS
from smartstream.streams.columns import I64, U32, Rows


class Windows(msgspec.Struct, frozen=True, eq=False):
    """Windows that closed, or were corrected, by start and key.

    Attributes:
        start_ns: (N,) int64; a window holds its start and ends before ``start_ns + width_ns``.
        key: (N,) uint32.
        count: (N,) int64, rows.
        sum: (N,) int64.
        min: (N,) int64.
        max: (N,) int64.
        revision: (N,) int64, above 0 for a correction, which replaces what was told before.
        late: Rows that no window takes any more.
    """

    start_ns: I64
    key: U32
    count: I64
    sum: I64
    min: I64
    max: I64
    revision: I64
    late: Rows

    def __len__(self) -> int:
        return len(self.start_ns)


class _Sums(msgspec.Struct, eq=False):
    """Sums by pane and key, in order of both."""

    pane: I64
    key: U32
    count: I64
    sum: I64
    min: I64
    max: I64

    def __getitem__(self, which: Any) -> _Sums:
        return _Sums(*(column[which] for column in msgspec.structs.astuple(self)))


class WindowAggregate:
    """Counts, sums, smallest and largest values by key and window.

    A window is told once the frontier has passed its end. A row for a window that has been told corrects it, up to
    ``corrections_ns`` after: what differs is told again, with a higher revision, when the next window closes. Rows
    later than that come back as late. The state is the panes that a window or a correction may still need.

    Args:
        width_ns: Of a window.
        step_ns: From the start of one window to the next, a whole part of the width; ``None``: tumbling.
        corrections_ns: How long after its end a window may be corrected.
    """

    def __init__(self, *, width_ns: int, step_ns: int | None = None, corrections_ns: int = 0) -> None:
        self._step = width_ns if step_ns is None else step_ns
        if self._step < 1 or width_ns < 1 or width_ns % self._step:
            raise InvalidInputError(f"windows: expected a width of whole steps, found {width_ns} and {self._step} ns")
        self._panes = width_ns // self._step
        self._kept = -(-corrections_ns // self._step)  # windows that have been told and may be corrected
        self._parts: list[_Sums] = []
        self._rows = 0
        self._told: int | None = None  # windows from this number on have not been told
        self._late_rows: Counter[tuple[int, int]] = Counter()  # by pane and key, for windows that have been told
        self._revisions: dict[tuple[int, int], int] = {}

    def __len__(self) -> int:
        return sum(len(part.pane) for part in self._parts)

    def take(self, rows: Rows, frontier_ns: int) -> Windows:
        """Rows in any order, then the frontier; what closes with it."""
        late = Rows.of()
        if len(rows) and self._told is not None:
            too_late = rows.time_ns < (self._told - self._kept) * self._step
            if too_late.any():
                rows, late = rows[~too_late], rows[too_late]
            told = rows[rows.time_ns < (self._told + self._panes - 1) * self._step]
            self._late_rows.update(zip((told.time_ns // self._step).tolist(), told.key.tolist(), strict=True))
        if len(rows):
            time, key, value = (np.ascontiguousarray(c) for c in (rows.time_ns, rows.key, rows.value))
            self._parts.append(_Sums(*_core.panes(time, key, value, self._step, int(key.max()) + 1)))  # type: ignore[arg-type]
            self._rows += len(self._parts[-1].pane)
            if self._rows > 4 * len(self._parts[0].pane) + 65_536:
                self._settle()
        return self._close(frontier_ns, late)

    def _close(self, frontier_ns: int, late: Rows) -> Windows:
        if frontier_ns == MIN_NS:
            return _nothing(late)
        if frontier_ns != MAX_NS:
            passed = (frontier_ns + 1) // self._step - self._panes + 1  # windows below this number have ended
        elif self._parts:
            passed = max(int(part.pane.max()) for part in self._parts) + 1
        else:
            passed = 0 if self._told is None else self._told
        before, self._told = self._told, passed if self._told is None else max(passed, self._told)
        if not self._parts or (before is not None and passed <= before and frontier_ns != MAX_NS):
            return _nothing(late)
        self._settle()
        sums = self._parts[0]
        first = int(sums.pane[0]) - self._panes + 1 if before is None else before
        new = self._windows(sums, first, self._told)
        revision = np.zeros(len(new.pane), np.int64)
        again = self._corrected(sums, first)
        if again is not None:
            numbers = zip(again.pane.tolist(), again.key.tolist(), strict=True)
            revision = np.concatenate((np.array([self._revisions[n] for n in numbers], np.int64), revision))
            new = _joined([again, new])
        self._forget(sums, frontier_ns)
        return Windows(new.pane * self._step, new.key, new.count, new.sum, new.min, new.max, revision, late)

    def _windows(self, sums: _Sums, first: int, end: int) -> _Sums:
        """Windows ``first`` to before ``end`` put together from their panes."""
        parts = []
        for back in range(self._panes):
            window = sums.pane - back
            which = (window >= first) & (window < end)
            part = sums[which]
            part.pane = window[which]
            parts.append(part)
        return _grouped(_joined(parts))

    def _corrected(self, sums: _Sums, told: int) -> _Sums | None:
        """Windows told before that rows came for, with their next revision."""
        late: Counter[tuple[int, int]] = Counter()
        for (pane, key), rows in self._late_rows.items():
            for window in range(max(pane - self._panes + 1, told - self._kept), min(pane + 1, told)):
                late[window, key] += rows
        self._late_rows.clear()
        if not late:
            return None
        every = self._windows(sums, min(late)[0], told)
        windows = zip(every.pane.tolist(), every.key.tolist(), every.count.tolist(), strict=True)
        which = []
        for i, (pane, key, count) in enumerate(windows):
            if (pane, key) in late:
                which.append(i)
                was = self._revisions.get((pane, key), -1 if count == late[pane, key] else 0)
                self._revisions[pane, key] = was + 1
        return every[np.array(which, np.int64)]

    def _settle(self) -> None:
        if len(self._parts) > 1:
            self._parts = [_grouped(_joined(self._parts))]
        elif self._parts:
            self._parts = [_grouped(self._parts[0])]
        self._rows = 0

    def _forget(self, sums: _Sums, frontier_ns: int) -> None:
        assert self._told is not None
        oldest = self._told - self._kept
        kept = sums[sums.pane >= oldest]
        self._parts = [kept] if frontier_ns != MAX_NS and len(kept.pane) else []
        self._revisions = {w: r for w, r in self._revisions.items() if w[0] >= oldest}

    def snapshot(self) -> dict[str, Any]:
        """A copy of the state; picklable."""
        self._settle()
        columns = msgspec.structs.astuple(self._parts[0]) if self._parts else ()
        return {
            "sums": [column.tobytes() for column in columns],
            "told": self._told,
            "late_rows": dict(self._late_rows),
            "revisions": dict(self._revisions),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``snapshot``."""
        types = (np.int64, np.uint32, np.int64, np.int64, np.int64, np.int64)
        columns = [np.frombuffer(data, t) for data, t in zip(state["sums"], types, strict=False)]
        self._parts = [_Sums(*columns)] if columns else []
        self._told = state["told"]
        self._late_rows, self._revisions = Counter(state["late_rows"]), dict(state["revisions"])


def _joined(parts: list[_Sums]) -> _Sums:
    if len(parts) == 1:
        return parts[0]
    columns = zip(*(msgspec.structs.astuple(part) for part in parts), strict=True)
    return _Sums(*(np.concatenate(column) for column in columns))


def _grouped(sums: _Sums) -> _Sums:
    """One entry per pane and key, in order of both."""
    n = len(sums.pane)
    if n < 2:
        return sums
    low = int(sums.pane.min())
    place = (sums.pane - low) * (int(sums.key.max()) + 1) + sums.key
    if bool((place[1:] > place[:-1]).all()):
        return sums
    order = np.argsort(place, kind="stable")
    place = place[order]
    starts = np.flatnonzero(np.concatenate(([True], place[1:] != place[:-1])))
    by = sums[order]
    return _Sums(
        by.pane[starts],
        by.key[starts],
        np.add.reduceat(by.count, starts),
        np.add.reduceat(by.sum, starts),
        np.minimum.reduceat(by.min, starts),
        np.maximum.reduceat(by.max, starts),
    )


def _nothing(late: Rows) -> Windows:
    none = np.empty(0, np.int64)
    return Windows(none, np.empty(0, np.uint32), none, none, none, none, none, late)
