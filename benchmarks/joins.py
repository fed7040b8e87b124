"""Joins scored on worlds they have not seen: ``python benchmarks/joins.py --write`` makes ``joins.md`` again.

A world has weather, water, dust, a network, citizens and clerks; what happens in it is drawn first, then what gauges
measure and people write about it, with noise, absent stations and look-alikes (a spiking gauge, dust that rises with
the day, a broken station, a report of a flood that is a puddle). Truth is what happened, never what a join would need.
Joins that need traffic in pictures are not scored here.
"""

from __future__ import annotations

import random
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from smartstream.model.facts import Fact, Facts
from smartstream.model.time import MAX_NS, NS
from smartstream.streams.joins.air_spike import AirSpike
from smartstream.streams.joins.flood import Flood
from smartstream.streams.joins.network import NetworkOutage
from smartstream.streams.joins.report_evidence import FalseClosing, ReportEvidence

T0 = 1_790_000_400
HOURS = 12
SEEDS = range(4201, 4211)  # used for nothing but the table
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
SIDES = {"sensors": "sensor", "reports": "report"}
STEP = 300
Truth = dict[str, list[tuple[str, float, float]]]


class World:
    """Half a day of a city of twelve districts, each with a gauge and an air station.

    Args:
        seed: Of everything that is drawn.
    """

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.sensors: list[Fact] = []
        self.reports: list[Fact] = []
        self.truth: Truth = defaultdict(list)
        self.ignore: Truth = defaultdict(list)  # it happened, and whoever could see it was silent for part of it
        self.places = {i: (21.5 + 0.05 * (i // 4), 105.8 + 0.05 * (i % 4)) for i in range(12)}
        self.alarm = {f"wl-{i}": 1.0 + self.rng.uniform(-0.3, 0.3) for i in self.places}
        self.devices = {
            f"sw-{n}": frozenset(f"{k}-{i}" for i in range(4 * n, 4 * n + 4) for k in ("wl", "aq")) for n in range(3)
        }
        self.silent = self._outages()
        for i in self.places:
            self._water(i)
            self._air(i)

    def _fact(self, t: float, kind: str, entity: str, what: str, value: float, i: int, **more: Any) -> Fact:
        return Fact(round((T0 + t) * NS), kind, entity, what, value, None, self._near(i), more)

    def _near(self, i: int) -> tuple[float, float]:
        lat, lon = self.places[i]
        return lat + self.rng.gauss(0, 0.0003), lon + self.rng.gauss(0, 0.0003)

    def _measure(self, t: float, entity: str, what: str, value: float, i: int) -> None:
        if any(a <= t < b and entity in who for a, b, who in self.silent) or self.rng.random() < 0.01:
            return
        self.sensors.append(self._fact(t, "reading", entity, what, value, i))

    def _outages(self) -> list[tuple[float, float, frozenset[str]]]:
        """Switches that fall and take all of theirs along; single devices that break are look-alikes."""
        out = []
        for node, devices in self.devices.items():
            if self.rng.random() < 0.6:
                begin = self.rng.uniform(3600, HOURS * 3600 - 3 * 3600)
                end = begin + self.rng.uniform(1.0, 2.0) * 3600
                out.append((begin, end, devices))
                self.truth["network_outage"].append((node, begin, end))
            broken = self.rng.choice(sorted(devices))
            begin = self.rng.uniform(0, HOURS * 3600 - 7200)
            out.append((begin, begin + self.rng.uniform(1800, 7200), frozenset({broken})))
        return out

    def _heard(self, i: int, what: str, t: float, name: str, *, closed: float | None = None, **more: Any) -> None:
        report = self._fact(t, "report", name, what, 0.0, i, status="open", **more)
        self.reports.append(report)
        if closed is not None:
            self.reports.append(
                Fact(round((T0 + closed) * NS), "report", name, what, 0.0, None, report.position, {"status": "closed"})
            )

    def _water(self, i: int) -> None:
        rng, gauge = self.rng, f"wl-{i}"
        flood = (rng.uniform(3600, 5 * 3600), rng.uniform(1.0, 3.0) * 3600) if rng.random() < 0.5 else None
        height = rng.uniform(0.15, 0.6)
        spike = rng.uniform(0, HOURS * 3600)
        cut = next(
            ((a, b) for a, b, who in self.silent if gauge in who and flood and a < sum(flood) and flood[0] < b), None
        )
        if flood:
            begin, end = flood[0], sum(flood)
            kept = self.truth if cut is None else self.ignore
            kept["flood"].append((gauge, begin, end))
            for n in range(rng.randrange(1, 5)):
                at, name = rng.uniform(begin, end - 900), f"flood-{i}-{n}"
                wrong = n == 0 and end - at > 4500
                closed = at + rng.uniform(600, 1200) if wrong else end + rng.uniform(1800, 7200)
                self._heard(i, "flood", at, name, closed=closed)
                kept["corroborated"].append((name, at, at))
                if wrong:
                    kept["false_closing"].append((name, at, end))
        if rng.random() < 0.5:
            at = rng.uniform(0, HOURS * 3600 - 7200)
            if not flood or at > sum(flood) + 7200 or at < flood[0] - 7200:
                self._heard(i, "flood", at, f"puddle-{i}", closed=at + 900)  # no water at the gauge
        for t in range(0, HOURS * 3600, STEP):
            level = self.alarm[gauge] - 0.6 + rng.gauss(0, 0.015)
            if flood and flood[0] <= t <= sum(flood):
                edge = min(t - flood[0], sum(flood) - t) / 900
                level += (0.6 + height) * min(1.0, 0.85 + 0.15 * edge)
            if abs(t - spike) < STEP / 2:
                level += 1.5
            self._measure(t + rng.uniform(0, 20), gauge, "water_level", level, i)

    def _air(self, i: int) -> None:
        rng, station = self.rng, f"aq-{i}"
        base, rise = rng.uniform(20, 40), rng.uniform(0, 15)
        burning = (rng.uniform(3 * 3600, 9 * 3600), rng.uniform(1.0, 2.5) * 3600) if rng.random() < 0.5 else None
        height = rng.uniform(50, 120)
        cut = any(
            station in who and burning and a < burning[0] + 5400 and burning[0] - 10_800 < b
            for a, b, who in self.silent
        )
        if burning:
            kept = self.ignore if cut else self.truth
            kept["air_spike"].append((station, burning[0], sum(burning)))
            for n in range(rng.randrange(1, 4)):
                self._heard(i, "fire", burning[0] + rng.uniform(-300, 2400), f"smoke-{i}-{n}", burning=True)
        level = 0.0
        for t in range(0, HOURS * 3600, STEP):
            inside = burning is not None and burning[0] <= t <= sum(burning)
            level += ((height if inside else 0.0) - level) * 0.5
            value = base + rise * t / (HOURS * 3600) + level + rng.gauss(0, 2.5)
            if rng.random() < 0.004:
                value += 150  # somebody smokes beside the inlet
            self._measure(t + rng.uniform(0, 20), station, "pm25", max(1.0, value), i)


def items(side: str, facts: list[Fact]) -> list[Facts]:
    """Turns of a side with their watermarks."""
    order, out = sorted(facts, key=lambda f: (f.time_ns, f.entity)), []
    for i in range(0, len(order), 50):
        turn = tuple(order[i : i + 50])
        out.append(Facts(side, turn, turn[-1].time_ns - 1))
    return [*out, Facts(side, (), MAX_NS)]


def play(world: World) -> dict[str, list[dict[str, Any]]]:
    """Opened incidents by kind."""
    seen = {"cameras": {}, "alarm_m": world.alarm}
    joins = [
        Flood("w", ZONE, SIDES, alarm_m=world.alarm),
        AirSpike("w", ZONE, SIDES),
        NetworkOutage("w", ZONE, SIDES, devices=world.devices),
        ReportEvidence("w", ZONE, SIDES, **seen),
        FalseClosing("w", ZONE, SIDES, **seen),
    ]
    opened: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for join in joins:
        for side, facts in (("sensors", world.sensors), ("reports", world.reports)):
            for item in items(side, facts):
                for event in join.take(item):
                    if ".opened." in getattr(event, "type", ""):
                        opened[join.kind].append(event.data | {"at": event.time})
    return opened


def score(seeds: Any) -> dict[str, list[int]]:
    """True, found and hit by kind, over all seeds."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for seed in seeds:
        world = World(seed)
        opened = play(world)
        found = {kind: list(opened[kind]) for kind in ("flood", "air_spike", "network_outage", "false_closing")}
        found["corroborated"] = [o for o in opened["report_evidence"] if o["finding"] == "corroborated"]
        for kind, events in found.items():
            want = list(world.truth[kind])
            sums[kind][0] += len(want)
            sums[kind][1] += len(events)
            for event in events:
                slack = 86_400 if kind == "corroborated" else 1800
                hit = _which(want, event, slack)
                if hit is not None:
                    want.remove(hit)
                    sums[kind][2] += 1
                elif _which(world.ignore[kind], event, slack) is not None:
                    sums[kind][1] -= 1
    return sums


def _which(among: list[tuple[str, float, float]], event: dict[str, Any], slack_s: float) -> Any:
    at = _seconds(event["since"])
    return next((w for w in among if w[0] == event["key"] and w[1] - 300 <= at <= w[2] + slack_s), None)


def _seconds(text: str) -> float:
    from smartstream.model.time import parse_instant

    return parse_instant(text) / NS - T0


def main() -> None:
    """Print the table, and write it."""
    write = "--write" in sys.argv
    rows = score(SEEDS if write or "--unseen" in sys.argv else range(1, 11))
    names = {
        "flood": "J-02",
        "air_spike": "J-03",
        "corroborated": "J-14",
        "false_closing": "J-15",
        "network_outage": "J-23",
    }
    lines = ["| join | what | true | found | precision | recall |", "|---|---|---|---|---|---|"]
    for kind, (true, found, hit) in sorted(rows.items(), key=lambda row: names[row[0]]):
        precision, recall = hit / found if found else 0.0, hit / true if true else 0.0
        lines.append(f"| {names[kind]} | {kind} | {true} | {found} | {precision:.3f} | {recall:.3f} |")
    text = "\n".join(lines) + "\n"
    sys.stdout.write(text)
    if write:
        said = (__doc__ or "").split("\n", 2)[2].strip()
        head = f"# Joins on unseen worlds\n\n{said}\n\nSeeds {SEEDS[0]} to {SEEDS[-1]}.\n\n"
        Path(__file__).with_suffix(".md").write_text(head + text, encoding="utf-8")


if __name__ == "__main__":
    main()
