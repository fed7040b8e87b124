"""J-07 camera blindness, J-08 geometry drift: a camera that sees nothing is not a street without violations."""

from __future__ import annotations

import math
from typing import Any, ClassVar, Final

from smartstream.model.facts import Fact, SideKind
from smartstream.streams.joins.incident import Contributor
from smartstream.streams.joins.join import Join

_WARM: Final = 20  # quarter minutes before a camera is judged
_MEMORY: Final = 240  # quarter minutes that the usual is an average of
_LOG_ODDS: Final = 18.0  # of seeing so little by chance: e^-18
_SLACK: Final = 0.5
_DRIFT_WINDOW: Final = 40  # quarter minutes: ten minutes
_DRIFT_SEEN: Final = 150
_DRIFT_Z: Final = 6.0
_DRIFT_LOSS: Final = 0.25


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
                self._open(fact, "dark", 1.0)
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
            if seen >= _SLACK * max(expected, 1.0):
                self._cleared[camera] = self._cleared.get(camera, 0) + 1
                if self._cleared[camera] >= 3:
                    del self._told[camera]
                    self._sum[camera] = 0.0
            return
        if ticks > _WARM and expected > 0:
            # Poisson: log of the likelihood of a tenth of the rate over that of the rate.
            gain = seen * math.log(0.1) + 0.9 * expected
            self._sum[camera] = max(0.0, self._sum.get(camera, 0.0) + gain)
            if self._sum[camera] >= _LOG_ODDS:
                self._open(fact, "nothing_seen", expected)
                return
        if self._sum.get(camera, 0.0) < 4.0:  # what may be blindness must not become the usual
            self._usual[camera] = usual + (seen - usual) / min(ticks, _MEMORY)

    def _neighbours(self, camera: str, junction: str) -> float:
        others = [(j, r) for c, (j, r) in self._now.items() if c != camera and c not in self._told]
        near = [r for j, r in others if j == junction] or [r for _, r in others]
        return max(near) if near else 1.0

    def _open(self, fact: Fact, what: str, expected: float) -> None:
        self._told[fact.entity] = what
        self._cleared[fact.entity] = 0
        weight = 1.0 if what == "dark" else 0.9
        detail = "mất hình" if what == "dark" else "không thấy xe trong khi đường vẫn có xe"
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
            fine = seen >= _SLACK * max(incident.more["expected_per_quarter"], 1.0)
            incident.more["clear"] += fine
            if incident.more["clear"] >= 3:
                incident.more.pop("clear")
                self.end(incident, fact.time_ns)
            elif not fine:
                incident.last_ns = fact.time_ns


class CameraDrift(Join):
    """J-08: vehicles leave the drawn lanes, all at once: the camera was moved, not the road.

    The share of vehicles inside the lanes over ten minutes beside what is usual for the camera (a test of two
    proportions). While it is open the camera's geometry is invalid and its rules ought to rest.
    """

    name, kind, title = "J-08", "camera_drift", "camera lệch hướng"
    prompt: ClassVar[frozenset[SideKind]] = frozenset({"camera"})
    needs: ClassVar[frozenset[SideKind]] = frozenset({"camera"})
    state = ("_usual", "_window", "_told")

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._usual: dict[str, list[float]] = {}  # inside, seen; fading
        self._window: dict[str, list[tuple[float, float]]] = {}
        self._told: dict[str, float] = {}

    def detect(self, fact: Fact) -> None:
        """Compare the last ten minutes with the usual before them."""
        if fact.kind != "lanes" or not fact.more["lanes"]:
            return
        camera = fact.entity
        window = self._window.setdefault(camera, [])
        window.append((fact.more["inside"], fact.more["seen"]))
        usual = self._usual.setdefault(camera, [0.0, 0.0])
        if len(window) > _DRIFT_WINDOW:
            inside, seen = window.pop(0)
            if camera not in self._told:
                usual[0], usual[1] = 0.998 * usual[0] + inside, 0.998 * usual[1] + seen
        share, drift = self._compare(camera)
        if camera in self._told:
            if share is not None and share >= self._told[camera] - _DRIFT_LOSS / 2:
                del self._told[camera]
        elif drift and share is not None:
            was = usual[0] / usual[1]
            self._told[camera] = was
            by = Contributor("camera", camera, "left_lanes", fact.time_ns, 0.9, share)
            detail = f"xe trong làn {share:.0%}, bình thường {was:.0%}"
            self.open(fact, camera, by, usual=round(was, 3), share=round(share, 3), detail=detail)

    def _compare(self, camera: str) -> tuple[float | None, bool]:
        window, (was_in, was_seen) = self._window[camera], self._usual[camera]
        half = window[-_DRIFT_WINDOW // 2 :]
        inside, seen = sum(i for i, _ in half), sum(s for _, s in half)
        if seen < _DRIFT_SEEN or was_seen < 2 * _DRIFT_SEEN:
            return (inside / seen if seen >= _DRIFT_SEEN else None), False
        share, was = inside / seen, was_in / was_seen
        pooled = (inside + was_in) / (seen + was_seen)
        # A vehicle is seen many times: a tenth of the sights are taken as independent.
        spread = math.sqrt(max(pooled * (1 - pooled), 1e-4) * 10 * (1 / seen + 1 / was_seen))
        return share, was - share >= _DRIFT_LOSS and (was - share) / spread >= _DRIFT_Z

    def settle(self, fact: Fact) -> None:
        """Over when vehicles keep to the lanes again for as long as it was judged by."""
        if fact.kind != "lanes":
            return
        incident = next((i for i in self.incidents.values() if i.key == fact.entity), None)
        if incident is None or fact.time_ns <= incident.since_ns:
            return
        good = incident.more.setdefault("again", [0.0, 0.0])
        share = fact.more["inside"] / fact.more["seen"] if fact.more["seen"] else None
        if share is None:
            return
        if share >= incident.more["usual"] - _DRIFT_LOSS / 2:
            good[0] += fact.more["inside"]
            good[1] += fact.more["seen"]
        else:
            good[0] = good[1] = 0.0
            incident.last_ns = fact.time_ns
        if good[1] >= _DRIFT_SEEN:
            del incident.more["again"]
            self.end(incident, fact.time_ns)
