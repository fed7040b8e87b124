"""What every feed of lines has in common: read in turns, judge the clock, account for every line."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Final, Generic, Protocol, TypeVar

import msgspec

from smartstream.ingest.jump import JumpGuard
from smartstream.ingest.lines import MAX_LINE, LineReader
from smartstream.model.items import DeadLetter, Item, Tally
from smartstream.model.time import MIN_NS, NS

T = TypeVar("T")
TURN_LINES: Final = 256
"""Lines per turn: what one turn may hold in memory, however sparse the feed."""


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


class Lines(Protocol):
    """Where lines come from; ``offset`` and ``line_no`` are the resume state."""

    offset: int
    line_no: int
    broken: str

    def next_line(self) -> tuple[int, bytes] | None:
        """The next line with its number, or ``None`` at the end."""

    def close(self) -> None:
        """Free what is held open."""


class LineFeed(ABC, Generic[T]):
    """Reads a file of lines chunk by chunk; every line becomes a value or a dead letter.

    Args:
        side: Name of the feed.
        path: The file.
        lateness_ns: How far behind the newest line a line may be and still be in time.
        horizon_ns: A line more than this behind is too late to be used at all.
        jump_ns: A jump ahead that needs no second line to be believed.
        turn_lines: Lines per turn.
        resume: What ``snapshot`` returned.
        reader: Where the lines come from, when ``path`` is no file of lines.
    """

    def __init__(
        self,
        *,
        side: str,
        path: Path,
        lateness_ns: int,
        horizon_ns: int,
        jump_ns: int,
        turn_lines: int = TURN_LINES,
        resume: dict[str, Any] | None = None,
        reader: Lines | None = None,
    ) -> None:
        state = resume or {}
        self.side = side
        self._horizon = horizon_ns
        self._turn_lines = turn_lines
        self._reader: Lines = reader or LineReader(path, offset=state.get("offset", 0), line_no=state.get("line_no", 0))
        self._guard: JumpGuard[tuple[int, str, T]] = JumpGuard(limit_ns=jump_ns, lateness_ns=lateness_ns)
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
        values: list[T] = []
        for _ in range(self._turn_lines):
            found = self._reader.next_line()
            if found is None:
                for decided in self._guard.end():
                    self._take(decided, values, out)
                if self._reader.broken:
                    place = f"after line {self._reader.line_no}"
                    out.append(self._dead("truncated", place, self._reader.broken, ""))
                self.ended = True
                break
            self.counts["lines"] += 1
            self._one(*found, values, out)
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
        """The value stamped with ``position_ns``, once its time is believed."""

    @abstractmethod
    def _batch(self, values: tuple[T, ...]) -> Item:
        """The item that carries a turn's values, with ``position_ns`` and ``ended``."""

    def _one(self, line_no: int, line: bytes, values: list[T], out: list[Item]) -> None:
        try:
            if len(line) >= MAX_LINE:
                raise RefusedError("too_long", f"expected at most {MAX_LINE} bytes")  # noqa: TRY301  # one way out
            at_ns, value = self._parse(line_no, line)
        except RefusedError as e:
            out.append(self._dead(e.reason, f"line {line_no}", e.detail, self._payload(line)))
            return
        for decided in self._guard.push(at_ns, (line_no, self._payload(line), value)):
            self._take(decided, values, out)

    def _payload(self, line: bytes) -> str:
        """What a dead letter shows of a line."""
        return line[:2048].decode("utf-8", "replace").strip()[:512]

    def _take(self, decided: tuple[bool, int, tuple[int, str, T]], values: list[T], out: list[Item]) -> None:
        believed, at_ns, (line_no, text, value) = decided
        place = f"line {line_no}"
        if not believed:
            out.append(self._dead("absurd_time", place, "expected a time near the lines before or after it", text))
        elif at_ns < self.position_ns - self._horizon:
            detail = f"expected at most {self._horizon / NS:g} s behind the newest line"
            out.append(self._dead("late", place, detail, text, at_ns))
        else:
            values.append(self._arrived(value))

    def _dead(self, reason: str, place: str, detail: str, text: str, at_ns: int | None = None) -> DeadLetter:
        self.counts["dead"] += 1
        filed = at_ns if at_ns is not None else max(self.position_ns, 0)
        return DeadLetter("ingest", reason, self.side, filed, place, detail, text)

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


L = TypeVar("L")


def decode_line(decoder: msgspec.json.Decoder[L], line: bytes) -> L:
    """A JSON line by its schema.

    Raises:
        RefusedError: No JSON, or a field that the schema refuses.
    """
    try:
        return decoder.decode(line)
    except msgspec.ValidationError as e:
        raise RefusedError("bad_field", str(e)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise RefusedError("broken_json", str(e)) from None
