"""The line at the bottom of a terminal that says how far a run is, and how other lines get past it.

It is drawn over and over in one row, cursor back at its start, and never moves up: whatever others write, worker
processes and libraries, stands. What is ours clears the row first, so that nothing of the status is left beside it.
"""

from __future__ import annotations

import os
from typing import Final, TextIO

CLEAR: Final = "\r\x1b[2K"
"""Empties the row that the cursor is in."""


def is_drawn_on(stream: TextIO) -> bool:
    """Whether a status may be drawn there: a terminal that understands what clears a row."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


class OverStatus:
    """A stream whose every line begins in an empty row."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._begins = True

    def write(self, text: str) -> int:
        """Write a line, or a part of one."""
        begins, self._begins = self._begins, text.endswith("\n")
        return self._stream.write(CLEAR + text if begins else text)

    def flush(self) -> None:
        """Flush the stream."""
        self._stream.flush()
