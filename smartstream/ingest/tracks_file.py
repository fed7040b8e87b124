"""Tracks in a file instead of a picture: ``tracks:FILE``, one road user in one frame per line."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np

from smartstream.errors import UNREADABLE, InvalidInputError
from smartstream.ingest.jump import JumpGuard
from smartstream.ingest.line_feed import RefusedError, decode_line, instant_of
from smartstream.ingest.lines import MAX_LINE, LineReader
from smartstream.model.classes import CLASS_CODE
from smartstream.model.items import DeadLetter, Gap, Item, Mark, Tally, Tracks
from smartstream.model.state import check_version
from smartstream.model.time import MAX_NS, MIN_NS, NS, parse_instant
from smartstream.model.tracks import TrackBatch

_VERSION: Final = 2
_CHUNK: Final = 500  # lines per turn
_BATCH_NS: Final = NS // 4
_BATCH_ROWS: Final = 1000
_FAR: Final = 100
"""Pictures that a box may reach beyond its own; further is no outline of anybody."""
_LEAST: Final = 1e-6
"""Of a picture: what is thinner has no width in the 32 bits of a batch."""


class TrackLine(msgspec.Struct):
    """A line of a ``tracks:`` file: one road user in one frame."""

    time: str | int | float
    track: int
    box: tuple[float, float, float, float]
    class_: str = msgspec.field(name="class")
    score: float | None = 1.0
    run: int | None = 0
    flags: int | None = 0


class _Row(NamedTuple):
    at_ns: int
    line_no: int
    run: int
    track: int
    class_code: int
    score: float
    box: tuple[float, float, float, float]
    flags: int


_decoder: Final = msgspec.json.Decoder(TrackLine)


def first_instant(path: Path) -> int:
    """Event time of the first line that has one.

    Raises:
        InvalidInputError: No such file, or no line of it has a time.
    """
    reader = LineReader(path)
    try:
        while (found := reader.next_line()) is not None:
            try:
                return parse_instant(_decoder.decode(found[1]).time)
            except (ValueError, *UNREADABLE):
                continue
    finally:
        reader.close()
    broken = f" ({reader.broken})" if reader.broken else ""
    raise InvalidInputError(f'{path}: expected lines like {{"time": …, "track": …, "box": …}}, found none{broken}')


def _row(line_no: int, line: bytes) -> _Row:
    """What a line says.

    Raises:
        RefusedError: It cannot be used.
    """
    if len(line) >= MAX_LINE:
        raise RefusedError("too_long", f"expected at most {MAX_LINE} bytes")
    parsed = decode_line(_decoder, line)
    at_ns = instant_of(parsed.time)
    code = CLASS_CODE.get(parsed.class_)
    x1, y1, x2, y2 = parsed.box
    run, flags = parsed.run or 0, parsed.flags or 0  # null is what many write for absent
    score = 1.0 if parsed.score is None else parsed.score
    if code is None:
        raise RefusedError(
            "unknown_class", f"expected class one of {', '.join(CLASS_CODE)}, found {parsed.class_[:32]!r}"
        )
    if not (0 <= parsed.track < 2**32 and 0 <= run < 2**32):
        raise RefusedError("bad_field", "expected track and run in 0..2^32-1")
    if not 0 <= score <= 1:
        raise RefusedError("bad_field", f"expected a score in 0..1, found {score:g}")
    if not (x2 - x1 >= _LEAST and y2 - y1 >= _LEAST and max(map(abs, parsed.box)) <= _FAR):
        raise RefusedError("bad_box", f"expected x1 < x2 and y1 < y2 within ±{_FAR}")
    return _Row(at_ns, line_no, run, parsed.track, code, score, parsed.box, flags & 255)


class TracksFile:
    """Reads tracks chunk by chunk, puts late-comers back into their frame, and emits batches.

    Rows of the same instant are one frame. A row may come ``lateness_ns`` behind the newest one; later it is a
    dead letter, and so is a row that repeats a track within its frame.

    Args:
        side: The camera's id.
        path: The NDJSON file.
        lateness_ns: Allowed lateness.
        resume: What ``snapshot`` returned.
    """

    def __init__(self, *, side: str, path: Path, lateness_ns: int, resume: dict[str, Any] | None = None) -> None:
        state = resume or {}
        if resume:
            check_version(f"tracks of {side}", resume.get("version"), _VERSION)
        self.side = side
        self._lateness = lateness_ns
        self._reader = LineReader(path, offset=state.get("offset", 0), line_no=state.get("line_no", 0))
        self._guard: JumpGuard[_Row] = JumpGuard(lateness_ns=lateness_ns, state=state.get("guard"))
        self._waiting: list[_Row] = list(state.get("waiting", ()))
        self.counts: dict[str, int] = dict(state.get("counts", {"lines": 0, "rows": 0, "frames": 0, "dead": 0}))
        self._run: int | None = state.get("run")
        self._frame_no: int = state.get("frame_no", 0)
        self.position_ns: int = state.get("position_ns", MIN_NS)
        self.ended: bool = state.get("ended", False)

    @property
    def items(self) -> int:
        """Frames emitted so far."""
        return self.counts["frames"]

    def read(self) -> list[Item]:
        """The next chunk; empty only after the end."""
        if self.ended:
            return []
        out: list[Item] = []
        for _ in range(_CHUNK):
            found = self._reader.next_line()
            if found is None:
                for decided in self._guard.end():
                    self._take(decided, out)
                if self._reader.broken:
                    out.append(self._dead("truncated", self._reader.line_no, self._reader.broken, b""))
                self.ended = True
                break
            self.counts["lines"] += 1
            self._one(*found, out)
        last = self._guard.last_ns
        done_ns = MAX_NS if self.ended else MIN_NS if last is None else last - self._lateness - 1
        self._emit(done_ns, out)
        out.append(Mark(self.side, done_ns))
        out.append(Tally(self.side, dict(self.counts)))
        return out

    def _one(self, line_no: int, line: bytes, out: list[Item]) -> None:
        try:
            row = _row(line_no, line)
        except RefusedError as e:
            out.append(self._dead(e.reason, line_no, e.detail, line))
            return
        for decided in self._guard.push(row.at_ns, row):
            self._take(decided, out)

    def _take(self, decided: tuple[bool, int, _Row], out: list[Item]) -> None:
        believed, at_ns, row = decided
        last = self._guard.last_ns
        if not believed:
            out.append(self._dead("absurd_time", row.line_no, "expected a time near its neighbours'", b""))
        elif at_ns <= self.position_ns or (last is not None and at_ns < last - self._lateness):
            out.append(self._dead("late", row.line_no, f"more than {self._lateness / NS:g} s behind", b"", at_ns))
        else:
            self._waiting.append(row)

    def _emit(self, done_ns: int, out: list[Item]) -> None:
        """Batches of every frame up to ``done_ns``."""
        self._waiting.sort()
        frames: list[list[_Row]] = []
        taken = rows = 0
        for row in self._waiting:
            if row.at_ns > done_ns:
                break
            taken += 1
            new_frame = not frames or frames[-1][0].at_ns != row.at_ns or frames[-1][0].run != row.run
            if frames and new_frame:
                first = frames[0][0]
                if row.at_ns - first.at_ns >= _BATCH_NS or rows >= _BATCH_ROWS or row.run != first.run:
                    self._flush(frames, out)
                    frames, rows = [], 0
            if new_frame:
                frames.append([row])
            elif any(other.track == row.track for other in frames[-1]):
                out.append(
                    self._dead("duplicate", row.line_no, f"track {row.track} twice in one frame", b"", row.at_ns)
                )
                continue
            else:
                frames[-1].append(row)
            rows += 1
        if frames:
            self._flush(frames, out)
        del self._waiting[:taken]

    def _flush(self, frames: list[list[_Row]], out: list[Item]) -> None:
        rows = [row for frame in frames for row in frame]
        first, last, run = frames[0][0].at_ns, frames[-1][0].at_ns, rows[0].run
        if first <= self.position_ns:
            # Two runs share an instant: a camera shows one picture at a time.
            frames = [f for f in frames if f[0].at_ns > self.position_ns]
            out.extend(
                self._dead("duplicate", r.line_no, "this instant belongs to another run", b"", r.at_ns)
                for r in rows
                if r.at_ns <= self.position_ns
            )
            if frames:
                self._flush(frames, out)
            return
        if self._run is not None and run != self._run:
            out.append(Gap(self.side, self._run, first, "new_run"))
            self._frame_no = 0
        self._run = run
        batch = TrackBatch(
            run=run,
            frame_ns=np.array([f[0].at_ns for f in frames], np.int64),
            frame_no=np.arange(self._frame_no, self._frame_no + len(frames), dtype=np.uint64),
            row_end=np.cumsum([len(f) for f in frames], dtype=np.uint32),
            track=np.array([r.track for r in rows], np.uint32),
            box=np.array([r.box for r in rows], np.float32).reshape(-1, 4),
            score=np.array([r.score for r in rows], np.float32),
            class_code=np.array([r.class_code for r in rows], np.uint8),
            flags=np.array([r.flags for r in rows], np.uint8),
        )
        self._frame_no += len(frames)
        self.counts["frames"] += len(frames)
        self.counts["rows"] += len(rows)
        self.position_ns = last
        out.append(Tracks(self.side, first, last, batch.to_bytes()))

    def _dead(self, reason: str, line_no: int, detail: str, line: bytes, at_ns: int | None = None) -> DeadLetter:
        self.counts["dead"] += 1
        filed = at_ns if at_ns is not None else max(self._guard.last_ns or 0, 0)
        payload = line.decode("utf-8", "replace").strip()[:512]
        return DeadLetter("ingest", reason, self.side, filed, f"line {line_no}", detail, payload)

    def snapshot(self) -> dict[str, Any]:
        """Where to go on after the last chunk."""
        return {
            "version": _VERSION,
            "offset": self._reader.offset,
            "line_no": self._reader.line_no,
            "guard": self._guard.snapshot(),
            "waiting": list(self._waiting),
            "counts": dict(self.counts),
            "run": self._run,
            "frame_no": self._frame_no,
            "position_ns": self.position_ns,
            "ended": self.ended,
        }

    def close(self) -> None:
        """Close the file."""
        self._reader.close()
