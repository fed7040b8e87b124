"""A signal feed in a file: states of the groups of one junction."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, cast

import msgspec

from smartstream.ingest.line_feed import LineFeed, RefusedError, decode_line
from smartstream.model.classes import STATE_CODE, SignalState
from smartstream.model.items import Item, SignalChange, Signals
from smartstream.model.time import MAX_NS, MIN_NS, NS, parse_instant

_JUMP_NS: Final = 3600 * NS  # lights change every minute: a longer silence needs a second line to be believed


class _Line(msgspec.Struct):
    time: str | int | float
    signal: str
    state: str


_decoder: Final = msgspec.json.Decoder(_Line)


class SignalFile(LineFeed[SignalChange]):
    """Reads a signal feed; every line becomes a change or a dead letter.

    A line is late when it lies more than ``lateness_ns`` behind the newest line before it. At the end of the
    file the side is released: a feed of state changes holds nobody up.

    Args:
        side: Name of the feed.
        path: The NDJSON file.
        groups: Signal groups of the junction.
        lateness_ns: Allowed lateness.
        resume: What ``snapshot`` returned.
    """

    def __init__(
        self, *, side: str, path: Path, groups: frozenset[str], lateness_ns: int, resume: dict[str, Any] | None = None
    ) -> None:
        self._groups = groups
        super().__init__(
            side=side, path=path, lateness_ns=lateness_ns, horizon_ns=lateness_ns, jump_ns=_JUMP_NS, resume=resume
        )

    def _parse(self, line_no: int, line: bytes) -> tuple[int, SignalChange]:
        parsed = decode_line(_decoder, line)
        try:
            at_ns = parse_instant(parsed.time)
        except ValueError as e:
            raise RefusedError("bad_time", str(e)) from None
        if parsed.signal not in self._groups:
            expected = ", ".join(sorted(self._groups)) or "(no group is declared)"
            raise RefusedError("unknown_signal", f"expected one of {expected}, found {parsed.signal[:64]!r}")
        if parsed.state not in STATE_CODE:
            raise RefusedError("unknown_state", f"expected one of {', '.join(STATE_CODE)}, found {parsed.state[:64]!r}")
        return at_ns, SignalChange(at_ns, parsed.signal, cast(SignalState, parsed.state))

    def _arrived(self, value: SignalChange) -> SignalChange:
        return value

    def _batch(self, values: tuple[SignalChange, ...]) -> Item:
        newest = self.position_ns
        watermark = MAX_NS if self.ended else MIN_NS if newest == MIN_NS else newest - self._horizon - 1
        return Signals(self.side, values, watermark)
