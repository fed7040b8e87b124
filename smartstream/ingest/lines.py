"""Where lines come from, as every feed sees it, and the simplest place: a file."""

from __future__ import annotations

import gzip
import zlib
from codecs import BOM_UTF8
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final, Protocol, cast

from smartstream.errors import InvalidInputError
from smartstream.model.time import MAX_NS

MAX_LINE: Final = 1 << 16
"""Longest line in bytes; a longer one is handed out cut, and is never valid."""
TURN_LINES: Final = 256
"""Lines per turn: what one turn may hold in memory, however sparse the feed."""


@dataclass(frozen=True)
class Quiet:
    """The source has decided that a silent side holds nobody up.

    Attributes:
        silent_ns: Nothing will follow up to so long after the newest line.
        until_ns: The same as an instant, for a side that has not brought any line.
    """

    silent_ns: int
    until_ns: int


@dataclass(frozen=True)
class Trouble:
    """The way to the source broke (``opened``) or stands again (``closed``)."""

    verb: str
    detail: str


@dataclass(frozen=True)
class Lost:
    """Lines that the source no longer has, before the next one."""

    count: int
    detail: str


Found = tuple[int, bytes] | Quiet | Trouble | Lost


class Lines(Protocol):
    """Lines in an order that is the same whenever they are read again from a snapshot.

    Attributes:
        unit: What one of them is called in a dead letter's place: ``line``, ``message``, ``row``.
        ended: Nothing follows.
        broken: Why it ended before its end, if it did.
        sorted: Sorted by event time: no jump in it is a broken clock, no line of it too old.
    """

    unit: str
    ended: bool
    broken: str
    sorted: bool

    @property
    def told_ns(self) -> int:
        """The line handed out last was told at this instant or before; ``MAX_NS`` where nobody knows."""

    def next_line(self) -> Found | None:
        """The next line with its number, or a word of the source; ``None`` when nothing is ready. Never blocks."""

    def snapshot(self) -> dict[str, Any]:
        """Where to go on after what was handed out last."""

    def close(self) -> None:
        """Free what is held open."""


@dataclass(frozen=True)
class LineSource:
    """A feed of a site file: its name and where its lines come from.

    Attributes:
        side: Name of the feed.
        open: Opens its lines, from the start (an empty state) or from their snapshot.
        lateness_ns: How far behind the newest line a line may be and still be in time.
        turn_lines: Lines per turn.
        live: Lines come while the run lasts; opening it starts to follow them.
    """

    side: str
    open: Callable[[dict[str, Any]], Lines]
    lateness_ns: int
    turn_lines: int = TURN_LINES
    live: bool = False


def file_source(side: str, path: Path, *, lateness_ns: int, turn_lines: int = TURN_LINES) -> LineSource:
    """A feed in a file."""
    return LineSource(side, lambda state: LineReader.resumed(path, state), lateness_ns, turn_lines)


class LineReader:
    """Lines of a file, gzipped by suffix; ``offset`` (in the unpacked file) and ``line_no`` are its resume state.

    Raises:
        InvalidInputError: The file cannot be opened.
    """

    unit = "line"
    sorted = False

    def __init__(self, path: Path, *, offset: int = 0, line_no: int = 0) -> None:
        self.path = path
        self.line_no = line_no
        self.offset = offset
        self.ended = False
        self.broken = ""
        try:
            opened = gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")  # noqa: SIM115  # until close
            self._file = cast(IO[bytes], opened)
            self._file.seek(offset)
        except (OSError, EOFError, zlib.error) as e:
            raise InvalidInputError(f"{path}: expected a readable file, found: {e}") from None

    @property
    def told_ns(self) -> int:
        """Nobody knows when a line of a file was told."""
        return MAX_NS

    @classmethod
    def resumed(cls, path: Path, state: dict[str, Any]) -> LineReader:
        """From its start, or from a snapshot."""
        return cls(path, offset=state.get("offset", 0), line_no=state.get("line_no", 0))

    def next_line(self) -> tuple[int, bytes] | None:
        """The next non-empty line with its number, or ``None`` at the end of the file.

        A damaged gzip stream ends the file; ``broken`` then says how.
        """
        while True:
            try:
                line = self._file.readline(MAX_LINE)
                rest = line
                while rest and not rest.endswith(b"\n") and len(rest) == MAX_LINE:
                    rest = self._file.readline(MAX_LINE)
                    self.offset += len(rest)
            except (OSError, EOFError, zlib.error) as e:
                self.broken = str(e) or type(e).__name__
                line = b""
            if not line:
                self.ended = True
                return None
            length = len(line)
            if not self.offset:
                line = line.removeprefix(BOM_UTF8)  # what Windows editors begin with
            self.offset += length
            self.line_no += 1
            if line.strip():
                return self.line_no, line

    def snapshot(self) -> dict[str, Any]:
        """Where the next line begins."""
        return {"offset": self.offset, "line_no": self.line_no}

    def close(self) -> None:
        """Close the file."""
        self._file.close()
