"""Lines about what is yet to come: a duty roster says at eight what will hold at ten.

``time`` of such a line is when something begins, not when it was told: it says nothing about what time it is. In a
file the lines after it do. Where one of them is further behind it than lines are late, it was dated ahead.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from smartstream.errors import UNREADABLE
from smartstream.ingest.lines import LineReader, LineSource
from smartstream.model.time import MAX_NS, NS, parse_instant

AHEAD_NS: Final = 366 * 86_400 * NS
"""What is dated further ahead is a broken clock or a slip of the pen."""


class _Dated(msgspec.Struct):
    time: str | int | float


_decoder: Final = msgspec.json.Decoder(_Dated)


def with_roster(source: LineSource, path: Path) -> LineSource:
    """A feed in a file whose lines may be dated ahead."""
    return replace(source, open=lambda state: _RosterReader(path, source.lateness_ns, state))


class _RosterReader(LineReader):
    def __init__(self, path: Path, lateness_ns: int, state: dict[str, Any]) -> None:
        super().__init__(path, offset=state.get("offset", 0), line_no=state.get("line_no", 0))
        found = path.stat()
        self._told = _told(path, found.st_size, found.st_mtime_ns, lateness_ns)

    @property
    def told_ns(self) -> int:
        return int(self._told[self.line_no]) if self.line_no < len(self._told) else MAX_NS


@lru_cache(maxsize=8)  # every junction reads the same file
def _told(path: Path, _size: int, _changed_ns: int, lateness_ns: int) -> NDArray[np.int64]:
    """By line number: the earliest instant of the lines after it, where that shows that it was dated ahead."""
    times = _times(path)
    dated = times[times != MAX_NS]
    if not len(dated):
        return times
    middle = np.partition(dated, len(dated) // 2)[len(dated) // 2]
    # A year typed wrong, in either direction, says nothing about the others.
    near = (times != MAX_NS) & (np.abs(times - middle) <= AHEAD_NS)
    earliest = np.minimum.accumulate(np.where(near, times, MAX_NS)[::-1])[::-1]
    after = np.append(earliest[1:], MAX_NS)
    return np.where(near & (after < times - lateness_ns), after, MAX_NS)


def _times(path: Path) -> NDArray[np.int64]:
    """By line number: the instant of a line, ``MAX_NS`` where it has none."""
    reader, times = LineReader(path), [MAX_NS]
    try:
        while (found := reader.next_line()) is not None:
            line_no, line = found
            times += [MAX_NS] * (line_no + 1 - len(times))
            try:
                times[line_no] = parse_instant(_decoder.decode(line).time)
            except (ValueError, *UNREADABLE):
                continue  # told as a dead letter where it is read
    finally:
        reader.close()
    return np.array(times, np.int64)
