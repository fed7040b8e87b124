"""Cases at the stop line: red, amber, standing over it."""

from __future__ import annotations

from collections.abc import Callable

from smartstream.simulate.cases.ways import (
    FAR_M,
    GROUP,
    KINDS_OF_LANE,
    STOP_AT_M,
    left,
    right,
    somewhere,
    through,
    usual,
    way_on,
)
from smartstream.simulate.drive import Go, Move, Wait
from smartstream.simulate.layout import Point
from smartstream.simulate.phases import ARROW
from smartstream.simulate.stage import Case, Stage


def _somebody(stage: Stage, lane: int | None = None) -> tuple[int, str, list[Point]]:
    """Lane, kind and path."""
    lane = stage.rng.randrange(3) if lane is None else lane
    kind = stage.rng.choice(KINDS_OF_LANE[lane])
    return lane, kind, way_on(lane, somewhere(stage.rng, lane, kind))


def _crosses(stage: Stage, state: str, after_s: tuple[float, float], lane: int | None = None) -> None:
    """Somebody under way whose front is over the line so long after (before) the onset of a state."""
    lane, kind, path = _somebody(stage, lane)
    onset = stage.onset(GROUP[lane], state)  # type: ignore[arg-type]
    stage.drive(kind, path, [Go(FAR_M, usual(stage.rng, kind))], at=(STOP_AT_M, onset + stage.rng.uniform(*after_s)))


def _runs_red(stage: Stage) -> None:
    _crosses(stage, "red", (0.8, 30.0))


def _starts_on_red(stage: Stage) -> None:
    rng = stage.rng
    lane, kind, path = _somebody(stage)
    stop = STOP_AT_M - rng.uniform(0.4, 1.5)
    moves: list[Move] = [Go(stop, usual(rng, kind), stop=True), Wait(rng.uniform(3, 8)), Go(FAR_M, usual(rng, kind))]
    stage.drive(kind, path, moves, at=(stop, stage.onset(GROUP[lane], "red") + rng.uniform(1, 6)))


def _waved_through(stage: Stage) -> None:
    _runs_red(stage)
    stage.condition("officer_control")


def _makes_way(stage: Stage) -> None:
    """Somebody who waits drives into the junction so that the ambulance behind can pass."""
    rng = stage.rng
    kind = rng.choice(("car", "motorcycle"))
    ahead, behind = through(somewhere(rng, 1, kind)), through(somewhere(rng, 1, "car"))
    red = stage.onset(GROUP[1], "red")
    arrives, comes = red + 2, red + rng.uniform(14, 18)
    aside = STOP_AT_M + rng.uniform(4.0, 5.5)
    moves: list[Move] = [
        Go(STOP_AT_M - 1, 8, stop=True),
        Wait(comes - arrives - 4),
        Go(aside, 3, stop=True),
        Wait(stage.lasts(GROUP[1], "red")),
        Go(FAR_M, 8),
    ]
    stage.drive(kind, [(x + 0.0, y) for x, y in ahead], moves, at=(STOP_AT_M - 1, arrives))
    stage.drive("car", [(x - 3.4, y) for x, y in behind], [Go(FAR_M, 13)], at=(STOP_AT_M, comes))
    stage.condition("emergency_vehicle")


def _backs_off(stage: Stage) -> None:
    rng = stage.rng
    lane = rng.randrange(3)
    kind = "motorcycle" if lane == 0 else rng.choice(("car", "motorcycle"))
    path = way_on(lane, somewhere(rng, lane, kind))
    arrives = stage.onset(GROUP[lane], "red") + rng.uniform(2, 8)
    moves: list[Move] = [
        Go(STOP_AT_M + rng.uniform(0.5, 0.9), usual(rng, kind), stop=True),
        Wait(rng.uniform(0.3, 0.7)),
        Go(STOP_AT_M - rng.uniform(1.0, 1.6), 0.9, stop=True),
        Wait(stage.onset(GROUP[lane], "green", after_s=arrives) - arrives),
        Go(FAR_M, usual(rng, kind)),
    ]
    stage.drive(kind, path, moves, at=(STOP_AT_M, arrives))


def _late_green(stage: Stage) -> None:
    _crosses(stage, "amber", (-2.5, -0.4))


def _on_amber(stage: Stage) -> None:
    _crosses(stage, "amber", (0.4, 2.4))


def _on_the_arrow(stage: Stage) -> None:
    """To the left on its green arrow, while those who go straight on have red."""
    _crosses(stage, "green", (1.5, 7.0), lane=2)


def _beside_the_arrow(stage: Stage, path: Callable[[float], list[Point]]) -> None:
    """From the lane that straight on and to the right share, while the arrow is green and the light is red."""
    rng = stage.rng
    kind = rng.choice(("motorcycle", "bus"))
    at = stage.onset(ARROW, "green") + rng.uniform(1.0, 8.0)
    stage.drive(kind, path(somewhere(rng, 0, kind)), [Go(FAR_M, rng.uniform(4, 8))], at=(STOP_AT_M, at))


def _right_on_the_arrow(stage: Stage) -> None:
    _beside_the_arrow(stage, right)


def _through_beside_the_arrow(stage: Stage) -> None:
    _beside_the_arrow(stage, through)


def _right_without_the_arrow(stage: Stage) -> None:
    rng = stage.rng
    kind = rng.choice(("motorcycle", "bus"))
    at = stage.onset(ARROW, "red") + rng.uniform(0.8, 12.0)
    stage.drive(kind, right(somewhere(rng, 0, kind)), [Go(FAR_M, rng.uniform(4, 8))], at=(STOP_AT_M, at))


def _caught_in_the_box(stage: Stage) -> None:
    """Entered on green, waits there for a gap, and is still there on red."""
    rng = stage.rng
    kind = rng.choice(KINDS_OF_LANE[2])
    amber = stage.onset(GROUP[2], "amber")
    moves: list[Move] = [Go(STOP_AT_M + rng.uniform(5, 9), 6, stop=True), Wait(rng.uniform(5.5, 9)), Go(FAR_M, 7)]
    stage.drive(kind, left(somewhere(rng, 2, kind)), moves, at=(STOP_AT_M, amber - rng.uniform(0.5, 1.5)))


def _stands_until_green(stage: Stage, over_m: float, after_green_s: tuple[float, float]) -> None:
    rng = stage.rng
    lane, kind, path = _somebody(stage)
    arrives = stage.onset(GROUP[lane], "red") + rng.uniform(2, 20)
    green = stage.onset(GROUP[lane], "green", after_s=arrives)
    stop = STOP_AT_M + over_m
    waits = green + rng.uniform(*after_green_s) - arrives
    moves: list[Move] = [Go(stop, usual(rng, kind), stop=True), Wait(waits), Go(FAR_M, usual(rng, kind))]
    stage.drive(kind, path, moves, at=(stop, arrives))


def _starts_on_green(stage: Stage) -> None:
    _stands_until_green(stage, -stage.rng.uniform(0.35, 0.9), (0.2, 1.2))


def _stands_over(stage: Stage) -> None:
    _stands_until_green(stage, stage.rng.uniform(0.9, 1.9), (0.5, 2))


def _officer_holds_it_there(stage: Stage) -> None:
    _stands_over(stage)
    stage.condition("officer_control")


def _stands_over_from_green(stage: Stage) -> None:
    """Over the line on green, held up there by what is ahead, and still there on red."""
    rng = stage.rng
    lane, kind, path = _somebody(stage)
    enters = stage.onset(GROUP[lane], "amber") - rng.uniform(0.8, 2.0)
    green = stage.onset(GROUP[lane], "green", after_s=enters)
    moves: list[Move] = [Go(STOP_AT_M + rng.uniform(1.0, 1.8), 3.5, stop=True), Wait(green - enters), Go(FAR_M, 7)]
    stage.drive(kind, path, moves, at=(STOP_AT_M, enters))


def _races_amber(stage: Stage) -> None:
    """Could have stopped in comfort."""
    rng = stage.rng
    lane = rng.randrange(3)
    kind = "motorcycle" if lane == 0 else rng.choice(("car", "motorcycle"))
    path = way_on(lane, somewhere(rng, lane, kind))
    mps = rng.uniform(7.5, 12.0)
    after_s = rng.uniform(mps / 5.6, 2.7)
    onset = stage.onset(GROUP[lane], "amber")
    stage.drive(kind, path, [Go(FAR_M, mps)], at=(STOP_AT_M, onset + after_s))


def _waved_over_amber(stage: Stage) -> None:
    _races_amber(stage)
    stage.condition("officer_control")


LIGHTS = (
    Case("red_light", "runs the red", "offence", _runs_red),
    Case("red_light", "waits and starts on red", "offence", _starts_on_red),
    Case("red_light", "nose over the line, backs off", "near_miss", _backs_off),
    Case("red_light", "just before amber", "near_miss", _late_green),
    Case("red_light", "on amber", "near_miss", _on_amber),
    Case("red_light", "green arrow to the left, red straight on", "near_miss", _on_the_arrow),
    Case("red_light", "entered on green, in the box on red", "near_miss", _caught_in_the_box),
    Case("red_light", "starts on green", "near_miss", _starts_on_green),
    Case("red_light", "officer waves it through", "lifted", _waved_through),
    Case("red_light", "makes way for an ambulance", "lifted", _makes_way),
    Case("yellow_light", "could have stopped in comfort", "offence", _races_amber),
    Case("yellow_light", "could have stopped in comfort, again", "offence", _races_amber),
    Case("yellow_light", "just before amber", "near_miss", _late_green),
    Case("yellow_light", "starts on green", "near_miss", _starts_on_green),
    Case("yellow_light", "officer waves it through", "lifted", _waved_over_amber),
    Case("stop_line", "stands over the line", "offence", _stands_over),
    Case("stop_line", "stands over the line, again", "offence", _stands_over),
    Case("stop_line", "nose over the line, backs off", "near_miss", _backs_off),
    Case("stop_line", "stands right before the line", "near_miss", _starts_on_green),
    Case("stop_line", "over the line on green, held up there", "near_miss", _stands_over_from_green),
    Case("stop_line", "officer holds it there", "lifted", _officer_holds_it_there),
)
ARROWS = (
    Case("red_light", "to the right on its green arrow, red straight on", "near_miss", _right_on_the_arrow),
    Case("red_light", "straight on beside the green arrow", "offence", _through_beside_the_arrow),
    Case("red_light", "to the right, and the arrow is red", "offence", _right_without_the_arrow),
)
