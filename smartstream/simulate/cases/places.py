"""Cases of places: lanes and classes, the pavement, stopping, the box, the crosswalk, and speed."""

from __future__ import annotations

from smartstream.simulate.cases.ways import (
    FAR_M,
    START_Y_M,
    STOP_AT_M,
    along,
    left,
    middle,
    somewhere,
    through,
    usual,
)
from smartstream.simulate.drive import Go, Move, Wait, bend
from smartstream.simulate.kinds import KINDS
from smartstream.simulate.layout import CROSSWALK_M, Point
from smartstream.simulate.stage import Case, Stage

_SOON_S = 2.0


def _drives(stage: Stage, kind: str, lane: int, mps: float, path: list[Point] | None = None) -> None:
    """Through a lane, over the line on its green."""
    path = path or (left if lane == 2 else through)(somewhere(stage.rng, lane, kind))
    green = stage.onset("NS-left" if lane == 2 else "NS-through", "green")
    stage.drive(kind, path, [Go(FAR_M, mps)], at=(STOP_AT_M, green + stage.rng.uniform(1.5, 6)))


def _car_in_s0(stage: Stage) -> None:
    _drives(stage, "car", 0, usual(stage.rng, "car"))


def _car_in_s0_with_permit(stage: Stage) -> None:
    _car_in_s0(stage)
    stage.condition("permit", lane="S0")


def _allowed_in_s0(stage: Stage) -> None:
    kind = stage.rng.choice(("motorcycle", "bicycle", "bus", "truck"))
    _drives(stage, kind, 0, usual(stage.rng, kind))


def _beside_s0(stage: Stage) -> None:
    x = middle(1) + stage.rng.uniform(0.4, 0.75)
    _drives(stage, "car", 1, usual(stage.rng, "car"), through(x))


def _out_of_a_house(stage: Stage) -> None:
    """Over the pavement and through S0 into S1."""
    y, x = stage.rng.uniform(-60, -45), somewhere(stage.rng, 1, "car")
    path = bend([(24.0, y), (x, y), (x, 60.0)], 3.0)
    green = stage.onset("NS-through", "green")
    stage.drive("car", path, [Go(FAR_M, stage.rng.uniform(5.5, 7))], at=(24.0 - x + 20, green))


def _truck_in_s2(stage: Stage) -> None:
    _drives(stage, "truck", 2, usual(stage.rng, "truck"))


def _bus_in_s2(stage: Stage) -> None:
    """A ban by the hour, within its hours."""
    _drives(stage, "bus", 2, usual(stage.rng, "bus"))


def _bus_in_s1(stage: Stage) -> None:
    """A ban by the hour, outside its hours."""
    _drives(stage, "bus", 1, usual(stage.rng, "bus"))


def _truck_in_s1(stage: Stage) -> None:
    _drives(stage, "truck", 1, usual(stage.rng, "truck"))


def _truck_with_permit(stage: Stage) -> None:
    _truck_in_s2(stage)
    stage.condition("permit", lane="S2")


def _too_fast(stage: Stage) -> None:
    rng = stage.rng
    kind, lane = rng.choice((("car", 1), ("motorcycle", 0), ("motorcycle", 1)))
    _drives(stage, kind, lane, rng.uniform(63, 85) / 3.6)


def _at_the_limit(stage: Stage) -> None:
    kind, lane = stage.rng.choice((("car", 1), ("motorcycle", 0)))
    _drives(stage, kind, lane, stage.rng.uniform(46, 51) / 3.6)


def _ambulance_too_fast(stage: Stage) -> None:
    _too_fast(stage)
    stage.condition("emergency_vehicle")


def _on_the_pavement(stage: Stage) -> None:
    _rides_there(stage, "motorcycle", stage.rng.uniform(4, 7))


def _cycles_on_the_pavement(stage: Stage) -> None:
    _rides_there(stage, "bicycle", stage.rng.uniform(3, 4.4))


def _rides_there(stage: Stage, kind: str, mps: float) -> None:
    x = stage.rng.uniform(11.9, 13.4)
    path = [(x, START_Y_M), (x, -26.0), (x + 1.5, -21.0), (18.0, -17.0), (20.0, -14.5), (60.0, -14.0)]
    stage.drive(kind, path, [Go(FAR_M, mps)], at=(1.0, stage.soon_s + _SOON_S))


def _round_an_incident(stage: Stage) -> None:
    _on_the_pavement(stage)
    stage.condition("incident")


def _into_a_house(stage: Stage) -> None:
    """From the road over the pavement into a yard, slowly."""
    rng = stage.rng
    y, kind = rng.uniform(-60, -40), rng.choice(("motorcycle", "bicycle"))
    x = somewhere(rng, 0, kind)
    path = bend([(x, START_Y_M), (x, y), (30.0, y)], 2.5)
    stage.drive(kind, path, [Go(along(y) - 6, 6), Go(FAR_M, rng.uniform(2, 3))], at=(1.0, stage.soon_s + _SOON_S))


def _along_the_kerb(stage: Stage) -> None:
    kind = stage.rng.choice(("motorcycle", "bicycle"))
    _drives(stage, kind, 0, usual(stage.rng, kind), through(stage.rng.uniform(9.7, 9.95)))


def _walks_on_it(stage: Stage) -> None:
    x = stage.rng.uniform(11.9, 13.4)
    stage.drive("pedestrian", [(x, -55.0), (x, -22.0)], [Go(FAR_M, 1.4)], at=(0.5, stage.soon_s + _SOON_S))


def _stops(stage: Stage, lane: int, kinds: tuple[str, ...], seconds: float) -> None:
    rng = stage.rng
    kind = rng.choice(kinds)
    stop = along(rng.uniform(-62, -42))
    moves: list[Move] = [Go(stop, usual(rng, kind), stop=True), Wait(seconds), Go(FAR_M, usual(rng, kind))]
    green = stage.onset("NS-through", "green")
    stage.drive(kind, through(somewhere(rng, lane, kind)), moves, at=(stop, green - seconds - 2))


def _parks(stage: Stage) -> None:
    _stops(stage, 0, ("truck", "motorcycle", "bus"), stage.rng.uniform(20, 30))


def _breaks_down(stage: Stage) -> None:
    _parks(stage)
    stage.condition("incident")


def _stops_shortly(stage: Stage) -> None:
    _stops(stage, 0, ("truck", "motorcycle", "bus"), stage.rng.uniform(7, 11))


def _stops_beside_the_zone(stage: Stage) -> None:
    _stops(stage, 1, ("car", "motorcycle"), stage.rng.uniform(20, 28))


def _queues(stage: Stage) -> None:
    """A queue at the red light that reaches into the zone."""
    rng = stage.rng
    red = stage.onset("NS-through", "red")
    waits = stage.lasts("NS-through", "red")
    front, x = STOP_AT_M - rng.uniform(0.5, 1), somewhere(rng, 0, "truck")
    for i in range(4):
        kind = rng.choice(("truck", "bus"))
        arrives = red + 2 + 4 * i
        moves: list[Move] = [Go(front, 7, stop=True), Wait(red + waits + 1 + 2 * i - arrives), Go(FAR_M, 7)]
        stage.drive(kind, through(x), moves, at=(front, arrives))
        front -= KINDS[kind].size_m[0] + rng.uniform(1.5, 2.5)


def _jam(stage: Stage, *, closes_after_s: float) -> None:
    """Two cars stand where the northern stream leaves; a third stands behind them in the box.

    With a positive ``closes_after_s`` they come to rest so long after it has entered.
    """
    rng = stage.rng
    x, y = -rng.uniform(3.5, 7.0), -rng.uniform(13.6, 14.6)
    path = [(x, 60.0), (x, START_Y_M)]
    begin = stage.soon_s + 24
    mps = rng.uniform(5, 7)
    entered = begin + (60 - 4) / mps
    held = rng.uniform(9, 14)
    gap = rng.uniform(1.3, 2.0)
    until = entered + 12 + held
    ahead = y
    for i in range(2):
        ahead -= 4.4 + gap
        rests = entered + closes_after_s - 1.5 * (1 - i) if closes_after_s > 0 else entered - 6 - 3 * (1 - i)
        moves: list[Move] = [Go(60 - ahead, mps, stop=True), Wait(until - rests - 1.5 * i), Go(FAR_M, 7)]
        stage.drive("car", path, moves, at=(60 - ahead, rests))
    moves = [Go(60 - y, mps, stop=True), Wait(until - entered - 3), Go(FAR_M, 7)]
    stage.drive("car", path, moves, at=(60 - 4, entered))


def _blocks_the_box(stage: Stage) -> None:
    _jam(stage, closes_after_s=0.0)


def _caught_by_the_jam(stage: Stage) -> None:
    _jam(stage, closes_after_s=stage.rng.uniform(4.5, 5.5))


def _blocks_it_for_a_crash(stage: Stage) -> None:
    _blocks_the_box(stage)
    stage.condition("incident")


def _gives_way_in_the_box(stage: Stage) -> None:
    rng = stage.rng
    kind = rng.choice(("car", "motorcycle"))
    green = stage.onset("NS-left", "green")
    moves: list[Move] = [Go(STOP_AT_M + rng.uniform(7, 12), 6, stop=True), Wait(rng.uniform(7, 11)), Go(FAR_M, 6)]
    stage.drive(kind, left(somewhere(rng, 2, kind)), moves, at=(STOP_AT_M, green + 1.5))


def _rolls_through_the_box(stage: Stage) -> None:
    rng = stage.rng
    moves: list[Move] = [Go(STOP_AT_M + 10, 5, stop=True), Wait(rng.uniform(0.5, 1.5)), Go(FAR_M, 6)]
    green = stage.onset("NS-through", "green")
    stage.drive("car", through(somewhere(rng, 1, "car")), moves, at=(STOP_AT_M, green + 1.5))


def _walker(stage: Stage, *, y: float, x: float, at_s: float) -> float:
    """Somebody on foot who is at ``x`` at that time; returns the speed, positive to the east."""
    way = stage.rng.choice((-1.0, 1.0))
    mps = stage.rng.uniform(1.2, 1.6)
    path = [(-15.0 * way, y), (15.0 * way, y)]
    stage.drive("pedestrian", path, [Go(FAR_M, mps)], at=(x * way + 15.0, at_s))
    return mps * way


def _meets_walker(stage: Stage, kinds: tuple[str, ...], later_s: float, y: float) -> None:
    """Somebody drives over the crosswalk ``later_s`` before a pedestrian is there (after, where negative)."""
    rng = stage.rng
    kind, lane = rng.choice(kinds), rng.randrange(2)
    kind = "motorcycle" if lane == 0 and kind == "car" else kind
    x = somewhere(rng, lane, kind)
    green = stage.onset("NS-through", "green")
    passes = green + rng.uniform(2, 7)
    stage.drive(kind, through(x), [Go(FAR_M, rng.uniform(8, 12))], at=(along(y), passes))
    _walker(stage, y=y, x=x, at_s=passes + later_s)


def _crossing_y(stage: Stage) -> float:
    return -stage.rng.uniform(CROSSWALK_M[0] + 0.7, CROSSWALK_M[1] - 0.7)


def _cuts_across(stage: Stage) -> None:
    _meets_walker(stage, ("motorcycle",), stage.rng.uniform(0.85, 1.15), _crossing_y(stage))


def _cuts_across_in_an_emergency(stage: Stage) -> None:
    _cuts_across(stage)
    stage.condition("emergency_vehicle")


def _long_before(stage: Stage) -> None:
    _meets_walker(stage, ("car", "motorcycle"), stage.rng.uniform(3.6, 5), _crossing_y(stage))


def _long_after(stage: Stage) -> None:
    _meets_walker(stage, ("car", "motorcycle"), -stage.rng.uniform(4, 6), _crossing_y(stage))


def _not_on_the_crosswalk(stage: Stage) -> None:
    _meets_walker(stage, ("motorcycle",), stage.rng.uniform(0.85, 1.15), stage.rng.uniform(-45, -30))


def _waits_for_walker(stage: Stage) -> None:
    rng = stage.rng
    kind, y = rng.choice(("car", "motorcycle")), _crossing_y(stage)
    x = somewhere(rng, 1, kind)
    green = stage.onset("NS-through", "green")
    arrives, stop = green + 1, STOP_AT_M - rng.uniform(0.5, 1.5)
    moves: list[Move] = [Go(stop, 8, stop=True), Wait(rng.uniform(7.0, 8.0)), Go(FAR_M, 7)]
    stage.drive(kind, through(x), moves, at=(stop, arrives))
    _walker(stage, y=y, x=x, at_s=arrives + 4)


PLACES = (
    Case("wrong_lane", "car in the lane for others", "offence", _car_in_s0),
    Case("wrong_lane", "car in the lane for others, again", "offence", _car_in_s0),
    Case("wrong_lane", "whom the lane is for", "near_miss", _allowed_in_s0),
    Case("wrong_lane", "car at the edge of the lane beside it", "near_miss", _beside_s0),
    Case("wrong_lane", "car through the lane, out of a house", "near_miss", _out_of_a_house),
    Case("wrong_lane", "car with a permit", "lifted", _car_in_s0_with_permit),
    Case("banned_class", "truck in the lane", "offence", _truck_in_s2),
    Case("banned_class", "bus in the hours of the ban", "offence", _bus_in_s2),
    Case("banned_class", "bus outside the hours of the ban", "near_miss", _bus_in_s1),
    Case("banned_class", "truck in another lane", "near_miss", _truck_in_s1),
    Case("banned_class", "truck with a permit", "lifted", _truck_with_permit),
    Case("speeding", "too fast", "offence", _too_fast),
    Case("speeding", "too fast, again", "offence", _too_fast),
    Case("speeding", "at the limit", "near_miss", _at_the_limit),
    Case("speeding", "ambulance", "lifted", _ambulance_too_fast),
    Case("sidewalk", "rides on the pavement", "offence", _on_the_pavement),
    Case("sidewalk", "rides on the pavement, again", "offence", _on_the_pavement),
    Case("sidewalk", "over the pavement into a yard", "near_miss", _into_a_house),
    Case("sidewalk", "over the pavement out of a yard", "near_miss", _out_of_a_house),
    Case("sidewalk", "along the kerb", "near_miss", _along_the_kerb),
    Case("sidewalk", "bicycle, of which the law says nothing", "near_miss", _cycles_on_the_pavement),
    Case("sidewalk", "walks on it", "near_miss", _walks_on_it),
    Case("sidewalk", "round an incident", "lifted", _round_an_incident),
    Case("illegal_stop", "parks", "offence", _parks),
    Case("illegal_stop", "parks, again", "offence", _parks),
    Case("illegal_stop", "stops for less than the limit", "near_miss", _stops_shortly),
    Case("illegal_stop", "stands beside the zone", "near_miss", _stops_beside_the_zone),
    Case("illegal_stop", "queues at the red light", "near_miss", _queues),
    Case("illegal_stop", "stalled, and reported", "lifted", _breaks_down),
    Case("box_blocking", "enters without room to leave", "offence", _blocks_the_box),
    Case("box_blocking", "enters without room to leave, again", "offence", _blocks_the_box),
    Case("box_blocking", "the jam closes after it has entered", "near_miss", _caught_by_the_jam),
    Case("box_blocking", "gives way in the box", "near_miss", _gives_way_in_the_box),
    Case("box_blocking", "halts in the box for a moment", "near_miss", _rolls_through_the_box),
    Case("box_blocking", "behind a crash", "lifted", _blocks_it_for_a_crash),
    Case("fail_to_yield_pedestrian", "cuts across", "offence", _cuts_across),
    Case("fail_to_yield_pedestrian", "cuts across, again", "offence", _cuts_across),
    Case("fail_to_yield_pedestrian", "long before", "near_miss", _long_before),
    Case("fail_to_yield_pedestrian", "long after", "near_miss", _long_after),
    Case("fail_to_yield_pedestrian", "waits for the pedestrian", "near_miss", _waits_for_walker),
    Case("fail_to_yield_pedestrian", "pedestrian beside the crosswalk", "near_miss", _not_on_the_crosswalk),
    Case("fail_to_yield_pedestrian", "ambulance", "lifted", _cuts_across_in_an_emergency),
)
