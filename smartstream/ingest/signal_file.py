"""A signal feed in a file: states of the groups of one junction."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, cast

import msgspec

from smartstream.ingest.jump import JumpGuard
from smartstream.ingest.lines import MAX_LINE, LineReader
from smartstream.model.classes import STATE_CODE, SignalState
from smartstream.model.items import DeadLetter, Item, Mark, SignalChange, Signals, Tally
from smartstream.model.time import MAX_NS, MIN_NS, parse_instant

_CHUNK: Final = 64  # lines per turn: what one turn may hold in memory, however sparse the feed


class _Line(msgspec.Struct):
    time: str | int | float
    signal: str
    state: str


_decoder: Final = msgspec.json.Decoder(_Line)
_Held = tuple[int, str, SignalChange]  # line number, text, what it says


class SignalFile:
    """Reads a signal feed chunk by chunk; every line becomes a change or a dead letter.

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
        self,
        *,
        side: str,
        path: Path,
        groups: frozenset[str],
        lateness_ns: int,
        resume: dict[str, Any] | None = None,
    ) -> None:
        state = resume or {}
        self.side = side
        self._groups = groups
        self._lateness = lateness_ns
        self._reader = LineReader(path, offset=state.get("offset", 0), line_no=state.get("line_no", 0))
        self._guard: JumpGuard[_Held] = JumpGuard(lateness_ns=lateness_ns)
        self._guard.last_ns, self._guard.held = state.get("last_ns"), list(state.get("held", ()))
        self.counts: dict[str, int] = dict(state.get("counts", {"lines": 0, "dead": 0}))
        self.ended: bool = state.get("ended", False)

    @property
    def position_ns(self) -> int:
        """Newest event time read so far."""
        return MIN_NS if self._guard.last_ns is None else self._guard.last_ns

    @property
    def items(self) -> int:
        """Lines read so far."""
        return self.counts["lines"]

    def read(self) -> list[Item]:
        """The next chunk; empty only after the end."""
        if self.ended:
            return []
        out: list[Item] = []
        changes: list[SignalChange] = []
        for _ in range(_CHUNK):
            found = self._reader.next_line()
            if found is None:
                for decided in self._guard.end():
                    self._take(decided, changes, out)
                if self._reader.broken:
                    place = f"after line {self._reader.line_no}"
                    out.append(self._dead("truncated", place, self._reader.broken, ""))
                self.ended = True
                break
            self.counts["lines"] += 1
            self._one(*found, changes, out)
        watermark = MAX_NS if self.ended else self._watermark()
        if changes:
            out.append(Signals(self.side, tuple(changes), min(watermark, self._watermark())))
        if self.ended or not changes:
            out.append(Mark(self.side, watermark))
        out.append(Tally(self.side, dict(self.counts)))
        return out

    def _watermark(self) -> int:
        last = self._guard.last_ns
        return MIN_NS if last is None else last - self._lateness - 1

    def _one(self, line_no: int, line: bytes, changes: list[SignalChange], out: list[Item]) -> None:
        text, place = line.decode("utf-8", "replace").strip(), f"line {line_no}"
        if len(line) >= MAX_LINE:
            out.append(self._dead("too_long", place, f"expected at most {MAX_LINE} bytes", text))
            return
        try:
            parsed = _decoder.decode(line)
        except msgspec.ValidationError as e:
            out.append(self._dead("bad_field", place, str(e), text))
            return
        except (msgspec.DecodeError, UnicodeDecodeError) as e:
            out.append(self._dead("broken_json", place, str(e), text))
            return
        try:
            at_ns = parse_instant(parsed.time)
        except ValueError as e:
            out.append(self._dead("bad_time", place, str(e), text))
            return
        if parsed.signal not in self._groups:
            expected = f"expected one of {', '.join(sorted(self._groups)) or '(no group is declared)'}"
            out.append(self._dead("unknown_signal", place, f"{expected}, found {parsed.signal[:64]!r}", text))
            return
        if parsed.state not in STATE_CODE:
            expected = f"expected one of {', '.join(STATE_CODE)}"
            out.append(self._dead("unknown_state", place, f"{expected}, found {parsed.state[:64]!r}", text))
            return
        state = cast(SignalState, parsed.state)
        held = (line_no, text, SignalChange(at_ns, parsed.signal, state))
        for decided in self._guard.push(at_ns, held):
            self._take(decided, changes, out)

    def _take(self, decided: tuple[bool, int, _Held], changes: list[SignalChange], out: list[Item]) -> None:
        believed, at_ns, (line_no, text, change) = decided
        if not believed:
            detail = "expected a time near the lines before or after it"
            out.append(self._dead("absurd_time", f"line {line_no}", detail, text))
        elif at_ns <= self._watermark():
            detail = f"expected at most {self._lateness / 1e9:g} s behind the newest line"
            out.append(self._dead("late", f"line {line_no}", detail, text, at_ns))
        else:
            changes.append(change)

    def _dead(self, reason: str, place: str, detail: str, text: str, at_ns: int | None = None) -> DeadLetter:
        self.counts["dead"] += 1
        filed = at_ns if at_ns is not None else max(self.position_ns, 0)
        return DeadLetter("ingest", reason, self.side, filed, place, detail, text[:512])

    def snapshot(self) -> dict[str, Any]:
        """Where to go on after the last chunk."""
        return {
            "offset": self._reader.offset,
            "line_no": self._reader.line_no,
            "last_ns": self._guard.last_ns,
            "held": list(self._guard.held),
            "counts": dict(self.counts),
            "ended": self.ended,
        }

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
