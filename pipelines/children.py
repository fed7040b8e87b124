"""The processes beside the first one of a run: how it starts them, and that none outlives it."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from typing import Final

_STOPS: Final = (signal.SIGINT, signal.SIGTERM)


def start(module: str, *arguments: str, stdout: int | None = None) -> subprocess.Popen[bytes]:
    """Start ``python -m MODULE ARGUMENTS PARENT``.

    A signal that asks it to end waits until it can ``listen``: else one that is still loading would die of it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOPS)
    try:
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments, str(os.getpid())],
            stdout=stdout,
            env=os.environ | {"PYTHONSAFEPATH": "1"},
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def die_with_parent() -> None:
    """Called first in the process: nobody else would ever stop it."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    if os.getppid() != int(sys.argv[-1]):
        sys.exit(1)  # the parent died while this process was starting


def deafen() -> None:
    """Called when all is done: Python on its way out would die of a SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def listen() -> None:
    """Called when the process can take a SIGTERM. A terminal's Ctrl-C it leaves to its parent, who tells all."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _STOPS)
