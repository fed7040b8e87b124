"""How far a run is, on standard error: a live table on a terminal, a log line every few seconds elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from smartstream.ingest.board import Board
from smartstream.model.time import rfc3339
from smartstream.observe.logging import get_logger

_LOG_EVERY_S: Final = 5.0
_log = get_logger("progress")


class Progress:
    """Watches a board from a thread of its own."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._done = threading.Event()
        self._began = time.monotonic()
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
        if sys.stderr.isatty():
            with Live(self._table(), console=Console(stderr=True), refresh_per_second=4, transient=True) as live:
                while not self._done.wait(0.25):
                    live.update(self._table())
        else:
            while not self._done.wait(_LOG_EVERY_S):
                for side, position_ns, items, ended in self._board.progress():
                    if not ended:
                        _log.info("progress", side=side, at=_instant(position_ns), items=items)

    def _table(self) -> Table:
        table = Table("source", "event time", "items", "items/s", "", title="smartstream run")
        seconds = max(time.monotonic() - self._began, 1e-3)
        for side, position_ns, items, ended in self._board.progress():
            state = "ended" if ended else "running"
            table.add_row(side, _instant(position_ns), f"{items:,}", f"{items / seconds:,.0f}", state)
        return table


def _instant(ns: int) -> str:
    return rfc3339(ns) if ns > 0 else "–"
