"""What gauges, air stations and microphones measure of what happens; silent where the network is."""

from __future__ import annotations

import random
from typing import Any, Final

from smartstream.simulate.city.driving import Driven
from smartstream.simulate.city.happenings import DISTRICTS, World
from smartstream.simulate.city.streets import JUNCTIONS, LATITUDE, LONGITUDE, centre, position

EVERY_S: Final = 300
_NOISE_EVERY_S: Final = 30
_DILUTED_M3_PER_S: Final = 6000.0
"""Air that carries the street's particles off: 600 m of street, 10 m high, 1 m/s of wind."""
Line = dict[str, Any]


def district_place(district: int) -> tuple[float, float]:
    """Degrees north and east of the middle of a district; the first one holds the street."""
    return LATITUDE + 0.05 * (district // 4), LONGITUDE + 0.05 * (district % 4)


def alarms(world: World) -> dict[str, float]:
    """Level in metres from which the road at a gauge is under water."""
    rng = random.Random(f"gauges {world.seed}")
    return {f"wl-{i}": round(1.0 + rng.uniform(-0.3, 0.3), 3) for i in range(DISTRICTS)}


def readings(world: World, driven: Driven) -> list[Line]:
    """Lines of the sensor feed, times in seconds of the scenario, by time."""
    rng = random.Random(f"stations {world.seed}")
    out: list[Line] = []
    for district in range(DISTRICTS):
        _water(world, rng, district, out)
        _air(world, rng, district, driven, out)
    for junction in JUNCTIONS:
        _noise(world, rng, junction, driven, out)
    return sorted(out, key=lambda line: (line["time"], line["station"]))


def _line(t: float, station: str, kind: str, value: float, unit: str, place: tuple[float, float]) -> Line:
    where = {"lat": round(place[0], 6), "lon": round(place[1], 6)}
    return {
        "time": round(t, 3), "sensor": f"{station}-{kind}", "station": station, "kind": kind,
        "value": round(value, 3), "unit": unit, "status": "measuring", **where,
    }  # fmt: skip


def _heard(world: World, rng: random.Random, station: str, t: float) -> bool:
    return not world.silent(station, t) and rng.random() >= 0.01 and t < world.seconds


def _water(world: World, rng: random.Random, district: int, out: list[Line]) -> None:
    gauge, place = f"wl-{district}", district_place(district)
    alarm = alarms(world)[gauge]
    for tick in range(0, round(world.seconds), EVERY_S):
        t = tick + rng.uniform(0, 20)
        level = alarm - 0.6 + rng.gauss(0, 0.015)
        for flood in world.of("flood", str(district)):
            if flood.holds(t):  # the road is under water from begin to end, deepest in between
                edge = min(t - flood.begin_s, flood.end_s - t) / 900
                level += 0.6 + flood.more["depth_m"] * min(1.0, 0.4 + 0.6 * edge)
        if any(abs(tick - splash.begin_s) <= EVERY_S / 2 for splash in world.of("splash", str(district))):
            level += 1.5
        if _heard(world, rng, gauge, t):
            out.append(_line(t, gauge, "water_level", level, "m", place))


def _air(world: World, rng: random.Random, district: int, driven: Driven, out: list[Line]) -> None:
    station, place = f"aq-{district}", district_place(district)
    base, rise, smoke = rng.uniform(20, 40), rng.uniform(0, 15), 0.0
    for tick in range(0, round(world.seconds), EVERY_S):
        t = tick + rng.uniform(0, 20)
        aim = sum(fire.more["dust"] for fire in world.of("burning", str(district)) if fire.holds(t))
        smoke += (aim - smoke) * 0.5
        value = base + rise * t / world.seconds + smoke + rng.gauss(0, 2.5)
        if district == 0:
            emitted = sum(driven.particles_mg.get(tick // EVERY_S - 1, {}).values())
            value += emitted * 1000 / EVERY_S / _DILUTED_M3_PER_S
        if rng.random() < 0.004:
            value += 150  # somebody smokes beside the inlet
        if _heard(world, rng, station, t):
            out.append(_line(t, station, "pm25", max(1.0, value), "µg/m³", place))


def _noise(world: World, rng: random.Random, junction: str, driven: Driven, out: list[Line]) -> None:
    """The loudest of half a minute: traffic, sometimes a horn or a falling plank, and most crashes."""
    station, place = f"mic-{junction}", position(*centre(junction))
    bangs = [
        driven.happened[h.name]["at_s"]
        for h in world.of("crash")
        if h.place.startswith(junction) and "at_s" in driven.happened.get(h.name, {}) and rng.random() < 0.8
    ]
    for tick in range(0, round(world.seconds), _NOISE_EVERY_S):
        t = tick + _NOISE_EVERY_S - 1.0
        level = rng.gauss(71, 3)
        if rng.random() < 0.008:
            level = rng.uniform(85, 96)
        if any(tick <= bang < tick + _NOISE_EVERY_S for bang in bangs):
            level = rng.uniform(94, 108)
        if _heard(world, rng, station, t):
            out.append(_line(t, station, "noise", level, "dBA", place))
