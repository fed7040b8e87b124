"""The plan of a scene: who offends when, fitted to its signals."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

from smartstream.simulate.acts import BlockBox, FollowPath, RunAmber, RunRed, Spawn, StopOver
from smartstream.simulate.phases import SignalPlan
from smartstream.simulate.traffic import Act


def plan_acts(rng: random.Random, plan: SignalPlan, *, seconds: float, offences: float) -> list[Act]:
    """Offenders of every kind for a clip of ``seconds``.

    Each kind has its place in the cycle (a red to run, a green to race through). ``offences`` scales how many
    of these places are taken; near misses are played with them.
    """
    acts: list[Act] = []
    numbers = iter(range(1_000_000))
    for make in _MAKERS:
        acts += make(rng, plan, seconds, offences, numbers)
    return acts


Maker = Callable[[random.Random, SignalPlan, float, float, Iterator[int]], list[Act]]


def _starts(plan: SignalPlan, group: str, state: str, seconds: float, before_s: float = 0.0) -> list[float]:
    """When a group turns to a state, from ``before_s`` before the clip to its end."""
    return [t for t, s in plan.changes(group, -before_s, seconds) if s == state]


def _some(rng: random.Random, times: list[float], share: float) -> list[float]:
    """Some of the times, at least one."""
    chosen = [t for t in times if rng.random() < share]
    return chosen or ([rng.choice(times)] if times and share > 0 else [])


def _reds(rng: random.Random, plan: SignalPlan, seconds: float, offences: float, _: Iterator[int]) -> list[Act]:
    acts: list[Act] = []
    for lane, group, share in ((0, "NS-through", 0.9), (1, "NS-through", 0.9), (2, "NS-left", 0.6)):
        for t in _starts(plan, group, "red", seconds, before_s=20):
            red_s = plan.cycle_s - 25
            for _n in range(2):
                at = t + rng.uniform(2.0, red_s)
                if 1.0 < at < seconds - 3 and rng.random() < share * offences:
                    acts.append(RunRed(lane, group, at))
    return acts


def _ambers(rng: random.Random, plan: SignalPlan, seconds: float, offences: float, _: Iterator[int]) -> list[Act]:
    return [
        RunAmber(lanes, group, t)
        for group, lanes, share in (("NS-through", (0, 1), 0.9), ("NS-left", (2,), 0.5))
        for t in _starts(plan, group, "amber", seconds - 3)
        if rng.random() < share * offences
    ]


def _over_the_line(
    rng: random.Random, plan: SignalPlan, seconds: float, offences: float, _: Iterator[int]
) -> list[Act]:
    acts: list[Act] = []
    for lane, group in ((0, "NS-through"), (1, "NS-through"), (2, "NS-left")):
        for t in _starts(plan, group, "red", seconds - 6, before_s=15):
            draw = rng.random()
            if draw < 0.45 * offences:
                acts.append(StopOver(lane, group, t + 1.0, rng.uniform(1.1, 1.9)))
            elif draw < 0.7 * offences:
                acts.append(StopOver(lane, group, t + 1.0, rng.uniform(0.6, 0.9), back=True))
    return acts


def _wrong_way(
    rng: random.Random, plan: SignalPlan, seconds: float, offences: float, numbers: Iterator[int]
) -> list[Act]:
    acts: list[Act] = []
    for t in _some(rng, _starts(plan, "NS-through", "red", seconds - 8, before_s=30), 0.8 * offences):
        at = max(t + rng.uniform(3, 9), 1.0)
        x = rng.uniform(9.7, 10.0)
        path = [(18.0, -8.0), (13.0, -12.0), (10.6, -16.0), (x, -21.0), (x, -82.0)]
        speed = rng.uniform(5.5, 7.0)
        acts.append(FollowPath("wrong_way", f"motorcycle_wrongway.{next(numbers)}", path, speed, at, weave=-1.0))
    for t in _some(rng, _starts(plan, "EW-through", "green", seconds - 8, before_s=10), 0.7 * offences):
        # Round the queue over the median, up the opposite carriageway and off to the left.
        x, y = rng.uniform(-1.9, -1.4), rng.uniform(-66, -60)
        path = [
            (1.8, -115.0),
            (1.8, y),
            (x, y + 18),
            (x, -21.0),
            (x - 1.5, -14.0),
            (-8.0, -6.0),
            (-16.0, 1.5),
        ]
        path.append((-40.0, 1.7))
        at = max(t + rng.uniform(0, 3), 1.0)
        clear = (("S_out_2", 180.0, 240.0), ("S_far_2", -1.0, 70.0))
        acts.append(
            FollowPath(
                "solid_line", f"motorcycle_median.{next(numbers)}", path, rng.uniform(7, 9), at,
                until_s=at + 14, clear=clear,
            )
        )  # fmt: skip
    return acts


def _spawned(
    rng: random.Random, plan: SignalPlan, seconds: float, offences: float, numbers: Iterator[int]
) -> list[Act]:
    acts: list[Act] = []

    def add(
        name: str, label: str, kind: str, route: str, lane: int, at_s: float, from_m: float, **more: object
    ) -> None:
        acts.append(
            Spawn(name, f"{label}.{next(numbers)}", kind, route, lane, at_s, from_m, **more)  # type: ignore[arg-type]
        )

    through = _starts(plan, "NS-through", "green", seconds, before_s=30)
    left = _starts(plan, "NS-left", "green", seconds, before_s=10)
    # A green for left turns lets few vehicles through: each gets some of these, early in its queue.
    for t in _some(rng, [t for t in left if t < seconds - 12], offences):
        early = t - rng.uniform(26, 34)
        for choice in rng.sample(("car", "motorcycle", "truck", "box"), 2):
            if choice == "truck":
                add("banned_class", "truck_left", "truck", "S_left", 2, early, 150)
            elif choice == "box":
                first, second = f"car_stalled.{next(numbers)}", f"car_box.{next(numbers)}"
                acts.append(BlockBox(first, second, early, rng.uniform(9, 12)))
            else:
                add("u_turn", f"{choice}_uturn", choice, "S_u_turn", 2, early, 120, permit="custom2")
    for t in _some(rng, [t for t in through if 0 < t < seconds - 8], 0.8 * offences):
        kind = rng.choice(("car", "motorcycle"))
        add("lane_arrow", f"{kind}_arrow", kind, "S_left", 1, t - 16, 130, permit="custom1")
    for t in _some(rng, [t for t in through if 0 < t < seconds - 8], 0.6 * offences):
        add("illegal_turn", "truck_right", "truck", "S_right", 0, t - 18, 150)
    for t in _some(rng, through, 0.8 * offences):
        add("wrong_lane", "car_lane", "car", "S_through", 0, t - rng.uniform(12, 30), 150, permit="evehicle")
    green_s = plan.green_s[0]
    for t in through:  # late in the green, when the queue has left
        for lane, kind in ((1, "car"), (0, "motorcycle"), (1, "motorcycle")):
            if rng.random() < 0.9 * offences:
                at, factor = t + green_s - 15 + rng.uniform(-2.0, 1.0), rng.uniform(1.42, 1.55)
                add(
                    "speeding",
                    f"{kind}_speed",
                    kind,
                    "S_through",
                    lane,
                    at,
                    235,
                    permit="fast",
                    speed_factor=factor,
                )
    parked = False
    for t in through:
        y, at = rng.uniform(-60, -53), max(t, -4.0) + rng.uniform(-1, 3)
        if offences > 0 and (not parked or rng.random() < 0.3 * offences):
            parked, length = True, rng.uniform(24, 30)
            add("illegal_stop", "truck_stop", "truck", "S_through", 0, at, 120, stop_y_m=y, stop_s=length)
        elif offences > 0:
            length = rng.uniform(6, 8)
            add("short_stop", "truck_short", "truck", "S_through", 0, at, 120, stop_y_m=y, stop_s=length)
    return acts


_MAKERS: tuple[Maker, ...] = (_reds, _ambers, _over_the_line, _wrong_way, _spawned)
