"""J-07 camera blindness, J-08 geometry drift: a camera that sees nothing is not a street without violations."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Final

from smartstream.model.facts import Fact, SideKind
from smartstream.streams.joins.incident import Contributor
from smartstream.streams.joins.join import Join

_WARM: Final = 20  # quarter minutes before a camera is judged
_MEMORY: Final = 240  # quarter minutes that the usual is an average of
_BLIND: Final = 0.02  # share of the usual that a blind camera still sees
_CLEAR: Final = 4  # quarter minutes in a row that it sees again
_LOG_ODDS: Final = 18.0  # of seeing so little by chance: e^-18
_SLACK: Final = 0.5
_WHY: Final = {
    "dark": "mất hình",
    "covered": "bị che hoặc quá tối, quá sáng",
    "blurred": "hình mờ",
    "frozen": "hình đứng",
}


class CameraBlind(Join):
    """J-07: a one-sided CUSUM on vehicles entered, against what the camera usually sees and its neighbours see now.

    The log likelihood that a rate fell to a tenth adds up; where the other cameras of the junction, or of the city
    if it has no others, see less than usual too, less is expected. A camera without frames is ``dark``, told at once.
    """

    name, kind, title = "J-07", "camera_blind", "camera không quan sát được"
    prompt: ClassVar[frozenset[SideKind]] = frozenset({"camera"})
    needs: ClassVar[frozenset[SideKind]] = frozenset({"camera"})
    state = ("_usual", "_ticks", "_sum", "_now", "_told", "_cleared")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._usual: dict[str, float] = {}
        self._ticks: dict[str, int] = {}
        self._sum: dict[str, float] = {}
        self._now: dict[str, tuple[str, float]] = {}  # by camera: junction, newest ratio to the usual
        self._told: dict[str, str] = {}
        self._cleared: dict[str, int] = {}

    def detect(self, fact: Fact) -> None:
        """Darkness, and too little for too long."""
        if fact.kind == "dark":
            if fact.entity not in self._told:
                self._open(fact, "dark", 1.0, _WHY.get(fact.what, _WHY["dark"]))
        elif fact.kind == "back":
            if self._told.get(fact.entity) == "dark":
                del self._told[fact.entity]
            self._sum[fact.entity] = 0.0
        elif fact.kind == "lanes":
            self._look(fact)

    def _look(self, fact: Fact) -> None:
        camera, seen = fact.entity, float(sum(fact.more["counts"].values()))
        usual = self._usual.get(camera, seen)
        ticks = self._ticks[camera] = self._ticks.get(camera, 0) + 1
        ratio = seen / usual if usual > 0 else 1.0
        before = self._now.get(camera, ("", ratio))[1]
        self._now[camera] = (str(fact.junction), min(ratio, 0.8 * before + 0.2 * ratio))
        expected = usual * min(1.0, self._neighbours(camera, str(fact.junction)))
        if camera in self._told:
            self._cleared[camera] = self._cleared.get(camera, 0) + 1 if _sees(seen, expected) else 0
            if self._cleared[camera] >= _CLEAR:
                del self._told[camera]
                self._sum[camera] = 0.0
            return
        if ticks > _WARM and expected > 0:
            # Poisson: log of the likelihood of next to nothing over that of the rate; a quarter of it is a quiet road.
            gain = seen * math.log(_BLIND) + (1 - _BLIND) * expected
            self._sum[camera] = max(0.0, self._sum.get(camera, 0.0) + gain)
            if self._sum[camera] >= _LOG_ODDS:
                self._open(fact, "nothing_seen", expected, "không thấy xe trong khi đường vẫn có xe")
                return
        if self._sum.get(camera, 0.0) < 4.0:  # what may be blindness must not become the usual
            self._usual[camera] = usual + (seen - usual) / min(ticks, _MEMORY)

    def _neighbours(self, camera: str, junction: str) -> float:
        others = [(j, r) for c, (j, r) in self._now.items() if c != camera and c not in self._told]
        near = [r for j, r in others if j == junction] or [r for _, r in others]
        return max(near) if near else 1.0

    def _open(self, fact: Fact, what: str, expected: float, detail: str) -> None:
        self._told[fact.entity] = what
        self._cleared[fact.entity] = 0
        weight = 1.0 if what == "dark" else 0.9
        by = Contributor("camera", fact.entity, what, fact.time_ns, weight, expected)
        self.open(fact, fact.entity, by, what=what, expected_per_quarter=round(expected, 2), detail=detail, clear=0)

    def settle(self, fact: Fact) -> None:
        """It sees again."""
        incident = next((i for i in self.incidents.values() if i.key == fact.entity), None)
        if incident is None or fact.time_ns <= incident.since_ns:
            return
        if fact.kind == "back" and incident.more["what"] == "dark":
            incident.more.pop("clear", None)
            self.end(incident, fact.time_ns)
        elif fact.kind == "lanes" and incident.more["what"] != "dark":
            seen = sum(fact.more["counts"].values())
            fine = _sees(seen, incident.more["expected_per_quarter"])
            incident.more["clear"] = incident.more["clear"] + 1 if fine else 0
            if incident.more["clear"] >= _CLEAR:
                incident.more.pop("clear")
                self.end(incident, fact.time_ns)
            elif not fine:
                incident.last_ns = fact.time_ns


def _sees(seen: float, expected: float) -> bool:
    return seen >= max(_SLACK * expected, 1.0)


class CameraDrift(Join):
    """J-08: the whole pattern of traffic has moved in the picture: the camera was pushed, not the road.

    The camera's watch finds it (``view_drift``). While it is open the geometry is invalid, and the rules of the camera
    rest: its junction lifts them itself, in its own order of event time.
    """

    name, kind, title = "J-08", "camera_drift", "camera lệch hướng"
    prompt: ClassVar[frozenset[SideKind]] = frozenset({"camera"})
    needs: ClassVar[frozenset[SideKind]] = frozenset({"camera"})

    def detect(self, fact: Fact) -> None:
        """A view that moved."""
        if fact.kind == "moved":
            by = Contributor("camera", fact.entity, "view_moved", fact.time_ns, 0.9, fact.more["fit"])
            right, down = fact.more["shift"]
            detail = f"khung hình lệch {abs(right):.0%} ngang, {abs(down):.0%} dọc"
            self.open(fact, fact.entity, by, shift=[right, down], detail=detail)

    def settle(self, fact: Fact) -> None:
        """It looks where it looked before."""
        if fact.kind == "settled":
            for incident in [i for i in self.incidents.values() if i.key == fact.entity]:
                self.end(incident, fact.time_ns)
