"""Decisions of people about proposed warnings: ``{"time", "warning", "decision", "by"}``."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from smartstream.ingest.line_feed import LineFeed, RefusedError, decode_line, instant_of, named
from smartstream.model.items import Approval, Approvals, Item
from smartstream.model.time import MAX_NS, MIN_NS, NS


class ApprovalLine(msgspec.Struct):
    """A line of an approval feed."""

    time: str | int | float
    warning: str
    decision: Literal["approve", "reject"]
    by: str


_decoder: Final = msgspec.json.Decoder(ApprovalLine)


class ApprovalLines(LineFeed[Approval]):
    """Reads the lines of an approval feed; who decided must be named."""

    jump_ns = 7 * 86_400 * NS
    step_ns = 0

    def _parse(self, line_no: int, line: bytes) -> tuple[int, Approval]:
        parsed = decode_line(_decoder, line)
        at_ns = instant_of(parsed.time)
        if not parsed.by.strip():
            raise RefusedError("bad_field", "expected the name of who decided in `by`")
        by, warning = named(parsed.by, "by"), named(parsed.warning, "warning")
        return at_ns, Approval(0, at_ns, warning, parsed.decision, by)

    def _voice(self, value: Approval) -> str:
        return value.by

    def _arrived(self, value: Approval) -> Approval:
        return msgspec.structs.replace(value, clock_ns=self.position_ns)

    def _batch(self, values: tuple[Approval, ...]) -> Item:
        newest = self.position_ns
        return Approvals(self.side, values, MAX_NS if self.ended else MIN_NS if newest == MIN_NS else newest - 1)
