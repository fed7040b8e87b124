"""What Bytewax prints and raises when a step gives up: nobody needs it where one clear message follows.

A step that raises makes Bytewax panic, and Rust prints where, stack and all, on descriptor 2 before Python hears of
it. The hook that prints belongs to Bytewax's own copy of Rust's library, so what it has written is all that can be
held back; in a cluster it prints by ``sys.excepthook`` instead. There the network threads panic, too, and Python is
told of that panic alone, with nothing of the reason in it; but an error on its way out of a step has been wrapped in a
``BytewaxRuntimeError``.

So each of those is noted where it is made, in its ``__init__``, for as long as the flow runs: there is no hook for it,
and the workers of a cluster hand no error back. To wrap instead everything that Bytewax may call, of every source, step
and sink, would patch many objects in place of one class, and miss what Bytewax raises by itself.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from threading import Thread
from traceback import format_exception
from types import TracebackType
from typing import Any, Final, Self

from bytewax.dataflow import Dataflow
from bytewax.errors import BytewaxRuntimeError

from smartstream.errors import SmartstreamError, UnavailableError
from smartstream.observe.status import CLEAR

_BEGINS: Final = re.compile(rb" panicked at (?:src/|\S*/timely-dataflow-)")
"""Bytewax's sources are named so, and those of its network; ours begin with their crate: a panic of ours is always
shown."""
_GOES_ON: Final = (b"stack backtrace:", b" ", b"note: ", b"\n")
"""How lines begin that follow the place and the reason of a panic; none follows a second one."""
_PATIENCE_S: Final = 2.0
"""A child process that outlives the run may keep the descriptor open."""
_NETWORK: Final = "thread panic"
"""In the message of a panic that a network thread brought about."""


_SQLITE: Final = re.compile(r"(?:SqliteFailure|RusqliteError).*Some\(\"([^\"]*)\"\)")
"""In the message of a panic of Bytewax over its recovery databases: what SQLite says."""


def recovery_failure(error: BaseException) -> UnavailableError | None:
    """What is to be told where Bytewax could not keep its recovery databases; ``None`` for any other error."""
    said = _SQLITE.search(str(error))
    return UnavailableError(f"recovery folder: cannot be written: {said[1]}") if said else None


class PeerGoneError(UnavailableError):
    """Another process of the run is gone; what it had to say is said there."""


def wrap_errors(flow: Dataflow) -> Dataflow:
    """Have wrapped what Bytewax by itself does not: errors of stateful builders and of ``write_batch``."""
    steps = list(flow.substeps)
    while steps:
        step = steps.pop()
        steps += step.substeps
        if (builder := getattr(step, "builder", None)) is not None:
            object.__setattr__(step, "builder", _wrapped(builder))
        if (sink := getattr(step, "sink", None)) is not None:
            sink.build_part = _built(sink.build_part)
    return flow


def _built(build_part: Callable[..., Any]) -> Callable[..., Any]:
    def build(*args: Any) -> Any:
        part = build_part(*args)
        part.write_batch = _wrapped(part.write_batch)
        return part

    return build


def _wrapped(call: Callable[..., Any]) -> Callable[..., Any]:
    def calling(*args: Any) -> Any:
        try:
            return call(*args)
        except Exception as e:
            raise BytewaxRuntimeError(f"error in {call!r}") from e

    return calling


class HeldPanics:
    """While open, what Bytewax says about a panic is held back; all else on descriptor 2 goes through at once.

    What leaves is the :class:`SmartstreamError` behind what Bytewax raised. What was held is shown on the way out only
    where there is none. One at a time.

    Raises:
        PeerGoneError: Another process of the cluster has gone, and nothing is wrong with this one.
    """

    def __enter__(self) -> Self:
        self._wraps: list[BytewaxRuntimeError] = []
        note = self._wraps.append

        def init(error: BytewaxRuntimeError, *args: Any) -> None:
            RuntimeError.__init__(error, *args)
            note(error)

        BytewaxRuntimeError.__init__ = init  # type: ignore[assignment, method-assign]
        self._hook = sys.excepthook
        sys.excepthook = self._hold
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
        del BytewaxRuntimeError.__init__
        self._python.flush()
        os.dup2(self._real, 2)
        self._reader.join(_PATIENCE_S)
        sys.stderr.close()
        sys.stderr = self._python
        reason = self._reason(error)
        if not isinstance(reason, SmartstreamError):
            sys.excepthook = self._hook
            os.write(2, self._held)
        # Otherwise it stays: threads of the network may still panic over peers that are gone.
        if reason is not None and reason is not error:
            raise reason

    def _reason(self, error: BaseException | None) -> BaseException | None:
        """What a step of ours raised on purpose; else the most that is known."""
        if error is None:
            return None
        for outermost in (error, *reversed(self._wraps)):
            at: BaseException | None = outermost
            while at is not None:
                if isinstance(at, SmartstreamError):
                    return at
                at = at.__cause__
        if (failure := recovery_failure(error)) is not None:
            return failure
        if type(error).__name__ == "PanicException":  # not to be imported from anywhere
            if self._wraps:
                return self._wraps[-1]
            if _NETWORK in str(error):
                return PeerGoneError("another process of the run is gone")
        return error

    def _hold(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Bytewax prints a panic."""
        if isinstance(error, BytewaxRuntimeError) or _BEGINS.search(str(error).encode()):
            self._held += "".join(format_exception(kind, error, trace)).encode()
        else:
            self._hook(kind, error, trace)

    def _pass_on(self, read: int) -> None:
        """Until every writer is gone."""
        began: int | None = None
        before = CLEAR.encode() if os.isatty(self._real) else b""
        with os.fdopen(read, "rb") as lines:
            for number, line in enumerate(lines):
                if _BEGINS.search(line):
                    began = number
                elif began is not None and number > began + 1 and not line.startswith(_GOES_ON):
                    began = None
                if began is not None:
                    self._held += line
                else:
                    os.write(self._real, before + line)
        os.close(self._real)
