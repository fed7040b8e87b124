"""Offences and near misses that are played in the traffic.

An act waits for its moment, takes a vehicle of the traffic or adds one, and steers it. Whether an offence
came of it is for the world model to say (``judge``), which looks at everybody's path and not at the plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import atan2, degrees, hypot, sqrt
from typing import Final

from smartstream.simulate.layout import Point
from smartstream.simulate.traffic import STEP_S, Road

SAFE_ONLY: Final = 7
"""SUMO speed mode: keeps its distance, heeds neither lights nor right of way."""
NORMAL: Final = 31
FREE: Final = 0
"""SUMO speed mode: does as it is told."""


@dataclass
class RunRed:
    """The foremost waiting or arriving driver of a lane goes through on red."""

    lane: int
    group: str
    at_s: float
    name: str = "red_light"
    _taken: str = ""

    def step(self, road: Road) -> bool:
        """One step of the simulation; True when the act is over."""
        if self._taken:
            return _is_through(road, self._taken)
        if road.now_s < self.at_s:
            return False
        state, since_s, left_s = road.plan.phase(self.group, road.now_s)
        if state != "red" or since_s < 1.5 or left_s < 4.0:
            return False
        queue = road.in_lane(f"S_in_{self.lane}")
        if not queue:
            return False
        distance, vehicle = queue[0]
        if distance > 12 or vehicle in road.held or road.vehicle.getTypeID(vehicle) in ("bus", "truck"):
            return False
        road.vehicle.setSpeedMode(vehicle, SAFE_ONLY)
        road.vehicle.setSpeed(vehicle, 7.5)
        self._taken = vehicle
        _note(road, self.name, vehicle)
        return False


@dataclass
class RunAmber:
    """A driver who could stop in comfort accelerates when amber comes on."""

    lanes: Sequence[int]
    group: str
    at_s: float
    _taken: str = ""

    def step(self, road: Road) -> bool:
        """One step of the simulation; True when the act is over."""
        if self._taken:
            return _is_through(road, self._taken)
        if road.now_s < self.at_s:
            return False
        for lane in self.lanes:
            queue = road.in_lane(f"S_in_{lane}")
            queue += [(d + 30, v) for d, v in road.in_lane(f"S_far_{lane}")]
            for distance, vehicle in queue:
                speed = road.vehicle.getSpeed(vehicle)
                needed = speed * speed / (2 * distance) if distance > 1 else 99.0
                if vehicle not in road.held and 1.0 < needed < 2.8 and distance < 2.4 * (speed + 2):
                    road.vehicle.setSpeedMode(vehicle, SAFE_ONLY)
                    road.vehicle.setSpeed(vehicle, speed + 3)
                    self._taken = vehicle
                    _note(road, "yellow_light", vehicle)
                    return False
        return True


@dataclass
class StopOver:
    """A driver stops with the nose over the line and waits there for green, or backs off at once."""

    lane: int
    group: str
    at_s: float
    over_m: float
    back: bool = False
    _taken: str = ""
    _over_at: float | None = None
    _position: float = 0.0

    def step(self, road: Road) -> bool:
        """One step of the simulation; True when the act is over."""
        if not self._taken:
            if road.now_s >= self.at_s:
                self._choose(road)
            return False
        vehicle = self._taken
        if vehicle not in road.present:
            return True
        state, _, _ = road.plan.phase(self.group, road.now_s)
        if state == "green":
            _release(road, vehicle)
            return True
        lane = f"S_in_{self.lane}"
        length = road.lane.getLength(lane)
        on_approach = road.vehicle.getLaneID(vehicle) == lane
        position = road.vehicle.getLanePosition(vehicle) + (0 if on_approach else length)
        if self._over_at is None:
            left = length + self.over_m - position
            speed = sqrt(max(2 * 2.2 * left, 0.0))
            if left < 0.05:
                self._over_at, speed = road.now_s, 0.0
            road.vehicle.setSpeed(vehicle, min(speed, road.vehicle.getSpeed(vehicle) + 0.1, 9.0))
        elif self.back and road.now_s > self._over_at + 0.6:
            if not self._position:
                self._position = position
            self._position = max(self._position - 0.9 * STEP_S, length - 1.2)
            if self._position < length - 0.05:
                road.vehicle.moveTo(vehicle, lane, self._position)
            else:
                road.vehicle.moveTo(vehicle, road.vehicle.getLaneID(vehicle), self._position - length)
            road.vehicle.setSpeed(vehicle, 0.0)
        else:
            road.vehicle.setSpeed(vehicle, 0.0)
        return False

    def _choose(self, road: Road) -> None:
        state, since_s, left_s = road.plan.phase(self.group, road.now_s)
        if state != "red" or since_s < 1.0 or left_s < 9.0:
            return
        queue = road.in_lane(f"S_in_{self.lane}")
        if not queue or queue[0][1] in road.held or not 0.5 < queue[0][0] < 25:
            return
        if self.back and len(queue) > 1 and queue[1][0] - queue[0][0] < 9:
            return  # nobody close behind, or there is no room to back into
        if road.vehicle.getTypeID(queue[0][1]) in ("bus", "truck", "bicycle"):
            return
        self._taken = queue[0][1]
        road.vehicle.setSpeedMode(self._taken, FREE)
        _note(road, "nose_back" if self.back else "stop_line", self._taken)


@dataclass
class Spawn:
    """A vehicle of the traffic with a permission or a habit that others have not."""

    name: str
    id: str
    kind: str
    route: str
    lane: int
    at_s: float
    from_stop_m: float
    permit: str = ""
    speed_factor: float = 0.0
    stop_y_m: float | None = None
    stop_s: float = 0.0

    def step(self, road: Road) -> bool:
        """One step of the simulation; True when the act is over."""
        if road.now_s < self.at_s:
            return False
        position = max(240.0 - self.from_stop_m, 2.0)
        lane = str(self.lane)
        depart_speed = str(13.8 * self.speed_factor) if self.speed_factor else "desired"
        road.vehicle.add(
            self.id, self.route, typeID=self.kind + (f"@{self.permit}" if self.permit else ""),
            depart="now", departLane=lane,
            departPos=str(position), departSpeed=depart_speed,
        )  # fmt: skip
        if self.speed_factor:
            road.vehicle.setSpeedFactor(self.id, self.speed_factor)
        if self.stop_y_m is not None:
            road.vehicle.setLaneChangeMode(self.id, 0)
            edge = "S_far" if self.stop_y_m < -50 else "S_in"
            end = self.stop_y_m + (260 if edge == "S_far" else 50)
            road.vehicle.setStop(self.id, edge, end, self.lane, self.stop_s)
        road.held.add(self.id)
        _note(road, self.name, self.id)
        return True


@dataclass
class FollowPath:
    """A rider on a path of his own, off the lanes' rules: against the traffic, on the pavement.

    Attributes:
        path: Corners in metres; where the first leg begins the rider appears.
        speed_mps: His speed.
        clear: Lanes that must be empty where he appears (lane id, from, to in metres before its end).
        weave: Steps aside to the left where someone is in the way.
    """

    name: str
    id: str
    path: Sequence[Point]
    speed_mps: float
    at_s: float
    kind: str = "motorcycle"
    until_s: float = 1e9
    clear: Sequence[tuple[str, float, float]] = ()
    weave: float = 0.0
    _gone_m: float = 0.0
    _aside_m: float = 0.0
    _aim_m: float = 0.0
    _factor: float = 1.0
    _steps: int = 0
    _started: bool = False
    _legs: list[tuple[Point, Point, float]] = field(default_factory=list)

    def step(self, road: Road) -> bool:
        """One step of the simulation; True when the act is over."""
        if not self._started:
            if road.now_s > self.until_s:
                return True
            if road.now_s < self.at_s or not self._is_clear(road):
                return False
            self._start(road)
        elif self.id not in road.present:
            return True
        x, y, heading = self._pose()
        if heading is None:
            road.vehicle.remove(self.id)
            return True
        speed = self.speed_mps
        if self.weave:
            if self._steps % 8 == 0:  # asking SUMO costs time; a rider looks up three times a second
                self._look_ahead(road, x, y)
            self._steps += 1
            self._aside_m += max(-1.6 * STEP_S, min(1.6 * STEP_S, self._aim_m - self._aside_m))
            speed *= self._factor
        x += self._aside_m * (1 if self.weave > 0 else -1)
        road.vehicle.moveToXY(self.id, "", -1, x, y, angle=heading, keepRoute=2)
        self._gone_m += speed * STEP_S
        return False

    def _start(self, road: Road) -> None:
        self._legs = [(a, b, hypot(b[0] - a[0], b[1] - a[1])) for a, b in zip(self.path, self.path[1:], strict=False)]
        road.vehicle.add(self.id, "S_through", typeID=self.kind, depart="now", departLane="0", departPos="5")
        road.vehicle.setSpeedMode(self.id, FREE)
        road.vehicle.setLaneChangeMode(self.id, 0)
        road.held.add(self.id)
        self._started = True
        _note(road, self.name, self.id)

    def _is_clear(self, road: Road) -> bool:
        return not any(low < distance < high for lane, low, high in self.clear for distance, _ in road.in_lane(lane))

    def _pose(self) -> tuple[float, float, float | None]:
        gone = self._gone_m
        for a, b, length in self._legs:
            if gone < length:
                part = gone / length
                x, y = a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1])
                return x, y, degrees(atan2(b[0] - a[0], b[1] - a[1])) % 360
            gone -= length
        return 0.0, 0.0, None

    def _look_ahead(self, road: Road, x: float, y: float) -> None:
        """Choose how far aside to ride past who is ahead, and slow down where there is no room."""
        sign = 1 if self.weave > 0 else -1
        ahead = []
        for lane in ("S_in_0", "S_far_0"):
            for _, other in road.in_lane(lane):
                ox, oy = road.vehicle.getPosition(other)
                if other != self.id and -9 < oy - y < 1.5 + road.vehicle.getLength(other):
                    ahead.append((ox, 0.5 * road.vehicle.getWidth(other)))
        best, best_gap = self._aside_m, -9.0
        for i in range(11):  # within S0
            aside = i * 0.25
            at = x + sign * aside
            gap = min((abs(at - ox) - half - 0.38 for ox, half in ahead), default=2.0)
            gap = min(gap, 0.3) - 0.01 * abs(aside - self._aside_m)
            if gap > best_gap:
                best, best_gap = aside, gap
        self._aim_m = best
        self._factor = 1.0 if best_gap > 0 else 0.6


@dataclass
class BlockBox:
    """Two cars turn left; the first stops right behind the junction, the second has entered without room."""

    first: str
    second: str
    at_s: float
    hold_s: float
    _stopped_at: float | None = None
    _added: bool = False

    def step(self, road: Road) -> bool:
        """One step of the simulation; True when the act is over."""
        if not self._added:
            if road.now_s >= self.at_s:
                for id_, position in ((self.first, "130"), (self.second, "118")):
                    road.vehicle.add(
                        id_, "S_left", typeID="car", depart="now", departLane="2", departPos=position,
                        departSpeed="desired",
                    )  # fmt: skip
                    road.held.add(id_)
                self._added = True
            return False
        if not {self.first, self.second} <= road.present:
            return road.now_s > self.at_s + 5  # departed at last
        if self._stopped_at is None:
            leaving = road.vehicle.getRoadID(self.first) not in ("S_far", "S_in")
            if leaving and road.vehicle.getLaneID(self.second) == "S_in_2":
                road.vehicle.setSpeed(self.second, 0.0)  # he hesitates, so that he cannot say he did not see
            x, y = road.vehicle.getPosition(self.first)
            if x < -14.2 and y > -6:
                road.vehicle.setSpeedMode(self.first, FREE)
                road.vehicle.setSpeed(self.first, 0.0)
                self._stopped_at = road.now_s
                road.vehicle.setSpeedMode(self.second, SAFE_ONLY)
                road.vehicle.setSpeed(self.second, 7.0)
                _note(road, "box_blocking", self.second)
        elif road.now_s > self._stopped_at + self.hold_s:
            _release(road, self.first)
            _release(road, self.second)
            return True
        return False


def _note(road: Road, name: str, vehicle: str) -> None:
    road.held.add(vehicle)
    road.notes.append((round(road.now_s, 2), name, vehicle))


def _is_through(road: Road, vehicle: str) -> bool:
    """Whether it has left the junction, and then drives as it likes again."""
    if vehicle not in road.present:
        return True
    if not road.vehicle.getRoadID(vehicle).endswith("_out"):
        return False
    _release(road, vehicle)
    return True


def _release(road: Road, vehicle: str) -> None:
    road.vehicle.setSpeedMode(vehicle, NORMAL)
    road.vehicle.setSpeed(vehicle, -1)
