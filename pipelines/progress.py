"""How far a run is, on standard error: on a terminal one row drawn anew, elsewhere a log line every few seconds."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from smartstream.ingest.board import Board
from smartstream.model.time import rfc3339
from smartstream.observe.logging import get_logger
from smartstream.observe.status import CLEAR, is_drawn_on

_LOG_EVERY_S: Final = 5.0
_DRAW_EVERY_S: Final = 0.25
_log = get_logger("progress")


class Progress:
    """Watches a board from a thread of its own."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._done = threading.Event()
        self._began = time.monotonic()
        # Of its own, for descriptor 2 is lent to a pipe while the flow runs.
        self._terminal = os.dup(2) if is_drawn_on(sys.stderr) else None
        self._thread = threading.Thread(target=self._watch, name="progress", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.finish()

    def finish(self) -> None:
        """Stop watching."""
        self._done.set()
        if self._thread.is_alive():
            self._thread.join()

    def _watch(self) -> None:
        if self._terminal is None:
            while not self._done.wait(_LOG_EVERY_S):
                for side, position_ns, items, ended in self._board.progress():
                    if not ended:
                        _log.info("progress", side=side, at=_instant(position_ns), items=items)
            return
        with suppress(OSError):  # the terminal has gone
            while not self._done.wait(_DRAW_EVERY_S):
                width = os.get_terminal_size(self._terminal).columns or 80
                os.write(self._terminal, f"{CLEAR}{self._status()[: width - 1]}\r".encode())
            os.write(self._terminal, CLEAR.encode())
        os.close(self._terminal)

    def _status(self) -> str:
        """How many sources run, and the one that is furthest behind."""
        rows = self._board.progress()
        running = [(position_ns, side, items) for side, position_ns, items, ended in rows if not ended]
        if not running:
            return "all sources have ended" if rows else "starting"
        position_ns, side, items = min(running)
        rate = items / max(time.monotonic() - self._began, 1e-3)
        there = f"{side} at {_instant(position_ns)}: {items:,} items, {rate:,.0f}/s"
        return f"{len(running)} of {len(rows)} sources run, {there}"


def _instant(ns: int) -> str:
    return rfc3339(ns) if ns > 0 else "–"
