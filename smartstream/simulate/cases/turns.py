"""Cases of ways through the junction: arrows, forbidden turns, turning back, against the traffic, over a line."""

from __future__ import annotations

from collections.abc import Callable

from smartstream.simulate.cases.ways import (
    FAR_M,
    GROUP,
    START_Y_M,
    STOP_AT_M,
    along,
    left,
    right,
    somewhere,
    through,
    u_turn,
    usual,
)
from smartstream.simulate.drive import Go, Move, Wait, bend
from smartstream.simulate.layout import Point
from smartstream.simulate.stage import Case, Stage

_ANY_TIME_S = 2.0


def _on_green(stage: Stage, lane: int, kind: str, path: list[Point], mps: float) -> None:
    green = stage.onset(GROUP[lane], "green")
    stage.drive(kind, path, [Go(FAR_M, mps)], at=(STOP_AT_M, green + stage.rng.uniform(1.5, 7)))


def _turns(
    stage: Stage, lane: int, way: Callable[[float], list[Point]], kinds: tuple[str, ...], mps: tuple[float, float]
) -> None:
    kind = stage.rng.choice(kinds)
    _on_green(stage, lane, kind, way(somewhere(stage.rng, lane, kind)), stage.rng.uniform(*mps))


def _turns_left_from_s1(stage: Stage) -> None:
    _turns(stage, 1, left, ("car", "motorcycle"), (6, 9))


def _turns_right_from_s1(stage: Stage) -> None:
    _turns(stage, 1, right, ("car", "motorcycle"), (5, 8))


def _signed_round(stage: Stage) -> None:
    _turns_left_from_s1(stage)
    stage.condition("temporary_sign")


def _turns_left_from_s2(stage: Stage) -> None:
    _turns(stage, 2, left, ("car", "motorcycle"), (6, 9))


def _turns_right_from_s0(stage: Stage) -> None:
    _turns(stage, 0, right, ("motorcycle", "bus"), (4, 7))


def _comes_from_the_north(stage: Stage) -> None:
    """Over the same exit line, but from another arm."""
    kind = stage.rng.choice(("car", "motorcycle", "truck"))
    path = bend([(-1.75, 60.0), (-1.75, -8.5), (60.0, -8.5)], 8.0)
    stage.drive(kind, path, [Go(FAR_M, stage.rng.uniform(6, 9))], at=(50.0, stage.soon_s + 12))


def _comes_in_over_the_exit(stage: Stage) -> None:
    """Over the exit line the wrong way round: from the east it turns into the southern arm."""
    kind = stage.rng.choice(("motorcycle", "bicycle"))
    x, y = -stage.rng.uniform(3.5, 7.0), stage.rng.uniform(-9, -6.5)
    path = bend([(60.0, y), (x, y), (x, START_Y_M)], 6.0)
    stage.drive(kind, path, [Go(FAR_M, stage.rng.uniform(4, 6))], at=(50.0, stage.soon_s + 14))


def _truck_turns_right(stage: Stage) -> None:
    _on_green(stage, 0, "truck", right(somewhere(stage.rng, 0, "truck")), stage.rng.uniform(4, 7))


def _truck_sent_right(stage: Stage) -> None:
    _truck_turns_right(stage)
    stage.condition("officer_control")


def _truck_goes_through(stage: Stage) -> None:
    _on_green(stage, 0, "truck", through(somewhere(stage.rng, 0, "truck")), usual(stage.rng, "truck"))


def _truck_from_the_north(stage: Stage) -> None:
    path = bend([(-1.75, 60.0), (-1.75, -8.5), (60.0, -8.5)], 9.0)
    stage.drive("truck", path, [Go(FAR_M, stage.rng.uniform(5, 8))], at=(50.0, stage.soon_s + 12))


def _turns_back(stage: Stage) -> None:
    rng = stage.rng
    kind = rng.choice(("car", "motorcycle"))
    path = u_turn(somewhere(rng, 2, kind), y=rng.uniform(-11, -7))
    green = stage.onset("NS-left", "green")
    stage.drive(kind, path, [Go(FAR_M, rng.uniform(3.5, 5.5))], at=(STOP_AT_M + 20, green + rng.uniform(1.5, 5)))


def _sent_back(stage: Stage) -> None:
    _turns_back(stage)
    stage.condition("officer_control")


def _turns_back_where_it_may(stage: Stage) -> None:
    """South of the solid line."""
    rng = stage.rng
    kind = rng.choice(("car", "motorcycle"))
    path = u_turn(somewhere(rng, 2, kind), y=rng.uniform(-83, -79))
    stage.drive(kind, path, [Go(FAR_M, rng.uniform(3, 5))], at=(20.0, stage.soon_s + 10))


def _turns_back_over_the_line(stage: Stage) -> None:
    rng = stage.rng
    kind = rng.choice(("car", "motorcycle"))
    path = u_turn(somewhere(rng, 2, kind), y=rng.uniform(-55, -35))
    mps = rng.uniform(2.4, 3.2) if kind == "car" else rng.uniform(1.6, 2.0)
    stage.drive(kind, path, [Go(FAR_M, mps)], at=(20.0, stage.soon_s + 14))


def _goes_round_the_wreck(stage: Stage) -> None:
    _turns_back_over_the_line(stage)
    stage.condition("incident")


def _drives_along_the_line(stage: Stage) -> None:
    rng = stage.rng
    kind, x = rng.choice((("car", 1.25), ("motorcycle", 0.75), ("truck", 1.5)))
    path = [(x + rng.uniform(0.0, 0.2), START_Y_M), (x + rng.uniform(0.0, 0.2), 60.0)]
    _on_green(stage, 2, "car" if kind == "truck" else kind, path, rng.uniform(6, 10))


def _rides_against(stage: Stage) -> None:
    rng = stage.rng
    x = rng.uniform(8.0, 10.0)
    kind, mps = rng.choice((("motorcycle", rng.uniform(4, 8)), ("bicycle", rng.uniform(3, 4.4))))
    path = [(22.0, -8.0), (13.0, -12.0), (10.6, -16.0), (x, -21.0), (x, START_Y_M)]
    stage.drive(kind, path, [Go(FAR_M, mps)], at=(1.0, stage.soon_s + _ANY_TIME_S))


def _rides_up_the_other_side(stage: Stage) -> None:
    rng = stage.rng
    x = -rng.uniform(1.5, 9.0)
    kind = rng.choice(("motorcycle", "car"))
    path = bend([(x, START_Y_M), (x, -6.0), (-60.0, -6.0)], 6.0)
    stage.drive(kind, path, [Go(FAR_M, rng.uniform(5, 9))], at=(1.0, stage.soon_s + _ANY_TIME_S))


def _ambulance_against(stage: Stage) -> None:
    _rides_up_the_other_side(stage)
    stage.condition("emergency_vehicle")


def _down_the_other_side(stage: Stage) -> None:
    rng = stage.rng
    x, kind = -rng.uniform(2.0, 9.0), rng.choice(("motorcycle", "car", "truck", "bus"))
    path = [(x, 40.0), (x, START_Y_M)]
    stage.drive(kind, path, [Go(FAR_M, usual(rng, kind))], at=(1.0, stage.soon_s + _ANY_TIME_S))


def _backs_up(stage: Stage, metres: float, mps: float) -> None:
    rng = stage.rng
    kind = rng.choice(("car", "truck"))
    stop = along(rng.uniform(-45, -35))
    moves: list[Move] = [Go(stop, 7, stop=True), Wait(3), Go(stop - metres, mps, stop=True), Wait(2), Go(FAR_M, 7)]
    green = stage.onset("NS-through", "green")
    stage.drive(kind, through(somewhere(rng, 1, kind)), moves, at=(stop, green - metres / mps - 6))


def _backs_up_a_little(stage: Stage) -> None:
    _backs_up(stage, stage.rng.uniform(3, 6), 1.2)


def _backs_up_far(stage: Stage) -> None:
    _backs_up(stage, stage.rng.uniform(11, 15), 1.6)


TURNS = (
    Case("wrong_way", "rides up against the queue", "offence", _rides_against),
    Case("wrong_way", "rides up the opposite carriageway", "offence", _rides_up_the_other_side),
    Case("wrong_way", "backs up a few metres", "near_miss", _backs_up_a_little),
    Case("wrong_way", "backs up far", "near_miss", _backs_up_far),
    Case("wrong_way", "drives where the other direction belongs", "near_miss", _down_the_other_side),
    Case("wrong_way", "ambulance against the traffic", "lifted", _ambulance_against),
    Case("lane_arrow", "to the left from the lane straight on", "offence", _turns_left_from_s1),
    Case("lane_arrow", "to the right from the lane straight on", "offence", _turns_right_from_s1),
    Case("lane_arrow", "to the left from its lane", "near_miss", _turns_left_from_s2),
    Case("lane_arrow", "to the right from its lane", "near_miss", _turns_right_from_s0),
    Case("lane_arrow", "over the same exit from another arm", "near_miss", _comes_from_the_north),
    Case("lane_arrow", "in over the exit line", "near_miss", _comes_in_over_the_exit),
    Case("lane_arrow", "a temporary sign sends it round", "lifted", _signed_round),
    Case("illegal_turn", "truck to the right", "offence", _truck_turns_right),
    Case("illegal_turn", "truck to the right, again", "offence", _truck_turns_right),
    Case("illegal_turn", "others to the right", "near_miss", _turns_right_from_s0),
    Case("illegal_turn", "truck straight on", "near_miss", _truck_goes_through),
    Case("illegal_turn", "truck from another arm", "near_miss", _truck_from_the_north),
    Case("illegal_turn", "officer sends the truck there", "lifted", _truck_sent_right),
    Case("u_turn", "turns back in the box", "offence", _turns_back),
    Case("u_turn", "turns back in the box, again", "offence", _turns_back),
    Case("u_turn", "turns back where it is allowed", "near_miss", _turns_back_where_it_may),
    Case("u_turn", "to the left", "near_miss", _turns_left_from_s2),
    Case("u_turn", "officer sends it back", "lifted", _sent_back),
    Case("solid_line", "turns back over the line", "offence", _turns_back_over_the_line),
    Case("solid_line", "turns back over the line, again", "offence", _turns_back_over_the_line),
    Case("solid_line", "drives along the line", "near_miss", _drives_along_the_line),
    Case("solid_line", "turns back where the line has ended", "near_miss", _turns_back_where_it_may),
    Case("solid_line", "round a wreck", "lifted", _goes_round_the_wreck),
)
