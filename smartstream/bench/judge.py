"""What is judged in `bench vision`: the rules of one camera's site file, by the engine and by hand."""

from __future__ import annotations

from bisect import bisect_right
from collections import deque
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from smartstream import _core
from smartstream.config.camera import Camera
from smartstream.config.site import Site, load_site
from smartstream.model.classes import STATE_CODE
from smartstream.model.time import NS, parse_instant
from smartstream.rules.compile import compile_junction

WRONG_S: Final = 1.0
"""By hand: driving against a lane for so long is the wrong way."""


class Case(msgspec.Struct, frozen=True):
    """A camera with its rules and the signal states it is judged under.

    Attributes:
        site: The site file.
        camera: Its first camera.
        signals: Time in ns, group, state; in the order of time.
    """

    site: Site
    camera: Camera
    signals: list[tuple[int, str, str]]

    @classmethod
    def load(cls, path: str | Path) -> Case:
        """The first camera of the site file at ``path``, with the states its signal feeds have in their files.

        Raises:
            ConfigError: The site file has mistakes.
        """
        site = load_site(path)
        lines = [
            msgspec.json.decode(line)
            for feed in site.signal_feed
            for line in Path(site.address(feed.url).target).read_bytes().splitlines()
        ]
        signals = sorted((parse_instant(line["time"]), line["signal"], line["state"]) for line in lines)
        return cls(site, site.camera[0], signals)

    @property
    def start_ns(self) -> int:
        """Event time of the first frame."""
        return self.camera.start_time_ns or 0

    def engine(self) -> _core.JunctionEngine:
        """The rule engine, all signal states handed in."""
        junction = next(j for j in self.site.junction if j.id == self.camera.junction)
        compiled = compile_junction(self.site, junction)
        engine = _core.JunctionEngine(compiled.config)
        engine.signals(
            np.array([at for at, _, _ in self.signals], np.int64),
            np.array([compiled.groups.index(group) for _, group, _ in self.signals], np.uint16),
            np.array([STATE_CODE[state] for _, _, state in self.signals], np.uint8),
        )
        return engine


class ByHand:
    """Red light and wrong way as people write them for a tracker's boxes; two of the rules the engine judges.

    Args:
        case: The camera.
        size: Width and height of the picture in pixels.
    """

    def __init__(self, case: Case, size: tuple[int, int]) -> None:
        import cv2

        self._inside = cv2.pointPolygonTest
        scale = np.array(size, np.float32)
        stop = next((line for line in case.camera.line if line.kind == "stop"), None)
        self._stop = None if stop is None else np.array(stop.points, np.float32) * scale
        self._lanes = [
            (np.array(lane.polygon, np.float32) * scale, np.array(lane.direction, np.float32) * scale, lane.signal)
            for lane in case.camera.lane
            if lane.direction is not None
        ]
        self._states: dict[str, tuple[list[int], list[str]]] = {}
        for at, group, state in case.signals:
            times, states = self._states.setdefault(group, ([], []))
            times.append(at)
            states.append(state)
        self._paths: dict[int, deque[tuple[int, Any, str | None]]] = {}
        self.suspected: set[tuple[str, int]] = set()

    def see(self, time_ns: int, xyxy: npt.NDArray[Any], ids: npt.NDArray[Any]) -> None:
        """Boxes of one frame in pixels with their track ids."""
        for (x1, _, x2, y2), track in zip(xyxy, ids, strict=True):
            foot: Any = np.array(((x1 + x2) / 2, y2), np.float32)
            path = self._paths.setdefault(int(track), deque())
            lane = next((lane for lane in self._lanes if self._inside(lane[0], foot, False) >= 0), None)  # noqa: FBT003
            if path and self._stop is not None:
                _, before, signal = path[-1]
                if signal and self._shows(signal, time_ns) == "red" and _cross(before, foot, *self._stop):
                    self.suspected.add(("red_light", int(track)))
            while path and path[0][0] < time_ns - WRONG_S * NS:
                path.popleft()
            if path and lane is not None and float(np.dot(foot - path[0][1], lane[1])) < 0:
                self.suspected.add(("wrong_way", int(track)))
            path.append((time_ns, foot, lane[2] if lane else None))

    def _shows(self, group: str, time_ns: int) -> str | None:
        times, states = self._states.get(group, ([], []))
        at = bisect_right(times, time_ns) - 1
        return states[at] if at >= 0 else None


def _cross(a: Any, b: Any, p: Any, q: Any) -> bool:
    """Whether the segments a-b and p-q meet."""

    def side(u: Any, v: Any, w: Any) -> float:
        return float((v[0] - u[0]) * (w[1] - u[1]) - (v[1] - u[1]) * (w[0] - u[0]))

    return side(p, q, a) * side(p, q, b) < 0 and side(a, b, p) * side(a, b, q) < 0
