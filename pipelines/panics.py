"""What Bytewax prints when a step gives up: nobody needs it where one clear message follows.

A step that raises makes Bytewax panic, and Rust prints where, stack and all, on descriptor 2 before Python hears of
it. The hook that prints belongs to Bytewax's own copy of Rust's library, so what it has written is all that can be
held back.
"""

from __future__ import annotations

import os
import sys
from threading import Thread
from types import TracebackType
from typing import Final, Self

from smartstream.errors import SmartstreamError

_BEGINS: Final = b" panicked at src/"
"""Bytewax's sources are named so; ours begin with their crate, and a panic of ours is always shown."""
_GOES_ON: Final = (b"stack backtrace:", b" ", b"note: ")
"""How lines begin that follow the place and the reason of a panic; none follows a second one."""
_PATIENCE_S: Final = 2.0
"""A child process that outlives the run may keep the descriptor open."""


class HeldPanics:
    """While open, what Bytewax says about a panic is held back; all else on descriptor 2 goes through at once.

    What was held is shown on the way out, unless a :class:`SmartstreamError` says it better.
    """

    def __enter__(self) -> Self:
        sys.stderr.flush()
        self._real = os.dup(2)
        self._python = sys.stderr
        # Python itself keeps writing to the real one: it may be a terminal.
        sys.stderr = os.fdopen(os.dup(self._real), "w", buffering=1, errors="backslashreplace")
        self._held = bytearray()
        read, write = os.pipe()
        os.dup2(write, 2)
        os.close(write)
        self._reader = Thread(target=self._pass_on, args=(read,), name="stderr", daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._python.flush()
        os.dup2(self._real, 2)
        self._reader.join(_PATIENCE_S)
        sys.stderr.close()
        sys.stderr = self._python
        if not isinstance(error, SmartstreamError):
            os.write(2, self._held)

    def _pass_on(self, read: int) -> None:
        """Until every writer is gone."""
        began: int | None = None
        with os.fdopen(read, "rb") as lines:
            for number, line in enumerate(lines):
                if _BEGINS in line:
                    began = number
                elif began is not None and number > began + 1 and not line.startswith(_GOES_ON):
                    began = None
                if began is not None:
                    self._held += line
                else:
                    os.write(self._real, line)
        os.close(self._real)
