"""What every feed of lines has in common: read in turns, judge the clock, account for every line."""

from __future__ import annotations

import re
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Final, Generic, TypeVar

import msgspec

from smartstream.errors import UNREADABLE
from smartstream.ingest.ahead import AheadGuard
from smartstream.ingest.jump import JumpGuard
from smartstream.ingest.lines import MAX_LINE, LineSource, Lost, Quiet, Trouble
from smartstream.model.items import DeadLetter, Health, Item, Tally
from smartstream.model.state import check_version
from smartstream.model.time import MIN_NS, NS, TOLD_NS, parse_instant

T = TypeVar("T")
_Line = tuple[int, str, T]  # its number, what a dead letter shows of it, what it says
_VERSION: Final = 4
_UNSEEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_ANY_NS: Final = 10_000 * 366 * 86_400 * NS // 2  # more than lies between any two instants


class RefusedError(Exception):
    """A line cannot be used; becomes a dead letter.

    Args:
        reason: Closed set of snake_case words.
        detail: What was found and what was expected.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


class LineFeed(ABC, Generic[T]):
    """Reads lines turn by turn; every line becomes a value or a dead letter. One class and a schema make a connector.

    Args:
        source: Where the lines come from.
        resume: What ``snapshot`` returned.
    """

    horizon_ns: ClassVar[int] = 0
    """A line more than this behind the newest is too late to be used at all, if its lateness is not longer still."""
    jump_ns: ClassVar[int]
    """A jump ahead that needs no second line to be believed."""
    step_ns: ClassVar[int | None] = None
    """Where nobody can speak of the time to come: a line further ahead than this, and than its feed's lateness, waits
    until another has come as far. ``None``: only ``jump_ns`` counts."""

    def __init__(self, source: LineSource, resume: dict[str, Any] | None = None) -> None:
        state = resume or {}
        if resume:
            check_version(f"feed {source.side}", resume.get("version"), _VERSION)
        self.side = source.side
        self._turn_lines = source.turn_lines
        self._lines = source.open(state.get("lines", {}))
        in_order = self._lines.sorted
        self._horizon = _ANY_NS if in_order else max(self.horizon_ns, source.lateness_ns)
        limit = _ANY_NS if in_order else self.jump_ns
        guarded: dict[str, Any] = {"lateness_ns": source.lateness_ns, "state": state.get("guard")}
        self._guard: JumpGuard[_Line[T]] | AheadGuard[_Line[T]]
        if self.step_ns is not None and not in_order:
            self._guard = AheadGuard(
                step_ns=self.step_ns,
                jump_ns=limit,
                voice=lambda line: self._voice(line[2]),
                told=lambda: self._lines.told_ns,
                **guarded,
            )
        else:
            self._guard = JumpGuard(limit_ns=limit, **guarded)
        self._quiet_ns: int = state.get("quiet_ns", MIN_NS)
        self._told_ns: int = state.get("told_ns", -TOLD_NS)  # of the newest health event
        self.counts: dict[str, int] = dict(state.get("counts", {"lines": 0, "dead": 0}))
        self.ended: bool = state.get("ended", False)

    @property
    def newest_ns(self) -> int:
        """Newest event time that a line has brought."""
        return MIN_NS if self._guard.last_ns is None else self._guard.last_ns

    @property
    def position_ns(self) -> int:
        """The feed's clock: its newest line, or how long it has been known to be silent."""
        return max(self.newest_ns, self._quiet_ns)

    @property
    def items(self) -> int:
        """Lines read so far."""
        return self.counts["lines"]

    def read(self) -> list[Item]:
        """What is ready, a turn at most; of a file that has not ended never nothing."""
        if self.ended:
            return []
        out: list[Item] = []
        values: list[T] = []
        heard = False
        for _ in range(self._turn_lines):
            found = self._lines.next_line()
            if found is None:
                break
            heard = True
            match found:
                case Quiet(silent_ns, until_ns):
                    for decided in self._guard.pause():
                        self._take(decided, values, out)
                    known = self.newest_ns != MIN_NS
                    self._quiet_ns = max(self._quiet_ns, self.newest_ns + silent_ns if known else until_ns)
                case Trouble(verb, detail):
                    # A way may break again before any line comes: another trouble, which needs an instant of its own.
                    self._told_ns = max(self.position_ns, 0, self._told_ns + TOLD_NS)
                    out.append(Health(self.side, "lost", verb, self._told_ns, detail))
                    if verb == "opened":
                        values.extend(self._cut_off())
                case Lost(count, detail):
                    self.counts["lines"] += count
                    place = f"before {self._lines.unit} {self.counts['lines'] + 1}"
                    out.append(self._dead("lost_upstream", place, detail, "", count=count))
                    values.extend(self._cut_off())
                case line_no, line:
                    self.counts["lines"] += 1
                    self._one(line_no, line, values, out)
        if self._lines.ended:
            heard = True
            self._end(values, out)
        if heard:
            out.append(self._batch(tuple(values)))
            out.append(Tally(self.side, dict(self.counts)))
        return out

    @abstractmethod
    def _parse(self, line_no: int, line: bytes) -> tuple[int, T]:
        """Event time and value of a line.

        Raises:
            RefusedError: It cannot be used.
        """

    @abstractmethod
    def _arrived(self, value: T) -> T:
        """The value stamped with ``position_ns``, once its time is believed.

        Raises:
            RefusedError: What was believed since it was read speaks against it.
        """

    def _forgotten(self, value: T) -> None:
        """The time of a value is not believed, or too long ago: nothing it said counts."""

    def _heard_late(self, value: T) -> Iterable[T]:
        """What a line that came too late still tells; nothing, unless the feed knows better."""
        return ()

    def _cut_off(self) -> Iterable[T]:
        """What follows from lines being lost, or the way to them broken; nothing, unless the feed knows.

        Lines are lost behind the end of a file that is not whole, too.
        """
        return ()

    def _voice(self, value: T) -> str:
        """Whose clock a line was written by; the same for all where a feed has one clock."""
        return ""

    @abstractmethod
    def _batch(self, values: tuple[T, ...]) -> Item:
        """The item that carries a turn's values, with ``position_ns`` and ``ended``."""

    def _end(self, values: list[T], out: list[Item]) -> None:
        for decided in self._guard.end():
            self._take(decided, values, out)
        if self._lines.broken:
            place = f"after {self._lines.unit} {self._lines.snapshot().get('line_no', '')}".strip()
            out.append(self._dead("truncated", place, self._lines.broken, ""))
            values.extend(self._cut_off())
        self.ended = True

    def _one(self, line_no: int, line: bytes, values: list[T], out: list[Item]) -> None:
        try:
            if len(line) >= MAX_LINE:
                raise RefusedError("too_long", f"expected at most {MAX_LINE} bytes")  # noqa: TRY301  # one way out
            at_ns, value = self._parse(line_no, line)
        except RefusedError as e:
            out.append(self._dead(e.reason, self._place(line_no), e.detail, self._payload(line)))
            if e.reason == "broken_json" and self._lines.unit == "line" and not line.endswith(b"\n"):
                values.extend(self._cut_off())  # whoever wrote the file was stopped within its last line
            return
        for decided in self._guard.push(at_ns, (line_no, self._payload(line), value)):
            self._take(decided, values, out)

    def _place(self, line_no: int) -> str:
        return f"{self._lines.unit} {line_no}"

    def _payload(self, line: bytes) -> str:
        """What a dead letter shows of a line."""
        return line[:2048].decode("utf-8", "replace").strip()[:512]

    def _too_late(self, at_ns: int) -> bool:
        """Whether a line of this instant cannot be used any more."""
        return at_ns < self.newest_ns - self._horizon

    def _take(self, decided: tuple[bool, int, _Line[T]], values: list[T], out: list[Item]) -> None:
        believed, at_ns, (line_no, text, value) = decided
        place = self._place(line_no)
        if not believed:
            self._forgotten(value)
            out.append(self._dead("absurd_time", place, "expected a time near the lines before or after it", text))
        elif self._too_late(at_ns):
            self._forgotten(value)
            detail = f"expected at most {self._horizon / NS:g} s behind the newest line"
            out.append(self._dead("late", place, detail, text, at_ns))
            values.extend(self._heard_late(value))
        else:
            try:
                values.append(self._arrived(value))
            except RefusedError as e:
                out.append(self._dead(e.reason, place, e.detail, text, at_ns))

    def _dead(
        self, reason: str, place: str, detail: str, text: str, at_ns: int | None = None, count: int = 1
    ) -> DeadLetter:
        self.counts["dead"] += count
        filed = at_ns if at_ns is not None else max(self.newest_ns, 0)
        return DeadLetter("ingest", reason, self.side, filed, place, detail, text, count)

    def snapshot(self) -> dict[str, Any]:
        """Where to go on after the last turn."""
        return {
            "version": _VERSION,
            "lines": self._lines.snapshot(),
            "guard": self._guard.snapshot(),
            "quiet_ns": self._quiet_ns,
            "told_ns": self._told_ns,
            "counts": dict(self.counts),
            "ended": self.ended,
        }

    def close(self) -> None:
        """Free what the lines hold open."""
        self._lines.close()


L = TypeVar("L")


def named(text: str, field: str, most: int = 128) -> str:
    """A name of a line in NFC, so that two ways to write a Vietnamese letter are one name.

    Control characters are refused: they separate what ids of events are hashed from, and they command terminals.

    Raises:
        RefusedError: Empty, too long, or with characters that nobody sees.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if not 0 < len(text) <= most:
        raise RefusedError("bad_field", f"expected 1 to {most} characters in {field}, found {len(text)}")
    if _UNSEEN.search(text):
        raise RefusedError("bad_field", f"expected a {field} without control characters")
    return text


def instant_of(said: object) -> int:
    """The event time of a line, in nanoseconds.

    Raises:
        RefusedError: None that can be read.
    """
    try:
        return parse_instant(said)
    except ValueError as e:
        raise RefusedError("bad_time", str(e)) from None


def decode_line(decoder: msgspec.json.Decoder[L], line: bytes) -> L:
    """A JSON line by its schema.

    Raises:
        RefusedError: No JSON, or a field that the schema refuses.
    """
    try:
        return decoder.decode(line)
    except msgspec.ValidationError as e:
        raise RefusedError("bad_field", str(e)) from None
    except UNREADABLE as e:
        raise RefusedError("broken_json", str(e)) from None
