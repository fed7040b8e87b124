"""What a camera's tracks say to the joins: lanes every quarter minute, impacts, darkness. Looks once a second.

Speeds are in box heights per second, so that no calibration is needed: a vehicle near the camera moves faster in the
picture and is larger in it. The box height stands for 1.5 to 3 m.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import shapely

from smartstream.model.classes import VEHICLE_CLASSES
from smartstream.model.facts import Fact
from smartstream.model.time import NS
from smartstream.model.tracks import PREDICTED, TrackBatch

LANES_NS: Final = 15 * NS
"""Between two facts about a camera's lanes."""
DARK_NS: Final = 10 * NS
"""Without a frame for so long a camera is dark."""
_STILL_HEIGHTS: Final = 0.25  # moved less than this from where it was first seen to stand: it stands
_STILL_NS: Final = 3 * NS
_FAST: Final = 1.5  # heights per second from which a stop within a second or two is abrupt
_TOUCH: Final = 1.3  # heights between two feet that can have touched
_EMPTY_NS: Final = 3600 * NS  # so long an empty street is told quarter by quarter
_GONE_NS: Final = 5 * NS
_PEDESTRIAN: Final = VEHICLE_CLASSES.index("pedestrian")
F64 = npt.NDArray[np.float64]


class CameraGeometry(msgspec.Struct, frozen=True):
    """What of a camera's geometry the watch looks at.

    Attributes:
        camera: Its id.
        junction: Its junction.
        position: Of the junction.
        lanes: Polygons by lane, normalised.
        frames: Its batches hold every frame, also of an empty street; without, silence is no darkness.
    """

    camera: str
    junction: str
    position: tuple[float, float] | None
    lanes: dict[str, tuple[tuple[float, float], ...]]
    frames: bool = True


class _Seen(msgspec.Struct):
    class_code: int
    seen_ns: int
    x: float
    y: float
    height: float
    anchor_x: float
    anchor_y: float
    since_ns: int
    speed: float = 0.0
    before: float = 0.0  # fastest of the last three seconds
    abrupt_ns: int = 0


class CameraWatch:
    """Follows one camera.

    Args:
        geometry: Of the camera.
    """

    def __init__(self, geometry: CameraGeometry) -> None:
        self._geometry = geometry
        self._names = list(geometry.lanes)
        self._polygons = [shapely.Polygon(p) for p in geometry.lanes.values()]
        for polygon in self._polygons:
            shapely.prepare(polygon)
        self._tracks: dict[int, _Seen] = {}
        self._run: int | None = None
        self._last_ns: int | None = None
        self._looked_ns: int | None = None
        self._quarter = 0  # that the samples belong to
        self._impacts: dict[str, tuple[int, list[int]]] = {}
        self._counts = [0] * len(VEHICLE_CLASSES)
        self._samples: list[tuple[int, int, int, float]] = []  # vehicles, still, inside, summed speed per second
        self._lanes: dict[str, list[float]] = {}  # per lane: vehicles, still, seconds

    def take(self, batch: TrackBatch) -> list[Fact]:
        """Facts of a batch, in event-time order."""
        facts: list[Fact] = []
        if len(batch.frame_ns) == 0:
            return facts
        if batch.run != self._run:
            self._run = batch.run
            self._tracks.clear()
        second = batch.frame_ns // NS
        starts = np.flatnonzero(np.diff(second, prepend=-1 if self._last_ns is None else self._last_ns // NS))
        for i in starts.tolist():  # the first frame of every second
            now_ns = int(batch.frame_ns[i])
            before_ns = int(batch.frame_ns[i - 1]) if i else self._last_ns
            if before_ns is not None and now_ns - before_ns > DARK_NS and self._geometry.frames:
                facts.append(self._fact(before_ns + DARK_NS, "dark", since_ns=before_ns))
                facts.append(self._fact(now_ns, "back", since_ns=before_ns))
                self._tracks.clear()
            begin = int(batch.row_end[i - 1]) if i else 0
            self._look(now_ns, batch, slice(begin, int(batch.row_end[i])), facts)
        self._last_ns = int(batch.frame_ns[-1])
        return facts

    def advance(self, until_ns: int) -> list[Fact]:
        """Quarter minutes that have ended: nothing of before ``until_ns`` will follow."""
        facts: list[Fact] = []
        if self._looked_ns is None:
            return facts
        while (end_ns := (self._quarter + 1) * LANES_NS) <= until_ns:
            if self._samples:
                facts.append(self._summary(end_ns))
            elif not self._geometry.frames and end_ns - self._looked_ns <= _EMPTY_NS:
                facts.append(self._empty(end_ns))  # nobody had anything to say: an empty street
            else:
                self._quarter = until_ns // LANES_NS - 1
            self._quarter += 1
        return facts

    def _look(self, now_ns: int, batch: TrackBatch, rows: slice, facts: list[Fact]) -> None:
        facts += self.advance(now_ns)
        if self._looked_ns is None:
            self._quarter = now_ns // LANES_NS
        self._looked_ns = now_ns
        box = batch.box[rows].astype(np.float64)
        real = (batch.flags[rows] & PREDICTED) == 0
        feet: F64 = np.stack([(box[:, 0] + box[:, 2]) / 2, box[:, 3]], axis=1)
        heights = np.maximum(box[:, 3] - box[:, 1], 1e-4)
        tracks, classes = batch.track[rows].tolist(), batch.class_code[rows].tolist()
        for track, class_code, (x, y), height, sure in zip(
            tracks, classes, feet.tolist(), heights.tolist(), real.tolist(), strict=True
        ):
            self._follow(now_ns, track, class_code, x, y, height, sure=sure)
        self._sample(now_ns, tracks, feet)
        self._collide(now_ns, facts)
        for track in [t for t, seen in self._tracks.items() if now_ns - seen.seen_ns > _GONE_NS]:
            del self._tracks[track]
        self._move_off(now_ns, facts)

    def _follow(
        self, now_ns: int, track: int, class_code: int, x: float, y: float, height: float, *, sure: bool
    ) -> None:
        seen = self._tracks.get(track)
        if seen is None:
            self._tracks[track] = _Seen(class_code, now_ns, x, y, height, x, y, now_ns)
            self._counts[class_code] += 1
            return
        span_s = (now_ns - seen.seen_ns) / NS
        if span_s <= 0 or not sure:
            return
        moved = float(np.hypot(x - seen.x, y - seen.y)) / height
        speed = moved / span_s
        if seen.before >= _FAST and speed < 0.3 * seen.before and speed < 0.5:
            seen.abrupt_ns = now_ns
        seen.before = max(speed, 0.6 * seen.before)
        seen.speed, seen.x, seen.y, seen.height, seen.seen_ns = speed, x, y, height, now_ns
        if np.hypot(x - seen.anchor_x, y - seen.anchor_y) > _STILL_HEIGHTS * height:
            seen.anchor_x, seen.anchor_y, seen.since_ns = x, y, now_ns

    def _sample(self, now_ns: int, tracks: Sequence[int], feet: F64) -> None:
        vehicles = [(i, self._tracks[t]) for i, t in enumerate(tracks) if self._tracks[t].class_code != _PEDESTRIAN]
        still = sum(now_ns - seen.since_ns >= _STILL_NS for _, seen in vehicles)
        inside = np.zeros(len(feet), bool)
        for name, polygon in zip(self._names, self._polygons, strict=True):
            held = shapely.contains_xy(polygon, feet[:, 0], feet[:, 1]) if len(feet) else inside
            inside |= held
            sums = self._lanes.setdefault(name, [0.0, 0.0])
            for i, seen in vehicles:
                if held[i]:
                    sums[0] += 1
                    sums[1] += now_ns - seen.since_ns >= _STILL_NS
        within = sum(bool(inside[i]) for i, _ in vehicles)
        self._samples.append((len(vehicles), still, within, sum(seen.speed for _, seen in vehicles)))

    def _summary(self, at_ns: int) -> Fact:
        n = len(self._samples)
        vehicles, still, inside, speed = (sum(column) for column in zip(*self._samples, strict=True))
        fact = self._fact(
            at_ns,
            "lanes",
            seconds=n,
            vehicles=round(vehicles / n, 3),
            still=round(still / n, 3),
            inside=inside,
            seen=vehicles,
            speed=round(speed / vehicles, 3) if vehicles else None,
            counts={name: count for name, count in zip(VEHICLE_CLASSES, self._counts, strict=True) if count},
            lanes={name: [round(v / n, 3), round(s / n, 3)] for name, (v, s) in self._lanes.items()},
        )
        self._samples, self._lanes, self._counts = [], {}, [0] * len(VEHICLE_CLASSES)
        return fact

    def _empty(self, at_ns: int) -> Fact:
        return self._fact(
            at_ns,
            "lanes",
            seconds=15,
            vehicles=0.0,
            still=0.0,
            inside=0,
            seen=0,
            speed=None,
            counts={},
            lanes={},
            silent=True,
        )

    def _collide(self, now_ns: int, facts: list[Fact]) -> None:
        """Two that stopped at once, one of them abruptly, within touch: and both have stood for three seconds."""
        stood = [
            (track, seen)
            for track, seen in self._tracks.items()
            if seen.seen_ns == now_ns and _STILL_NS <= now_ns - seen.since_ns < _STILL_NS + 2 * NS
        ]
        for i, (track, seen) in enumerate(stood):
            for other, near in stood[i + 1 :]:
                abrupt = max(seen.abrupt_ns, near.abrupt_ns)
                apart = np.hypot(seen.x - near.x, seen.y - near.y) / max(seen.height, near.height)
                at_once = abs(seen.since_ns - near.since_ns) <= 2 * NS
                if not abrupt or now_ns - abrupt > 6 * NS or apart > _TOUCH or not at_once:
                    continue
                name = f"{self._geometry.camera}/{self._run}/{min(track, other)}+{max(track, other)}"
                if name not in self._impacts:
                    self._impacts[name] = (now_ns, [track, other])
                    lanes = self._lanes_at(seen.x, seen.y)
                    facts.append(self._fact(now_ns, "impact", impact=name, tracks=[track, other], lanes=lanes))

    def _move_off(self, now_ns: int, facts: list[Fact]) -> None:
        for name, (since_ns, tracks) in list(self._impacts.items()):
            there = [self._tracks.get(track) for track in tracks]
            if all(seen is not None and now_ns - seen.since_ns >= _STILL_NS - NS for seen in there):
                continue
            del self._impacts[name]
            facts.append(self._fact(now_ns, "moved_off", impact=name, stood_s=round((now_ns - since_ns) / NS + 3, 1)))

    def _lanes_at(self, x: float, y: float) -> list[str]:
        return [n for n, p in zip(self._names, self._polygons, strict=True) if shapely.contains_xy(p, x, y)]

    def _fact(self, at_ns: int, kind: str, **more: Any) -> Fact:
        g = self._geometry
        return Fact(at_ns, kind, g.camera, junction=g.junction, position=g.position, more=more)

    def snapshot(self) -> dict[str, Any]:
        """A copy of the state."""
        tracks = {track: msgspec.structs.astuple(seen) for track, seen in self._tracks.items()}
        return {
            "tracks": tracks,
            "run": self._run,
            "last_ns": self._last_ns,
            "looked_ns": self._looked_ns,
            "quarter": self._quarter,
            "impacts": {name: (at, list(tracks)) for name, (at, tracks) in self._impacts.items()},
            "counts": list(self._counts),
            "samples": list(self._samples),
            "lanes": {name: list(sums) for name, sums in self._lanes.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``snapshot``."""
        self._tracks = {track: _Seen(*seen) for track, seen in state["tracks"].items()}
        self._run, self._last_ns, self._looked_ns = state["run"], state["last_ns"], state["looked_ns"]
        self._quarter = state["quarter"]
        self._impacts = dict(state["impacts"])
        self._counts, self._samples, self._lanes = list(state["counts"]), list(state["samples"]), dict(state["lanes"])
