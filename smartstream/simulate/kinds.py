"""Kinds of road users: size, drivers' habits, and how many of them come from where."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import Final

from smartstream.model.classes import VehicleClass
from smartstream.simulate.network import ARMS, turn


@dataclass(frozen=True)
class Kind:
    """A kind of vehicle.

    Attributes:
        road_class: What it is for the engine.
        size_m: Length, width, height; the rider counts.
        habits: Attributes of the SUMO vehicle type.
    """

    road_class: VehicleClass
    size_m: tuple[float, float, float]
    habits: str


_RIDER: Final = (
    'minGap="0.7" minGapLat="0.25" lcSublane="2.5" lcPushy="0.6" lcImpatience="0.6" lcAssertive="2" '
    'maxSpeedLat="1.2" lcStrategic="2"'
)
_DRIVER: Final = 'minGap="1.6" minGapLat="0.4" lcSublane="0.4" maxSpeedLat="0.9" latAlignment="center"'

_SLOW: Final = 'speedFactor="normc(0.8,0.05,0.7,0.95)"'

KINDS: Final = {
    "motorcycle": Kind(
        "motorcycle",
        (1.9, 0.75, 1.6),
        f'vClass="motorcycle" accel="2.8" decel="5" maxSpeed="16" speedFactor="normc(0.82,0.1,0.6,1.0)" '
        f'latAlignment="arbitrary" {_RIDER}',
    ),
    "bicycle": Kind(
        "bicycle",
        (1.75, 0.6, 1.65),
        f'vClass="bicycle" accel="1.2" decel="3" maxSpeed="4.6" speedFactor="normc(1,0.1,0.8,1.2)" '
        f'latAlignment="right" {_RIDER}',
    ),
    "car": Kind(
        "car",
        (4.4, 1.78, 1.5),
        f'vClass="passenger" accel="2.4" decel="4.5" maxSpeed="40" speedFactor="normc(0.9,0.06,0.75,1.0)" {_DRIVER}',
    ),
    "truck": Kind(
        "truck",
        (7.2, 2.3, 2.9),
        f'vClass="truck" accel="1.3" decel="4" maxSpeed="25" {_SLOW} {_DRIVER}',
    ),
    "bus": Kind(
        "bus",
        (11.0, 2.5, 3.1),
        f'vClass="bus" accel="1.2" decel="4" maxSpeed="25" {_SLOW} {_DRIVER}',
    ),
    "pedestrian": Kind("pedestrian", (0.45, 0.55, 1.68), ""),
}

_PER_HOUR: Final = {
    "S": {"motorcycle": 1500, "car": 430, "truck": 45, "bus": 40, "bicycle": 60},
    "N": {"motorcycle": 1000, "car": 320, "truck": 30, "bus": 25, "bicycle": 30},
    "E": {"motorcycle": 650, "car": 200, "truck": 20, "bus": 15, "bicycle": 20},
    "W": {"motorcycle": 650, "car": 200, "truck": 20, "bus": 15, "bicycle": 20},
}
_TURNS: Final = {
    "motorcycle": (("through", 0.66), ("right", 0.16), ("left", 0.18)),
    "bicycle": (("through", 0.8), ("right", 0.2)),
    "car": (("through", 0.74), ("left", 0.26)),  # S0, the lane for turning right, is closed to cars
    "truck": (("through", 1.0),),
    "bus": (("through", 1.0),),
}


def vehicle_types() -> str:
    """The ``<vType>`` elements; ``car@custom1`` is a car with the permission of an offender."""
    out = []
    for name, kind in KINDS.items():
        length, width, height = kind.size_m
        if kind.habits:
            size = f'length="{length}" width="{width}" height="{height}"'
            out.append(f'<vType id="{name}" {size} {kind.habits} jmTimegapMinor="0.8"/>')
            for permit in ("evehicle", "custom1", "custom2"):
                habits = re.sub('vClass="[a-z]+"', f'vClass="{permit}"', kind.habits)
                out.append(f'<vType id="{name}@{permit}" {size} {habits} jmTimegapMinor="0.8"/>')
            habits = re.sub('speedFactor="[^"]+"', 'speedFactor="1.5"', kind.habits)
            habits = re.sub('maxSpeed="[^"]+"', 'maxSpeed="40"', habits)
            out.append(f'<vType id="{name}@fast" {size} {habits} jmTimegapMinor="0.8"/>')
    return "\n".join(out)


def routes() -> str:
    """The ``<route>`` elements: ``S_left`` and so on."""
    out = []
    for arm in ARMS:
        for movement in ("through", "right", "left", "u_turn"):
            if movement != "u_turn" or arm == "S":
                edges = f"{arm}_far {arm}_in {turn(arm, movement)}_out"
                out.append(f'<route id="{arm}_{movement}" edges="{edges}"/>')
    return "\n".join(out)


def flow(rng: random.Random, *, begin_s: float, end_s: float, density: float) -> str:
    """The ``<vehicle>`` elements of lawful traffic, by departure, Poisson arrivals."""
    departures: list[tuple[float, str, str]] = []
    for arm, by_kind in _PER_HOUR.items():
        for kind, per_hour in by_kind.items():
            t = begin_s
            while True:
                t += rng.expovariate(per_hour * density / 3600)
                if t >= end_s:
                    break
                movements, weights = zip(*_TURNS[kind], strict=True)
                departures.append((t, kind, f"{arm}_{rng.choices(movements, weights)[0]}"))
    departures.sort()
    out = []
    for i, (t, kind, route) in enumerate(departures):
        lane = {"bicycle": "0", "truck": "0", "bus": "0"}.get(kind, "best")
        out.append(
            f'<vehicle id="{kind}.{i}" type="{kind}" route="{route}" depart="{t:.2f}" departLane="{lane}" '
            f'departSpeed="max" departPosLat="random_free"/>'
        )
    return "\n".join(out)
