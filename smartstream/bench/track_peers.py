"""The trackers users would pick instead, at their defaults, behind one face.

Conversion to a peer's own types happens in ``prepare`` and ``rows``, outside the timed call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib import import_module
from importlib.metadata import version
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from smartstream._core import Tracker, __version__

STRONG: Final = 0.5
"""Trackers that know no weak detections get those from this score, as their examples do."""


class Frame(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Detections of one frame: time, (N, 4) float32 x1 y1 x2 y2, (N,) float32."""

    time_ns: int
    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]


class Contestant(msgspec.Struct, frozen=True, kw_only=True):
    """One tracker in the run.

    Attributes:
        name: As in the table.
        version: Of its distribution.
        ours: Whether it is smartstream's.
        prepare: Puts a frame into the tracker's own types.
        start: Makes a fresh tracker for a frame rate; what it returns is called, and timed, once per prepared frame.
        rows: Identities and x1 y1 x2 y2 boxes of what a call returned.
    """

    name: str
    version: str
    ours: bool
    prepare: Callable[[Frame], Any]
    start: Callable[[float], Callable[[Any], Any]]
    rows: Callable[[Any], Iterable[tuple[int, list[float]]]]


def ours(preset: str) -> Contestant:
    """This tracker, one call per frame."""

    def start(fps: float) -> Callable[[Any], Any]:  # noqa: ARG001 - steps come from the frames' times
        update = Tracker(preset).update
        return lambda frame: update(frame.time_ns, frame.boxes, frame.scores)

    def rows(result: Any) -> Iterable[tuple[int, list[float]]]:
        return zip(result.track.tolist(), result.box.tolist(), strict=True)

    return Contestant(
        name=f"smartstream {preset}",
        version=__version__,
        ours=True,
        prepare=lambda frame: frame,
        start=start,
        rows=rows,
    )


def _roboflow(name: str, tracker: str, **settings: Any) -> Contestant:
    supervision, trackers = import_module("supervision"), import_module("trackers")

    def prepare(frame: Frame) -> Any:
        classes = np.zeros(len(frame.scores), dtype=int)
        return supervision.Detections(xyxy=frame.boxes, confidence=frame.scores, class_id=classes)

    def start(fps: float) -> Callable[[Any], Any]:
        update: Callable[[Any], Any] = getattr(trackers, tracker)(frame_rate=fps, **settings).update
        return update

    def rows(result: Any) -> Iterable[tuple[int, list[float]]]:
        found = zip(result.tracker_id.tolist(), result.xyxy.tolist(), strict=True)
        return (row for row in found if row[0] >= 0)

    return Contestant(name=name, version=version("trackers"), ours=False, prepare=prepare, start=start, rows=rows)


def _norfair() -> Contestant:
    norfair = import_module("norfair")

    def prepare(frame: Frame) -> Any:
        strong = frame.scores >= STRONG
        return [
            norfair.Detection(points=box.reshape(2, 2).astype(float), scores=np.array([score, score]))
            for box, score in zip(frame.boxes[strong], frame.scores[strong], strict=True)
        ]

    def start(fps: float) -> Callable[[Any], Any]:  # noqa: ARG001 - norfair counts frames
        tracker = norfair.Tracker(distance_function="iou", distance_threshold=0.7, initialization_delay=2)
        return lambda detections: tracker.update(detections=detections)

    def rows(result: Any) -> Iterable[tuple[int, list[float]]]:
        for track in result:
            if track.id is not None and track.live_points.all() and track.hit_counter_is_positive:
                yield track.id, track.last_detection.points.ravel().tolist()

    return Contestant(name="norfair", version=version("norfair"), ours=False, prepare=prepare, start=start, rows=rows)


def _similari() -> Contestant:
    similari = import_module("similari")

    def prepare(frame: Frame) -> Any:
        strong = frame.boxes[frame.scores >= STRONG]
        return [(similari.BoundingBox(x1, y1, x2 - x1, y2 - y1).as_xyaah(), None) for x1, y1, x2, y2 in strong.tolist()]

    def start(fps: float) -> Callable[[Any], Any]:  # noqa: ARG001 - Similari counts frames
        overlap = similari.PositionalMetricType.iou(threshold=0.3)
        predict: Callable[[Any], Any] = similari.Sort(
            shards=1, bbox_history=1, max_idle_epochs=5, method=overlap
        ).predict
        return predict

    def rows(result: Any) -> Iterable[tuple[int, list[float]]]:
        for track in result:
            if track.length >= 3:
                box = track.observed_bbox.as_ltwh()
                yield track.id, [box.left, box.top, box.left + box.width, box.top + box.height]

    return Contestant(
        name="similari SORT",
        version=version("similari-trackers-rs"),
        ours=False,
        prepare=prepare,
        start=start,
        rows=rows,
    )


PEERS: Final[dict[str, Callable[[], Contestant]]] = {
    "trackers SORT": lambda: _roboflow("trackers SORT", "SORTTracker"),
    "trackers ByteTrack": lambda: _roboflow("trackers ByteTrack", "ByteTrackTracker"),
    "trackers OC-SORT": lambda: _roboflow("trackers OC-SORT", "OCSORTTracker"),
    # Compensation of camera motion off: there are no pictures here.
    "trackers BoT-SORT": lambda: _roboflow("trackers BoT-SORT", "BoTSORTTracker", enable_cmc=False),
    "trackers C-BIoU": lambda: _roboflow("trackers C-BIoU", "CBIoUTracker"),
    "norfair": _norfair,
    "similari SORT": _similari,
}
"""Made only when asked for: each needs its library."""
