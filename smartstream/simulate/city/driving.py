"""Lets the city drive: demand, what happens on the street, and where everyone was twice a second."""

from __future__ import annotations

import random
import re
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from smartstream.simulate.city.happenings import Happening, World
from smartstream.simulate.city.streets import (
    GATEWAYS,
    JUNCTIONS,
    ROADS,
    group,
    incoming,
    outgoing,
    write_streets,
)
from smartstream.simulate.kinds import KINDS, vehicle_types
from smartstream.simulate.phases import SignalPlan
from smartstream.simulate.traffic import running_sumo, sumo_home

TICK_S: Final = 0.5
"""Between two instants at which everyone's place is known."""
WARM_UP_S: Final = 240.0
_SHARES: Final = {"motorcycle": 0.5, "car": 0.42, "truck": 0.05, "bus": 0.03}
_OFFENDERS: Final = 0.03
_FREE: Final = 0  # speed mode: whatever the act says
_NORMAL: Final = 31
_ROW: Final = re.compile(
    r'<vehicle id="([^"]+)" x="([^"]+)" y="([^"]+)" angle="([^"]+)" type="([^"]+)" speed="([^"]+)"'
)
_TIME: Final = re.compile(r'<timestep time="([^"]+)"')
_EDGE: Final = re.compile(r'<edge id="([^"]+)".* PMx_abs="([^"]+)"')
_INTERVAL: Final = re.compile(r'<interval begin="([^"]+)"')


@dataclass
class Drive:
    """Where one vehicle was.

    Attributes:
        kind: Of ``KINDS``.
        first: Tick of its first row.
        place_m: (n, 2) middle of its front.
        angle: (n,) radians clockwise from north.
        speed_mps: (n,)
    """

    id: str
    kind: str
    first: int
    place_m: npt.NDArray[np.float64]
    angle: npt.NDArray[np.float64]
    speed_mps: npt.NDArray[np.float64]


@dataclass
class Driven:
    """What came of it.

    Attributes:
        drives: Everyone.
        happened: By happening, what the street made of it: instants in seconds, vehicles, how it ended.
        particles_mg: By interval of five minutes, mg of particles emitted around each junction.
    """

    drives: list[Drive]
    happened: dict[str, dict[str, Any]]
    particles_mg: dict[int, dict[str, float]]


def plans_of(seed: int) -> dict[str, SignalPlan]:
    """The signal plan of every junction."""
    rng = random.Random(f"plans {seed}")
    out = {}
    for junction in JUNCTIONS:
        green = (rng.choice((12.0, 13.0)), rng.choice((10.0, 12.0)), rng.choice((22.0, 26.0)), rng.choice((8.0, 10.0)))
        out[junction] = SignalPlan(green, float(rng.randrange(60)))
    return out


def drive(world: World, plans: dict[str, SignalPlan], progress: Callable[[float], None]) -> Driven:
    """Simulate the whole scenario.

    Args:
        world: What happens.
        plans: Signals by junction; time 0 is the begin of the scenario.
        progress: Called with the fraction done.
    """
    home = sumo_home()
    with tempfile.TemporaryDirectory(prefix="smartstream-city-") as name:
        folder = Path(name)
        net = write_streets(folder, home / "bin" / "netconvert")
        demand = folder / "demand.rou.xml"
        demand.write_text(f"<routes>\n{_types()}\n{_trips(world)}\n</routes>\n")
        edges = folder / "edges.add.xml"
        edges.write_text(
            '<additional><edgeData id="e" type="emissions" freq="300" file="emissions.xml"/></additional>\n'
        )
        fcd = folder / "fcd.xml"
        command = [
            home / "bin" / "sumo", "-n", net, "-r", demand, "-a", edges, "--seed", world.seed % 2**31,
            "--step-length", TICK_S, "--time-to-teleport", -1, "--collision.action", "none",
            "--ignore-junction-blocker", 5, "--max-depart-delay", 120, "--ignore-route-errors", "true",
            "--no-step-log", "true", "--no-warnings", "true", "--fcd-output", fcd,
            "--fcd-output.attributes", "id,x,y,angle,type,speed", "--device.fcd.begin", WARM_UP_S, "--precision", 2,
        ]  # fmt: skip
        with running_sumo(home, [str(c) for c in command]) as traci:
            happened = _play(traci, world, plans, progress)
        return Driven(_read(fcd), happened, _particles(folder / "emissions.xml"))


def _types() -> str:
    """Those of the scenes; who offends drives on for a while after red has come; ambulances may."""
    out = [vehicle_types()]
    for name in ("motorcycle", "car"):
        length, width, height = KINDS[name].size_m
        size = f'length="{length}" width="{width}" height="{height}"'
        out.append(
            f'<vType id="{name}@red" {size} {KINDS[name].habits} jmDriveAfterRedTime="1000" jmDriveRedSpeed="9" '
            'jmTimegapMinor="0.8"/>'
        )
    out.append(
        '<vType id="car@duty" vClass="emergency" length="5.6" width="2" height="2.5" maxSpeed="22" speedFactor="1.3" '
        'jmDriveAfterRedTime="1000" jmDriveRedSpeed="7"><param key="has.bluelight.device" value="true"/></vType>'
    )
    return "\n".join(out)


def _trips(world: World) -> str:
    """Poisson arrivals at the gateways and from inside; what happens to the demand happens here."""
    rng = random.Random(f"trips {world.seed}")
    inner = [incoming(a)[0] for a in ROADS.values()]
    per_hour = {gateway: rng.uniform(340, 480) * (1.0 if gateway[2] != "S" else 0.5) for gateway in GATEWAYS}
    departures: list[tuple[float, str, str, str, str]] = []

    def rate(t_s: float) -> float:
        out = 1.0
        for h in world.of("rush") + world.of("lull"):
            out *= h.more["factor"] if h.holds(t_s) else 1.0
        return out

    end = WARM_UP_S + world.seconds
    kinds, weights = list(_SHARES), list(_SHARES.values())
    sources = [(f"{g}_far", per_hour[g], g) for g in GATEWAYS] + [(edge, 15.0, "") for edge in inner]
    for source, volume, gateway in sources:
        t, most = 0.0, volume * 1.6
        while (t := t + rng.expovariate(most / 3600)) < end:
            now = t - WARM_UP_S
            if rng.random() > rate(now) / 1.6 or any(h.holds(now) for h in world.of("closed", gateway)):
                continue
            kind = rng.choices(kinds, weights)[0]
            if kind in ("motorcycle", "car") and rng.random() < _OFFENDERS:
                kind += "@red"
            ends = _reached(source)
            if gateway and rng.random() < 75 / sum(per_hour.values()):
                ends = _inside(gateway)
            departures.append((t, kind, source, rng.choice(ends), "random" if not gateway else "base"))
    for crowd in world.of("gathering"):
        t = crowd.begin_s
        while (t := t + rng.expovariate(crowd.more["more_per_hour"] / 3600)) < crowd.end_s:
            gateway = rng.choice(GATEWAYS)
            kind, to = rng.choices(kinds, weights)[0], rng.choice(_inside(gateway))
            departures.append((WARM_UP_S + t, kind, f"{gateway}_far", to, "base"))
    for crowd in world.of("going_home"):
        t = crowd.begin_s
        while (t := t + rng.expovariate(crowd.more["more_per_hour"] / 3600)) < crowd.end_s:
            source = rng.choice(inner)
            kind, to = rng.choices(kinds, weights)[0], rng.choice(_reached(source))
            departures.append((WARM_UP_S + t, kind, source, to, "random"))
    for duty in world.of("duty"):
        begin, to = duty.more["route"]
        departures.append((WARM_UP_S + duty.begin_s, f"car@duty/{duty.name}", f"{begin}_far", outgoing(to), "base"))
    departures.sort()
    return "\n".join(_trip(i, *departure) for i, departure in enumerate(departures))


def _inside(gateway: str) -> list[str]:
    """Roads between junctions that can be reached from a gateway without turning round."""
    at = JUNCTIONS.index(gateway[:2])
    east = [incoming(ROADS[f"{j}E"])[0] for j in JUNCTIONS[at:-1]]
    west = [incoming(ROADS[f"{j}W"])[0] for j in JUNCTIONS[1 : at + 1]]
    return {"W": east, "E": west}.get(gateway[2], east + west)


def _reached(source: str) -> list[str]:
    """Gateways that can be reached from an edge without turning round."""
    approach = source.removesuffix("_far")
    at = JUNCTIONS.index(approach[:2])
    ahead = {"W": JUNCTIONS[at:], "E": JUNCTIONS[: at + 1], "S": JUNCTIONS}[approach[2]]
    return [outgoing(g) for g in GATEWAYS if g[:2] in ahead and g != approach]


def _trip(i: int, t_s: float, kind: str, source: str, to: str, where: str) -> str:
    type_, _, named = kind.partition("/")
    name = named or f"v{i}"
    place = 'departSpeed="0"' if where == "random" else 'departSpeed="max"'
    return (
        f'<trip id="{name}" type="{type_}" from="{source}" to="{to}" depart="{t_s:.2f}" departLane="best" '
        f'departPos="{where}" {place} arrivalPos="{"random" if to.endswith("_far") else "max"}"/>'
    )


@dataclass
class _Street:
    """What acts see and touch."""

    traci: Any
    now_s: float = -WARM_UP_S
    held: set[str] = field(default_factory=set)
    present: frozenset[str] = frozenset()

    def in_lane(self, lane: str) -> list[tuple[float, str]]:
        """Vehicles of a lane as (metres to its end, id), foremost first."""
        length = self.traci.lane.getLength(lane)
        ids = self.traci.lane.getLastStepVehicleIDs(lane)
        return sorted((length - self.traci.vehicle.getLanePosition(v), v) for v in ids)

    def seize(self, vehicle: str) -> None:
        """The act drives it from now on."""
        self.held.add(vehicle)
        self.traci.vehicle.setSpeedMode(vehicle, _FREE)
        self.traci.vehicle.setLaneChangeMode(vehicle, 0)

    def release(self, vehicle: str) -> None:
        """Its driver drives again."""
        if vehicle in self.present:
            self.traci.vehicle.setSpeedMode(vehicle, _NORMAL)
            self.traci.vehicle.setLaneChangeMode(vehicle, 1621)
            self.traci.vehicle.setSpeed(vehicle, -1)


def _play(
    traci: Any, world: World, plans: dict[str, SignalPlan], progress: Callable[[float], None]
) -> dict[str, dict[str, Any]]:
    street = _Street(traci)
    for junction in JUNCTIONS:
        links = [_group(link[0][0]) for link in traci.trafficlight.getControlledLinks(junction)]
        phases = [traci.trafficlight.Phase(lasts, state) for lasts, state in _phases(plans[junction], links)]
        traci.trafficlight.setProgramLogic(junction, traci.trafficlight.Logic("plan", 0, 0, phases))
    happened: dict[str, dict[str, Any]] = defaultdict(dict)
    acts = _acts(world, happened)
    # SUMO is asked to stop only where somebody acts: each stop is a word between two processes.
    while street.now_s < world.seconds:
        wanted = min([act.next_s for act in acts] + [street.now_s + 60, world.seconds])
        street.now_s = max(ceil(wanted / TICK_S) * TICK_S, street.now_s + TICK_S)
        traci.simulationStep(street.now_s + WARM_UP_S)
        due = [act for act in acts if act.next_s <= street.now_s]
        if due:
            street.present = frozenset(traci.vehicle.getIDList())
            for act in due:
                act.next_s = street.now_s
                act.step(street)
            acts = [act for act in acts if not act.over]
        progress((street.now_s + WARM_UP_S) / (world.seconds + WARM_UP_S))
    return happened


def _phases(plan: SignalPlan, links: list[str]) -> list[tuple[float, str]]:
    """One cycle from the begin of the warm-up: seconds and a letter for every link."""
    out: list[tuple[float, str]] = []
    t, end = -WARM_UP_S, plan.cycle_s - WARM_UP_S
    while t < end - 1e-6:
        shown = {name: plan.phase(name, t + 1e-6) for name in set(links)}
        lasts = min(round(min(left for _, _, left in shown.values()), 3), round(end - t, 3))
        out.append((lasts, "".join(_LETTER[shown[name][0]] for name in links)))
        t += lasts
    return out


_LETTER: Final = {"green": "G", "amber": "y", "red": "r"}


def _group(from_lane: str) -> str:
    """Signal group of a link by the lane it leaves: ``j2W_in_1``."""
    return group(from_lane[2], int(from_lane[-1]))


def _acts(world: World, happened: dict[str, dict[str, Any]]) -> list[_Act]:
    acts: list[_Act] = []
    for h in world.happenings:
        if h.kind in ("crash", "hard_braking"):
            acts.append(_Brake(h, happened[h.name]))
        elif h.kind in ("jam", "breakdown", "parking"):
            acts.append(_Stand(h, happened[h.name]))
        elif h.kind == "flood" and h.place == "0":
            acts.append(_Water(h, happened[h.name]))
    return acts


class _Act:
    """Something played on the street; ``told`` keeps what came of it, ``next_s`` when it wants to be called."""

    def __init__(self, happening: Happening, told: dict[str, Any]) -> None:
        self.happening, self.told = happening, told
        self.next_s = happening.begin_s
        self.over = False

    def step(self, street: _Street) -> None:
        """One tick."""
        raise NotImplementedError


class _Brake(_Act):
    """One brakes to a stop; whoever follows hits him (a crash), or stops behind and both drive on."""

    def __init__(self, happening: Happening, told: dict[str, Any]) -> None:
        super().__init__(happening, told)
        self._pair: tuple[str, str] | None = None
        self._hit_s: float | None = None
        self._lasts_s = happening.end_s - happening.begin_s

    def step(self, street: _Street) -> None:
        """Find a pair, stop it, hold it, let it go."""
        now, vehicle = street.now_s, street.traci.vehicle
        if self._pair is None:
            if now > self.happening.begin_s + 600:
                self.over = True
            else:
                self._choose(street)
            return
        first, second = self._pair
        if not {first, second} <= street.present:
            self.over = True
            return
        if self._hit_s is None:
            gap = _along(street, first) - vehicle.getLength(first) - _along(street, second)
            speed = vehicle.getSpeed(second)
            keep = 0.1 if self.happening.kind == "crash" else 2.0
            if gap <= keep + 0.2 or speed < 0.3:
                self._hit_s = now
                self.told.update(at_s=now, vehicles=[first, second], moved_s=now + self._lasts_s)
                self.next_s = now + self._lasts_s
                speed = 0.0
            elif self.happening.kind == "crash":
                speed = max(min(speed, (gap - keep) / TICK_S), 0.5)
            else:
                speed = min(max(speed - 7.0 * TICK_S, 0.0), max((gap - keep) / TICK_S, 0.0))
            vehicle.setSpeed(second, speed)
        elif now >= self._hit_s + self._lasts_s:
            street.release(first)
            street.release(second)
            self.told["moved_s"] = now
            self.over = True

    def _choose(self, street: _Street) -> None:
        for lane in (2, 1, 0):
            queue = street.in_lane(f"{self.happening.place}_in_{lane}")
            for (d1, first), (d2, second) in pairwise(queue):
                gap = d2 - d1 - street.traci.vehicle.getLength(first)
                speeds = (street.traci.vehicle.getSpeed(first), street.traci.vehicle.getSpeed(second))
                plain = not {first, second} & street.held and "@duty" not in (
                    street.traci.vehicle.getTypeID(first) + street.traci.vehicle.getTypeID(second)
                )
                if plain and 1.5 < gap < 16 and min(speeds) > 5.5 and 1.0 < d1 < 28.0:
                    street.seize(first)
                    street.seize(second)
                    street.traci.vehicle.setSpeed(first, 0.0)
                    street.traci.vehicle.setSpeed(second, speeds[1])
                    self._pair = (first, second)
                    return


def _along(street: _Street, vehicle: str) -> float:
    return float(street.traci.vehicle.getLanePosition(vehicle))


class _Stand(_Act):
    """Vehicles that stop in their lanes and stand there: broken down, across the road, or parked at the kerb."""

    def __init__(self, happening: Happening, told: dict[str, Any]) -> None:
        super().__init__(happening, told)
        self._standing: dict[int, str] = {}
        self._slowing: dict[int, tuple[str, float]] = {}

    def step(self, street: _Street) -> None:
        """Stop one vehicle in each lane, and let them go at the end."""
        if street.now_s >= self.happening.end_s:
            for vehicle in [*self._standing.values(), *(v for v, _ in self._slowing.values())]:
                street.release(vehicle)
            self.over = True
            return
        lanes = range(self.happening.more.get("lanes", 1))
        for lane in lanes:
            if lane in self._standing:
                continue
            if lane in self._slowing:
                self._slow(street, lane)
            else:
                self._choose(street, lane)

    def _choose(self, street: _Street, lane: int) -> None:
        for distance, vehicle in reversed(street.in_lane(f"{self.happening.place}_in_{lane}")):
            if (
                vehicle not in street.held
                and 6 < distance < 24
                and "@duty" not in street.traci.vehicle.getTypeID(vehicle)
            ):
                street.seize(vehicle)
                self._slowing[lane] = (vehicle, street.traci.vehicle.getSpeed(vehicle))
                self._slow(street, lane)
                return

    def _slow(self, street: _Street, lane: int) -> None:
        vehicle, speed = self._slowing[lane]
        if vehicle not in street.present:
            del self._slowing[lane]
            return
        speed = max(0.0, speed - 2.5 * TICK_S)
        self._slowing[lane] = (vehicle, speed)
        street.traci.vehicle.setSpeed(vehicle, speed)
        if speed == 0.0:
            del self._slowing[lane]
            self._standing[lane] = vehicle
            self.told.setdefault("at_s", street.now_s)
            self.told.setdefault("vehicles", []).append(vehicle)
            if len(self._standing) == self.happening.more.get("lanes", 1):
                self.next_s = self.happening.end_s


class _Water(_Act):
    """Water on the street: everyone drives through it at walking pace."""

    def __init__(self, happening: Happening, told: dict[str, Any]) -> None:
        super().__init__(happening, told)
        self._slow = False

    def step(self, street: _Street) -> None:
        """Slow from its begin to its end."""
        over = street.now_s >= self.happening.end_s
        if self._slow and not over:
            return
        speed = 13.9 if over else 4.0
        for approach in ("j2W", "j2E"):
            for edge in incoming(approach):
                street.traci.edge.setMaxSpeed(edge, speed)
        self._slow, self.over = True, over
        self.next_s = self.happening.end_s


def _read(fcd: Path) -> list[Drive]:
    """Floating-car data from the begin of the scenario on."""
    rows: dict[str, list[tuple[float, float, float, float]]] = {}
    first: dict[str, int] = {}
    types: dict[str, str] = {}
    tick = 0
    with fcd.open(encoding="utf-8") as lines:
        for line in lines:
            if row := _ROW.search(line):
                id_, x, y, angle, type_, speed = row.groups()
                if id_ not in rows:
                    rows[id_], first[id_], types[id_] = [], tick, type_
                rows[id_].append((float(x), float(y), float(angle), float(speed)))
            elif time := _TIME.search(line):
                tick = round((float(time[1]) - WARM_UP_S) / TICK_S)
    out = []
    for id_, path in rows.items():
        table = np.array(path)
        kind = types[id_].partition("@")[0]
        out.append(Drive(id_, kind, first[id_], table[:, :2], np.radians(table[:, 2]), table[:, 3]))
    return out


def _particles(path: Path) -> dict[int, dict[str, float]]:
    """Milligrams around each junction by interval."""
    out: dict[int, dict[str, float]] = {}
    begin = 0
    for line in path.read_text(encoding="utf-8").splitlines():
        if found := _INTERVAL.search(line):
            begin = round(float(found[1]) - WARM_UP_S) // 300
            out[begin] = dict.fromkeys(JUNCTIONS, 0.0)
        elif found := _EDGE.search(line):
            out[begin][found[1][:2]] += float(found[2])
    return out
