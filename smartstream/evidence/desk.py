"""What a junction remembers of the last moments, so that a suspicion can be documented.

The desk sees what the rule engine sees, in the same order, and decides by event time alone when a case is complete:
ten seconds after its act, when the history of the signal has passed, or when the input has ended.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from typing import Any, Final

import msgspec
import numpy as np

from smartstream.model.event import CloudEvent
from smartstream.model.items import SignalChange
from smartstream.model.time import NS
from smartstream.model.tracks import TrackBatch

AROUND_NS: Final = 10 * NS
"""History of the signal before and after an act."""
CLIP_NS: Final = 6 * NS
"""Video before and after an act."""
GAP_NS: Final = NS
"""A track unseen for longer has a gap."""
_KEEP_NS: Final = 30 * NS
_LONGEST_NS: Final = 120 * NS  # of a lasting act its beginning and end count


class Sample(msgspec.Struct, frozen=True, array_like=True):
    """Where the accused vehicle was.

    Attributes:
        at_ns: Event time of the frame.
        frame: Its number in the run.
        box: Normalised x1 y1 x2 y2.
    """

    at_ns: int
    frame: int
    box: tuple[float, float, float, float]


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A suspicion with everything that the streams say about its moment.

    Attributes:
        junction: The junction's id.
        camera: The camera's id.
        evidence: Id of the package to be.
        event: The ``suspected`` event.
        at_ns: When the act began.
        first_ns: First instant of the act or of its proof.
        last_ns: Last instant of it.
        signals: Lines of every group within ten seconds, each group's state at the start of that first.
        samples: The track, about four a second, and where it was first seen and last.
        frames: Event time and number of every frame within the clip.
    """

    junction: str
    camera: str
    evidence: str
    event: CloudEvent
    at_ns: int
    first_ns: int
    last_ns: int
    signals: tuple[SignalChange, ...] = ()
    samples: tuple[Sample, ...] = ()
    frames: tuple[tuple[int, int], ...] = ()


class _Moment(msgspec.Struct, frozen=True):
    """A batch of one camera, thinned out.

    Attributes:
        run: The camera's run.
        frames: Event time and number of every frame.
        seen: By track, its last box; before that its first one, if it was not there in the batch before.
    """

    run: int
    frames: tuple[tuple[int, int], ...]
    seen: dict[int, list[Sample]]

    @classmethod
    def of(cls, batch: TrackBatch, before: _Moment | None) -> _Moment:
        """Of a batch with a frame; ``before`` is the one of the batch before it."""
        tracks, ends = batch.track.tolist(), batch.row_end.tolist()
        last = {track: row for row, track in enumerate(tracks)}
        first = {track: row for row, track in reversed(list(enumerate(tracks)))}
        known = before.seen if before is not None and before.run == batch.run else {}
        rows = [row for t, row in first.items() if t not in known and row != last[t]] + list(last.values())
        frames = tuple(zip(batch.frame_ns.tolist(), batch.frame_no.tolist(), strict=True))
        seen: dict[int, list[Sample]] = {}
        for row, box in zip(rows, batch.box[rows].astype(np.float64).round(5).tolist(), strict=True):
            seen.setdefault(tracks[row], []).append(Sample(*frames[bisect_right(ends, row)], tuple(box)))
        return cls(batch.run, frames, seen)


class _Open(msgspec.Struct):
    case: Case
    due_ns: int
    run: int
    track: int | None
    samples: list[Sample]
    frames: list[tuple[int, int]]


class EvidenceDesk:
    """Keeps the recent past of one junction and closes its cases.

    Args:
        junction: The junction's id.
    """

    def __init__(self, junction: str) -> None:
        self._junction = junction
        self._signals: list[SignalChange] = []
        self._moments: dict[str, deque[_Moment]] = {}
        self._open: list[_Open] = []

    def signal(self, change: SignalChange) -> None:
        """A group shows something else."""
        self._signals.append(change)

    def tracks(self, camera: str, wire: bytes) -> None:
        """A batch of frames."""
        batch = TrackBatch.from_bytes(wire)
        if not len(batch.frame_ns):
            return
        kept = self._moments.setdefault(camera, deque())
        moment = _Moment.of(batch, kept[-1] if kept else None)
        kept.append(moment)
        while kept[0].frames[-1][0] < moment.frames[-1][0] - _KEEP_NS:
            kept.popleft()
        for case in self._open:
            if case.case.camera == camera:
                _follow(case, moment)

    def suspect(self, event: CloudEvent, *, camera: str, at_ns: int, span_ns: tuple[int, int]) -> None:
        """A suspicion was told: its case is open.

        Args:
            event: The ``suspected`` event.
            camera: Its camera.
            at_ns: When the act began.
            span_ns: First and last instant of the act or of its proof.
        """
        case = Case(
            junction=self._junction,
            camera=camera,
            evidence=event.data["evidence_id"],
            event=event,
            at_ns=at_ns,
            first_ns=span_ns[0],
            last_ns=span_ns[1],
        )
        name = event.data["track"]
        run, track = (0, None) if name is None else map(int, name.rsplit("/", 2)[1:])
        opened = _Open(case, span_ns[1] + AROUND_NS, run, track, [], [])
        for moment in self._moments.get(camera, ()):
            _follow(opened, moment)
        self._open.append(opened)

    def close(self, frontier_ns: int, *, ended: bool = False) -> list[Case]:
        """Cases that are complete by now; all of them when the input has ended."""
        ready = [case for case in self._open if ended or case.due_ns <= frontier_ns]
        if ready:
            self._open = [case for case in self._open if not (ended or case.due_ns <= frontier_ns)]
        horizon = min((case.case.first_ns for case in self._open), default=frontier_ns) - _LONGEST_NS
        out = [self._finish(case) for case in ready]
        if not ended and len(self._signals) > 256:
            self._signals = _since(self._signals, min(horizon, frontier_ns - _LONGEST_NS))
        return out

    def _finish(self, opened: _Open) -> Case:
        case = opened.case
        first, last = case.first_ns - AROUND_NS, case.last_ns + AROUND_NS
        near = [change for change in _since(self._signals, first) if change.time_ns <= last]
        return msgspec.structs.replace(
            case, signals=tuple(near), samples=tuple(opened.samples), frames=tuple(opened.frames)
        )

    def snapshot(self) -> dict[str, Any]:
        """Everything kept."""
        return {
            "signals": list(self._signals),
            "moments": {camera: list(kept) for camera, kept in self._moments.items()},
            "open": [msgspec.structs.replace(o, samples=list(o.samples), frames=list(o.frames)) for o in self._open],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``snapshot``."""
        self._signals = list(state["signals"])
        self._moments = {camera: deque(kept) for camera, kept in state["moments"].items()}
        self._open = list(state["open"])


def _follow(opened: _Open, moment: _Moment) -> None:
    """What of a batch belongs to a case."""
    first, last = opened.case.first_ns - AROUND_NS, opened.case.last_ns + AROUND_NS
    opened.frames += [f for f in moment.frames if first <= f[0] <= last]
    if moment.run == opened.run and opened.track is not None:
        opened.samples += [s for s in moment.seen.get(opened.track, ()) if first <= s.at_ns <= last]


def _since(changes: list[SignalChange], at_ns: int) -> list[SignalChange]:
    """The changes after an instant, and before them what each group showed at it."""
    shown: dict[str, SignalChange] = {}
    for change in changes:
        if change.time_ns <= at_ns:
            shown[change.signal] = change
    return [*shown.values(), *(change for change in changes if change.time_ns > at_ns)]
