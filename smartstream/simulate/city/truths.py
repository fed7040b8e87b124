"""What a perfect operations centre would say of a scenario, by join: made of the world, never of a join's thresholds.

An entry is ``{"keys", "begin", "end"}``: what it may be filed under, and when it was so, epoch seconds. Entries under
``ignore`` were so, and who could have seen them was silent or blind for part of it: they count neither way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from smartstream.simulate.city.citizens import Written
from smartstream.simulate.city.driving import TICK_S, Drive, Driven
from smartstream.simulate.city.happenings import HOUR, Happening, World
from smartstream.simulate.city.stations import Line
from smartstream.simulate.city.streets import GATEWAYS, JUNCTIONS, ROADS, centre
from smartstream.simulate.city.views import CAMERAS, View, seen_by
from smartstream.simulate.layout import STOP_M
from smartstream.simulate.network import ARMS
from smartstream.simulate.phases import SignalPlan

SEVERE_DEPTH_M: Final = 0.3
"""Water in which motorcycles stall: what people are warned of. Floods are drawn well below or from here on."""
SEVERE_DUST: Final = 85.0
GATE_M: Final = 80.0
"""From the middle of a junction to the counting line of a gateway."""
_CAME: Final = 0.5
"""Part of a crowd that has to have come, or gone, for it to have moved the city."""
_ENTRY_M: Final = 30.0
"""First metres of a road: a queue that stands here has reached back to the junction before."""
Entry = dict[str, Any]


class Truths:
    """Collects the entries of one scenario.

    Args:
        world: What was drawn.
        driven: What the street made of it.
        plans: Signals by junction, as the street obeyed them.
        views: What cameras saw.
        written: Who wrote what.
        t0: Event time of the begin.
    """

    def __init__(
        self,
        world: World,
        driven: Driven,
        plans: dict[str, SignalPlan],
        views: dict[str, View],
        written: Written,
        t0: float,
    ) -> None:
        self._world, self._driven, self._views, self._written, self._t0 = world, driven, views, written, t0
        self._cycles = {junction: plan.cycle_s for junction, plan in plans.items()}
        self._true: dict[str, list[Entry]] = defaultdict(list)
        self._ignore: dict[str, list[Entry]] = defaultdict(list)

    def all(self) -> dict[str, Any]:
        """Entries by join, ``true`` and ``ignore``."""
        self._street()
        self._districts()
        self._cameras()
        self._reports()
        names = sorted({*self._true, *self._ignore, *JOINS})
        return {name: {"true": self._true[name], "ignore": self._ignore[name]} for name in names}

    def _add(self, join: str, keys: list[str], begin_s: float, end_s: float, *, seen: bool = True, **more: Any) -> None:
        kept = self._true if seen else self._ignore
        entry = {"keys": keys, "begin": round(self._t0 + begin_s, 1), "end": round(self._t0 + end_s, 1), **more}
        kept[join].append(entry)

    def _street(self) -> None:
        world = self._world
        for crash in world.of("crash"):
            told = self._driven.happened.get(crash.name, {})
            if "at_s" in told:
                seen = bool(self._watched(told["vehicles"][0], told["at_s"]))
                keys = [crash.place[:2]]
                self._add("J-01", keys, told["at_s"], told["moved_s"], seen=seen, where=crash.place)
                if crash.more["injury"]:
                    self._add("J-30", keys, told["at_s"], told["moved_s"], seen=seen, kind="crash")
        for begin_s, end_s, leaves in spillbacks(self._driven.drives, self._cycles, world.seconds):
            both_ends = [c for c, approach in CAMERAS.items() if approach in (leaves, ROADS[leaves])]
            over = [h for h in self._disturbed() if h.begin_s < end_s and begin_s < h.end_s]
            seen = not any(h.place in both_ends for h in over)
            self._add("J-09", [f"{leaves[:2]}→{ROADS[leaves][:2]}"], begin_s, end_s, seen=seen)
        for crowd in world.of("gathering") + world.of("going_home"):
            blind = any(
                c.begin_s < crowd.end_s and crowd.begin_s < c.end_s and CAMERAS[c.place] in GATEWAYS
                for c in self._disturbed()
            )
            way = 1 if crowd.kind == "gathering" else -1
            net = way * net_inward(self._driven.drives, crowd.begin_s, crowd.end_s)
            drawn = crowd.more["more_per_hour"] * (crowd.end_s - crowd.begin_s) / HOUR
            felt = net >= _CAME * drawn  # in a jam nobody comes, and who comes meanwhile makes up for those who leave
            keys = ["cordon/in" if crowd.kind == "gathering" else "cordon/out"]
            self._add("J-10", keys, crowd.begin_s, crowd.end_s, seen=felt and not blind)
        for duty in world.of("duty"):
            sights = passages(self._driven.drives, duty.name)
            if sights:
                self._add("J-13", [j for _, _, j in sights], sights[0][0], sights[-1][1])
        for junction in JUNCTIONS:
            for begin_s, end_s in merged((h.begin_s, h.end_s) for h in world.of("feed_fails", junction)):
                self._add("J-04", [junction], begin_s, end_s)

    def _disturbed(self) -> list[Happening]:
        return self._world.of("covered") + self._world.of("knocked")

    def _watched(self, vehicle: str, at_s: float) -> list[str]:
        """Cameras whose picture of a vehicle is to be trusted at an instant."""
        return [
            c
            for c in seen_by(self._views, vehicle, at_s)
            if not any(h.place == c and h.holds(at_s) for h in self._disturbed())
        ]

    def _districts(self) -> None:
        world = self._world
        for flood in world.of("flood"):
            gauge = f"wl-{flood.place}"
            seen = not world.silent_within(gauge, flood.begin_s, flood.end_s)
            self._add("J-02", [gauge], flood.begin_s, flood.end_s, seen=seen)
            if flood.more["depth_m"] >= SEVERE_DEPTH_M:
                self._add("J-30", [gauge], flood.begin_s, flood.end_s, seen=seen, kind="flood")
        for fire in world.of("burning"):
            station = f"aq-{fire.place}"
            seen = not world.silent_within(station, fire.begin_s - HOUR, fire.end_s)  # what is usual, and what is not
            self._add("J-03", [station], fire.begin_s, fire.end_s, seen=seen)
            if fire.more["dust"] >= SEVERE_DUST:
                self._add("J-30", [station], fire.begin_s, fire.end_s, seen=seen, kind="air_spike")
        for outage in world.of("outage"):
            self._add("J-23", [outage.place], outage.begin_s, outage.end_s)

    def _cameras(self) -> None:
        for covered in self._world.of("covered"):
            self._add("J-07", [covered.place], covered.begin_s, covered.end_s)
        for knocked in self._world.of("knocked"):
            self._add("J-08", [knocked.place], knocked.begin_s, knocked.end_s)

    def _reports(self) -> None:
        world, by_name = self._world, {h.name: h for h in self._world.happenings}
        first: dict[str, Line] = {}
        for line in self._written.reports:
            first.setdefault(line["report"], line)
        for report, line in first.items():
            h, at_s = by_name[self._written.about[report]], line["time"]
            if h.kind == "flood":
                seen = not world.silent(f"wl-{h.place}", at_s)
                self._add("J-14", [report], at_s, at_s, seen=seen)
            elif h.kind in ("crash", "parking"):
                told = self._driven.happened[h.name]
                self._add("J-14", [report], at_s, at_s, seen=bool(self._watched(told["vehicles"][0], told["at_s"])))
            if report in self._written.wrongly_closed:
                seen = not world.silent_within(f"wl-{h.place}", at_s, h.end_s)
                self._add("J-15", [report], at_s, h.end_s, seen=seen)


JOINS: Final = (
    "J-01", "J-02", "J-03", "J-04", "J-07", "J-08", "J-09", "J-10", "J-12", "J-13", "J-14", "J-15", "J-23", "J-27",
    "J-30",
)  # fmt: skip
"""Joins that a scenario has truth for; of J-12 and J-27 it is in ``reports`` and ``tracks``."""


def merged(spans: Iterable[tuple[float, float]]) -> list[tuple[float, float]]:
    """Spans of one thing: where one begins before another one ends they are one."""
    out: list[tuple[float, float]] = []
    for begin, end in sorted(spans):
        if out and begin <= out[-1][1]:
            out[-1] = (out[-1][0], max(end, out[-1][1]))
        else:
            out.append((begin, end))
    return out


def passages(drives: list[Drive], vehicle: str) -> list[tuple[float, float, str]]:
    """When a vehicle was within 45 m of each junction: from, to, which; in its order."""
    out = []
    for drive in drives:
        if drive.id != vehicle:
            continue
        for junction in JUNCTIONS:
            near = np.flatnonzero(np.hypot(*(drive.place_m - np.array(centre(junction))).T) < 45.0)
            if len(near):
                out.append(((drive.first + near[0]) * TICK_S, (drive.first + near[-1]) * TICK_S, junction))
    return sorted(out)


def net_inward(drives: list[Drive], begin_s: float, end_s: float) -> int:
    """Vehicles that entered through the gateways within a span, less those that left."""
    reach = np.array([centre(JUNCTIONS[-1])[0] + GATE_M, GATE_M])
    net = 0
    for drive in drives:
        inside = np.all(np.abs(drive.place_m) < reach, axis=1).astype(np.int64)
        ticks = slice(max(0, round(begin_s / TICK_S) - drive.first), max(0, round(end_s / TICK_S) - drive.first))
        net += int(np.diff(inside)[ticks].sum())
    return net


def spillbacks(drives: list[Drive], cycles_s: dict[str, float], seconds: float) -> list[tuple[float, float, str]]:
    """When a queue reached back to the junction before: begin, end, the arm by which one enters the road.

    That is: it stands in the road's first metres, and a whole cycle of the signal ahead, its green included, does not
    clear them. A whole cycle in which nobody stands there ends it: at green every queue moves.

    Args:
        drives: Everyone.
        cycles_s: Length of a signal's cycle by junction.
        seconds: Of the scenario.
    """
    out = []
    for leaves, reaches in ROADS.items():
        junction, arm = leaves[:2], leaves[2]
        (x0, y0), (dx, dy) = centre(junction), ARMS[arm]
        standing = np.zeros(round(seconds / TICK_S) + 2, np.int64)
        for drive in drives:
            x, y = drive.place_m[:, 0] - x0, drive.place_m[:, 1] - y0
            along, aside = x * dx + y * dy, x * dy - y * dx  # traffic keeps to the right: outbound is aside > 0
            there = (along > STOP_M) & (along < STOP_M + _ENTRY_M) & (aside > 0) & (drive.speed_mps < 0.5)
            standing[drive.first + np.flatnonzero(there)] += 1
        out += [(begin, end, leaves) for begin, end in _spells(standing >= 2, cycles_s[reaches[:2]])]
    return sorted(out)


def _spells(so: npt.NDArray[np.bool_], cycle_s: float) -> list[tuple[float, float]]:
    """Spans of a cycle and more, in seconds, that no whole cycle without parts."""
    ticks = np.flatnonzero(so)
    if not len(ticks):
        return []
    cuts = np.flatnonzero(np.diff(ticks) > cycle_s / TICK_S)
    begins, ends = ticks[np.r_[0, cuts + 1]], ticks[np.r_[cuts, len(ticks) - 1]]
    spans = [(a * TICK_S, b * TICK_S) for a, b in zip(begins.tolist(), ends.tolist(), strict=True)]
    return [(begin, end) for begin, end in spans if end - begin >= cycle_s]
