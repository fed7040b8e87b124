"""What a camera's tracks say to the joins: lanes, who stands in the way, darkness, a view that moved.

It looks once a second. Speeds are in box heights per second, so that no calibration is needed: a vehicle near the
camera moves faster in the picture and is larger in it. The box height stands for 1.5 to 3 m.
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
from smartstream.streams.joins.standing import Lane, Move, Standing, unit
from smartstream.streams.joins.view_drift import ViewDrift

LANES_NS: Final = 15 * NS
"""Between two facts about a camera's lanes."""
DARK_NS: Final = 10 * NS
"""Without a frame for so long a camera is dark."""
_STILL_HEIGHTS: Final = 0.25  # moved less than this from where it was first seen to stand: it stands
_STILL_NS: Final = 3 * NS
_ABRUPT_MPS: Final = 5.5  # lost from one second to the next, more than half of g: nobody brakes so for a light
_HEIGHT_M: Final = 1.7  # of a box, where the ground is not known
_EMPTY_NS: Final = 3600 * NS  # so long an empty street is told quarter by quarter
_GONE_NS: Final = 5 * NS
_JUMP: Final = 3  # vehicles that stood, at least, and nearly all of which are elsewhere a second later: the view moved
_NEARLY_ALL: Final = 0.8
_PEDESTRIAN: Final = VEHICLE_CLASSES.index("pedestrian")
F64 = npt.NDArray[np.float64]


class CameraGeometry(msgspec.Struct, frozen=True):
    """What of a camera's geometry the watch looks at.

    Attributes:
        camera: Its id.
        junction: Its junction.
        position: Of the junction.
        lanes: By name.
        frames: Its batches hold every frame, also of an empty street; without, silence is no darkness.
        ground: Rows of the homography from picture to metres, if calibrated.
    """

    camera: str
    junction: str
    position: tuple[float, float] | None
    lanes: dict[str, Lane]
    frames: bool = True
    ground: tuple[float, ...] | None = None


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
    mps: float = 0.0
    abrupt_ns: int = 0
    has_moved: bool = False


class CameraWatch:
    """Follows one camera.

    Args:
        geometry: Of the camera.
    """

    def __init__(self, geometry: CameraGeometry) -> None:
        self._geometry = geometry
        self._names = list(geometry.lanes)
        self._polygons = [shapely.Polygon(lane.polygon) for lane in geometry.lanes.values()]
        for polygon in self._polygons:
            shapely.prepare(polygon)
        self._ground = None if geometry.ground is None else np.array(geometry.ground).reshape(3, 3)
        self._halves = [self._half(lane) for lane in geometry.lanes.values()]
        self._tracks: dict[int, _Seen] = {}
        self._run: int | None = None
        self._last_ns: int | None = None
        self._looked_ns: int | None = None
        self._quarter = 0  # that the samples belong to
        self._standing = Standing(geometry.camera, geometry.lanes)
        self._drift = ViewDrift()
        self._moves: list[Move] = []
        self._counts = [0] * len(VEHICLE_CLASSES)
        self._samples: list[tuple[int, int, int, float]] = []  # vehicles, still, inside, summed speed per second
        self._lanes: dict[str, list[float]] = {}  # per lane: vehicles, those that stand, those in its first half
        self._blocked: set[str] = set()

    def signal(self, group: str, state: str, at_ns: int) -> None:
        """A group of the junction shows something else."""
        self._standing.signal(group, state, at_ns)

    def take(self, batch: TrackBatch) -> list[Fact]:
        """Facts of a batch, in event-time order."""
        facts: list[Fact] = []
        if len(batch.frame_ns) == 0:
            return facts
        if batch.run != self._run:
            self._run = batch.run
            self._tracks.clear()
            self._standing.stands.clear()
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
        self._moves = []
        heights = np.maximum(box[:, 3] - box[:, 1], 1e-4)
        tracks, classes = batch.track[rows].tolist(), batch.class_code[rows].tolist()
        if self._jumped(tracks, feet, heights):
            self._tracks.clear()
            self._standing.stands.clear()
        self._standing.frame(tracks)
        for track, class_code, (x, y), height, sure in zip(
            tracks, classes, feet.tolist(), heights.tolist(), real.tolist(), strict=True
        ):
            self._follow(now_ns, track, class_code, x, y, height, sure=sure)
        self._sample(now_ns, tracks, feet)
        told = self._standing.look(now_ns, self._moves, _GONE_NS)
        if self._drift.moved is not None:  # its lanes are drawn elsewhere
            told = [(kind, said) for kind, said in told if kind == "moved_off"]
        told += self._drift.sights(now_ns, np.array([(m.x, m.y) for m in self._moves]).reshape(-1, 2))
        facts += [self._fact(now_ns, kind, **said) for kind, said in told]
        self._blocked.update(self._standing.blocked())
        for track in [t for t, seen in self._tracks.items() if now_ns - seen.seen_ns > _GONE_NS]:
            del self._tracks[track]

    def _jumped(self, tracks: Sequence[int], feet: F64, heights: F64) -> bool:
        """Who stands in a queue starts one after the other: when all of them move at once, the camera did."""
        stood = [
            (i, s) for i, t in enumerate(tracks) if (s := self._tracks.get(t)) and s.seen_ns - s.since_ns >= _STILL_NS
        ]
        if len(stood) < _JUMP:
            return False
        moved = sum(np.hypot(feet[i, 0] - s.x, feet[i, 1] - s.y) > _STILL_HEIGHTS * heights[i] for i, s in stood)
        return bool(moved >= _NEARLY_ALL * len(stood))

    def _follow(
        self, now_ns: int, track: int, class_code: int, x: float, y: float, height: float, *, sure: bool
    ) -> None:
        seen = self._tracks.get(track)
        if seen is None:
            self._tracks[track] = _Seen(class_code, now_ns, x, y, height, x, y, now_ns)
            return
        span_s = (now_ns - seen.seen_ns) / NS
        if span_s <= 0 or not sure:
            return
        moved = float(np.hypot(x - seen.x, y - seen.y)) / height
        speed = moved / span_s
        mps = self._metres((seen.x, seen.y), (x, y), height) / span_s
        if seen.mps - mps >= _ABRUPT_MPS and mps < 0.5 * seen.mps:
            seen.abrupt_ns = now_ns
        seen.mps = mps
        if moved > _STILL_HEIGHTS:
            self._moves.append(Move(seen.x, seen.y, x, y))
        seen.speed, seen.x, seen.y, seen.height, seen.seen_ns = speed, x, y, height, now_ns
        if np.hypot(x - seen.anchor_x, y - seen.anchor_y) > _STILL_HEIGHTS * height:
            seen.anchor_x, seen.anchor_y, seen.since_ns = x, y, now_ns
            self._counts[class_code] += not seen.has_moved  # one that stands may be found again and again
            seen.has_moved = True
        elif now_ns - seen.since_ns >= _STILL_NS and seen.class_code != _PEDESTRIAN:
            self._standing.stand(track, seen.since_ns, now_ns, (x, y), height, seen.abrupt_ns)

    def _metres(self, a: tuple[float, float], b: tuple[float, float], height: float) -> float:
        """Between two points of the picture, on the ground; in heights where that is not known."""
        h = self._geometry.ground
        if h is None:
            return float(np.hypot(b[0] - a[0], b[1] - a[1])) / height * _HEIGHT_M
        on = [
            ((h[0] * x + h[1] * y + h[2]) / w, (h[3] * x + h[4] * y + h[5]) / w)
            for x, y in (a, b)
            if (w := h[6] * x + h[7] * y + h[8])
        ]
        return float(np.hypot(on[1][0] - on[0][0], on[1][1] - on[0][1])) if len(on) == 2 else 0.0

    def _plane(self, points: F64) -> F64:
        """Points of the picture on the ground, if that is known: half a lane in the picture is its nearest metres."""
        if self._ground is None:
            return points
        on = points @ self._ground[:, :2].T + self._ground[:, 2]
        found: F64 = on[:, :2] / np.where(on[:, 2:] == 0, np.nan, on[:, 2:])
        return found

    def _half(self, lane: Lane) -> tuple[F64, float]:
        """A lane's way, and how far along it its middle lies; on the ground, if that is known."""
        corners = np.array(lane.polygon)
        centre = corners.mean(axis=0)
        a, b = self._plane(np.stack([centre, centre + 0.01 * np.array(unit(lane))]))
        way = (b - a) / (np.hypot(*(b - a)) or 1.0)
        along = self._plane(corners) @ way
        return way, float(along.min() + along.max()) / 2

    def _sample(self, now_ns: int, tracks: Sequence[int], feet: F64) -> None:
        vehicles = [(i, self._tracks[t]) for i, t in enumerate(tracks) if self._tracks[t].class_code != _PEDESTRIAN]
        still = sum(now_ns - seen.since_ns >= _STILL_NS for _, seen in vehicles)
        inside = np.zeros(len(feet), bool)
        stands = np.zeros(len(feet), bool)
        stands[[i for i, seen in vehicles if now_ns - seen.since_ns >= _STILL_NS]] = True
        counted = np.zeros(len(feet), bool)
        counted[[i for i, _ in vehicles]] = True
        there = self._plane(feet)
        for name, polygon, (way, middle) in zip(self._names, self._polygons, self._halves, strict=True):
            held = shapely.contains_xy(polygon, feet[:, 0], feet[:, 1]) if len(feet) else inside
            inside |= held
            sums = self._lanes.setdefault(name, [0.0, 0.0, 0.0])
            sums[0] += int((held & counted).sum())
            sums[1] += int((held & stands).sum())
            sums[2] += int((held & stands & (there @ way <= middle)).sum())
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
            lanes={name: [round(v / n, 3), round(s / n, 3)] for name, (v, s, _) in self._lanes.items()},
            at_begin={name: round(first / n, 3) for name, (_, _, first) in self._lanes.items() if first},
            obstacles=self._standing.in_the_way,
            blocked=sorted(self._blocked),
        )
        self._samples, self._lanes, self._counts = [], {}, [0] * len(VEHICLE_CLASSES)
        self._blocked.clear()
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
            at_begin={},
            obstacles=0,
            blocked=[],
            silent=True,
        )

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
            "blocked": sorted(self._blocked),
            "standing": self._standing.snapshot(),
            "drift": self._drift.snapshot(),
            "counts": list(self._counts),
            "samples": list(self._samples),
            "lanes": {name: list(sums) for name, sums in self._lanes.items()},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from ``snapshot``."""
        self._tracks = {track: _Seen(*seen) for track, seen in state["tracks"].items()}
        self._run, self._last_ns, self._looked_ns = state["run"], state["last_ns"], state["looked_ns"]
        self._quarter = state["quarter"]
        self._blocked = set(state["blocked"])
        self._standing.restore(state["standing"])
        self._drift.restore(state["drift"])
        self._counts, self._samples, self._lanes = list(state["counts"]), list(state["samples"]), dict(state["lanes"])
