"""A signal feed: states of the groups of one junction."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, cast

import msgspec

from smartstream.ingest.line_feed import LineFeed, RefusedError, decode_line, instant_of, named
from smartstream.ingest.lines import LineSource
from smartstream.model.classes import STATE_CODE, SignalState
from smartstream.model.items import Item, SignalChange, Signals
from smartstream.model.time import MAX_NS, MIN_NS, NS


class SignalLine(msgspec.Struct):
    """A line of a signal feed."""

    time: str | int | float
    signal: str
    state: str


_decoder: Final = msgspec.json.Decoder(SignalLine)


class SignalLines(LineFeed[SignalChange]):
    """States of signal groups; every line becomes a change or a dead letter.

    A line is late when it lies more than the allowed lateness behind the newest line before it, or at or before an
    instant up to which the source has said that nothing will come. It is a dead letter, and handed on all the same: who
    was suspected by what it contradicts must be cleared, and what it says may hold still. At the end of a file the side
    is released: a feed of state changes holds nobody up.

    Args:
        source: Where the lines come from.
        groups: Signal groups of the junction.
        resume: What ``snapshot`` returned.
    """

    jump_ns = 3600 * NS  # lights change every minute: a longer silence needs a second line to be believed

    def __init__(self, source: LineSource, *, groups: frozenset[str], resume: dict[str, Any] | None = None) -> None:
        self._groups = groups
        super().__init__(source, resume)

    def _parse(self, line_no: int, line: bytes) -> tuple[int, SignalChange]:
        parsed = decode_line(_decoder, line)
        at_ns = instant_of(parsed.time)
        signal = parsed.signal if parsed.signal in self._groups else named(parsed.signal, "signal")
        if signal not in self._groups:
            expected = ", ".join(sorted(self._groups)) or "(no group is declared)"
            raise RefusedError("unknown_signal", f"expected one of {expected}, found {signal[:64]!r}")
        if parsed.state not in STATE_CODE:
            raise RefusedError("unknown_state", f"expected one of {', '.join(STATE_CODE)}, found {parsed.state[:64]!r}")
        return at_ns, SignalChange(at_ns, signal, cast(SignalState, parsed.state))

    def _arrived(self, value: SignalChange) -> SignalChange:
        return value

    def _too_late(self, at_ns: int) -> bool:
        return super()._too_late(at_ns) or at_ns <= self._quiet_ns

    def _heard_late(self, value: SignalChange) -> tuple[SignalChange]:
        return (msgspec.structs.replace(value, known_ns=self._passed_ns + 1),)

    def _cut_off(self) -> Iterator[SignalChange]:
        # A red may have ended since, and nobody would have heard of it.
        if self.position_ns != MIN_NS:
            for group in sorted(self._groups):
                yield SignalChange(self.position_ns + 1, group, "unknown")

    @property
    def _passed_ns(self) -> int:
        """Nothing at or before this instant will come in time."""
        newest = self.newest_ns
        return max(MIN_NS if newest == MIN_NS else newest - self._horizon - 1, self._quiet_ns)

    def _batch(self, values: tuple[SignalChange, ...]) -> Item:
        return Signals(self.side, values, MAX_NS if self.ended else self._passed_ns)
