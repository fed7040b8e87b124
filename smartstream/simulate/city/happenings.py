"""What happens in the city, drawn from a seed before anybody measures, films or reports anything.

Truth is what happened. Look-alikes are drawn beside it: hard braking that hits nobody, a puddle, a spiking gauge, a
hoax, an hour in which nobody drives. No number here is a threshold of a join.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, Final

from smartstream.simulate.city.streets import APPROACHES, GATEWAYS, JUNCTIONS, ROUTES_OF_DUTY

DISTRICTS: Final = 12
"""Each with a water gauge ``wl-I`` and an air station ``aq-I``; the junctions stand in the first."""
SWITCHES: Final = {
    f"sw-{n}": tuple(f"{k}-{i}" for i in range(4 * n, 4 * n + 4) for k in ("wl", "aq")) for n in range(3)
}
"""Switches of the network and the devices on each."""
HOUR: Final = 3600.0


@dataclass
class Happening:
    """Something that is so from ``begin_s`` to ``end_s``, seconds of the scenario.

    Attributes:
        name: Unique within the scenario.
        kind: Such as ``flood``.
        place: A district's number, a junction, an approach, a camera, a switch.
        more: What else was drawn.
    """

    name: str
    kind: str
    place: str
    begin_s: float
    end_s: float
    more: dict[str, Any] = field(default_factory=dict)

    def holds(self, t_s: float) -> bool:
        """Whether it is so at an instant."""
        return self.begin_s <= t_s < self.end_s


@dataclass
class World:
    """Everything that was drawn.

    Attributes:
        seconds: Length of the scenario.
        happenings: By begin.
    """

    seed: int
    seconds: float
    happenings: list[Happening]

    def of(self, kind: str, place: str | None = None) -> list[Happening]:
        """Happenings of a kind, at a place if one is named."""
        return [h for h in self.happenings if h.kind == kind and place in (None, h.place)]

    def silent(self, device: str, t_s: float) -> bool:
        """Whether a device is cut off or broken at an instant."""
        return any(h.holds(t_s) and device in h.more["devices"] for h in self.of("outage") + self.of("broken"))

    def silent_within(self, device: str, begin_s: float, end_s: float) -> bool:
        """Whether a device is silent for any part of a span."""
        return any(
            h.begin_s < end_s and begin_s < h.end_s and device in h.more["devices"]
            for h in self.of("outage") + self.of("broken")
        )


def draw_world(seed: int, hours: float, cameras: tuple[str, ...]) -> World:
    """What happens in so many hours.

    Args:
        seed: Same seed, same city.
        hours: From an hour on; rates are per hour, so that long scenarios hold more.
        cameras: That may be covered or knocked aside.
    """
    rng = random.Random(f"city {seed}")
    draw = _Draw(rng, hours * HOUR)
    for district in range(DISTRICTS):
        draw.water(district)
        draw.smoke(district)
    draw.network()
    draw.streets()
    draw.cameras(list(cameras))
    return World(seed, draw.seconds, sorted(draw.out, key=lambda h: (h.begin_s, h.name)))


class _Draw:
    def __init__(self, rng: random.Random, seconds: float) -> None:
        self.rng, self.seconds = rng, seconds
        self.out: list[Happening] = []

    def _add(self, kind: str, place: str, begin_s: float, lasts_s: float, **more: Any) -> Happening:
        name = f"{kind}-{sum(h.kind == kind for h in self.out)}"
        end_s = min(begin_s + lasts_s, self.seconds)
        self.out.append(Happening(name, kind, place, round(begin_s, 1), round(end_s, 1), more))
        return self.out[-1]

    def _begin(self, from_part: float, to_part: float) -> float:
        return self.rng.uniform(from_part, to_part) * self.seconds

    def water(self, district: int) -> None:
        rng = self.rng
        flooded = rng.random() < 0.5
        begin, lasts = self._begin(0.1, 0.45), rng.uniform(0.5, 1.5) * HOUR
        depth = rng.uniform(0.05, 0.15) if rng.random() < 0.4 else rng.uniform(0.3, 0.6)  # a nuisance, or a danger
        if flooded:
            self._add("flood", str(district), begin, lasts, depth_m=depth)
        at = self._begin(0.02, 0.8)
        if rng.random() < 0.5 and not (flooded and begin - 2 * HOUR < at < begin + lasts + 2 * HOUR):
            self._add("puddle", str(district), at, 600.0)
        self._add("splash", str(district), self._begin(0, 1), 60.0)  # a wave, a leaf on the gauge

    def smoke(self, district: int) -> None:
        dust = self.rng.uniform(50, 70) if self.rng.random() < 0.4 else self.rng.uniform(100, 140)
        if self.rng.random() < 0.5:
            self._add(
                "burning", str(district), self._begin(0.25, 0.6), self.rng.uniform(0.75, 1.5) * HOUR,
                dust=dust,
            )  # fmt: skip

    def network(self) -> None:
        rng = self.rng
        for switch, devices in SWITCHES.items():
            if rng.random() < 0.6:
                self._add("outage", switch, self._begin(0.08, 0.6), rng.uniform(0.5, 1.2) * HOUR, devices=devices)
            alone = rng.choice(devices)
            self._add("broken", alone, self._begin(0, 0.8), rng.uniform(0.3, 1.5) * HOUR, devices=(alone,))

    def streets(self) -> None:
        rng, hours = self.rng, self.seconds / HOUR
        slots = self._slots(round(2.5 * hours), 600, 700)
        for at in slots:
            what = rng.choices(("crash", "jam", "breakdown"), (0.45, 0.35, 0.2))[0]
            if what == "crash":
                injury = rng.random() < 0.5
                lasts = rng.uniform(12, 25) * 60 if injury else rng.uniform(2, 7) * 60
                self._add("crash", rng.choice(APPROACHES), at, lasts, injury=injury)
            elif what == "jam":
                # From a queue that never fills its road to one that stands back into the junction before.
                self._add("jam", rng.choice(("j1E", "j2W", "j2E", "j3W")), at, rng.uniform(6, 28) * 60, lanes=3)
            else:
                self._add("breakdown", rng.choice(APPROACHES), at, rng.uniform(3, 12) * 60, lanes=1)
        for _ in range(round(4 * hours)):
            self._add("hard_braking", rng.choice(APPROACHES), self._begin(0.05, 0.97), rng.uniform(4, 14))
        for _ in range(round(1.2 * hours)):
            route = rng.choice(ROUTES_OF_DUTY)
            self._add("duty", route[0], self._begin(0.03, 0.93), 600.0, route=route)
        for _ in range(round(1.0 * hours)):
            self._add("officer", rng.choice(JUNCTIONS), self._begin(0.03, 0.93), 300.0)
        self._crowds()
        self._add("rush", "city", self._begin(0.1, 0.8), rng.uniform(0.3, 0.7) * HOUR, factor=rng.uniform(1.2, 1.4))
        self._add("lull", "city", self._begin(0.3, 0.85), rng.uniform(10, 18) * 60, factor=0.12)
        self._add("closed", rng.choice(GATEWAYS), self._begin(0.3, 0.85), rng.uniform(10, 20) * 60)
        for _ in range(round(0.8 * hours)):
            how, late_s = rng.choice(("silent", "lossy", "late")), rng.uniform(12, 30)
            place, lasts = rng.choice(JUNCTIONS), rng.uniform(6, 12) * 60
            self._add("feed_fails", place, self._begin(0.3, 0.85), lasts, how=how, late_s=late_s)
        for _ in range(round(0.5 * hours)):
            self._add("hoax", rng.choice(JUNCTIONS), self._begin(0.05, 0.95), 60.0)
        for _ in range(round(0.8 * hours)):
            self._add("parking", rng.choice(APPROACHES), self._begin(0.05, 0.8), rng.uniform(12, 30) * 60)
        for _ in range(round(4 * hours)):
            kind = rng.choice(("waste", "noise", "road", "street_light", "tree"))
            self._add("complaint", str(rng.randrange(DISTRICTS)), self._begin(0, 0.9), 1800.0, category=kind)

    def _crowds(self) -> None:
        """People come for something and drive home after it: more of them than the hour brings or takes otherwise."""
        rng = self.rng
        for kind, first, last in (("gathering", 0.0, 0.1), ("going_home", 0.55, 0.6)):
            if rng.random() < 0.95:
                per_hour = rng.uniform(400, 700)
                self._add(kind, "city", self._begin(first, last), rng.uniform(0.8, 1.1) * HOUR, more_per_hour=per_hour)

    def cameras(self, cameras: list[str]) -> None:
        rng, hours = self.rng, self.seconds / HOUR
        rng.shuffle(cameras)
        for i in range(max(1, round(0.6 * hours))):
            self._add(
                "covered", cameras[i], self._begin(0.3, 0.75), rng.uniform(12, 40) * 60, left=rng.choice((0.0, 0.03))
            )
        used = max(1, round(0.6 * hours))
        for camera in cameras[used : used + max(1, round(0.5 * hours))]:
            turn = rng.choice((-1, 1)) * rng.uniform(3.5, 9.0)
            self._add(
                "knocked",
                camera,
                self._begin(0.35, 0.7),
                rng.uniform(35, 60) * 60,
                turn_deg=turn,
                tilt_deg=rng.uniform(-1.5, 1.5),
            )
        used += max(1, round(0.5 * hours))
        for camera in cameras[used:]:  # wind
            self._add("sways", camera, self._begin(0.3, 0.8), 1800.0, turn_deg=rng.uniform(-0.3, 0.3), tilt_deg=0.0)

    def _slots(self, n: int, first_s: float, apart_s: float) -> list[float]:
        """Instants that keep away from each other: one street carries no two of them at once."""
        span = (self.seconds * 0.92 - first_s) / max(n, 1)
        return [first_s + i * span + self.rng.uniform(0, max(1.0, span - apart_s)) for i in range(n)]
