"""A camera that looks after the vehicles sees their rears; the law asks for their fronts."""

from __future__ import annotations

import pytest
from rules_street import Vehicle, camera, config, image, rectangle, verdicts
from test_rule_kinds import LIGHTS

AWAY = {"id": "A", "polygon": rectangle(0, 0, 3.5, 50), "signal": "G", "direction": [0, -1]}
STOP = {"id": "stop", "kind": "stop", "points": image((0, 0), (3.5, 0))}
ROAD = config(camera(lanes=[AWAY], lines=[STOP], rules=LIGHTS))


def bus(*way):
    return Vehicle(way, kind="bus", width_m=2.5, height_m=3.0)


RED = ((0, "green"), (1, "amber"), (4, "red"))
PASSES = bus((1.7, 40, 8), (1.7, 0, 4), (1.7, -20, 0))  # its rear at second 8, its front up to 2.4 s before


def judged(vehicle, *lights):
    return verdicts(ROAD, [vehicle], signals=lights)


def test_front_on_green_and_rear_on_red_is_no_red_light():
    found = judged(PASSES, (0, "green"), (6.0, "amber"), (7.0, "red"))
    assert found == [("red_light", "undecided", "phase_boundary")]


def test_front_of_the_shortest_over_before_red_is_no_red_light_whenever_the_rear_follows():
    found = judged(PASSES, (0, "green"), (6.5, "amber"), (7.5, "red"))
    assert found == [("yellow_light", "undecided", "phase_boundary")]


def test_front_on_green_and_rear_on_amber_is_no_yellow_light():
    assert judged(PASSES, (0, "green"), (7.0, "amber")) == [("yellow_light", "undecided", "phase_boundary")]


def test_front_over_the_line_since_green_is_past_it():
    stands = bus((1.7, 40, 4), (1.7, 6, 20), (1.7, 6, 2), (1.7, -20, 0))
    found = judged(stands, (0, "green"), (6.5, "amber"), (9.5, "red"))
    assert found == [("red_light", "undecided", "phase_boundary")]


def test_who_was_not_seen_before_his_front_was_over():
    appears = Vehicle([(1.7, 6, 2), (1.7, -20, 0)], kind="bus", width_m=2.5, height_m=3.0, at=5)
    assert judged(appears, (0, "red")) == [("red_light", "undecided", "appeared_at_line")]


@pytest.mark.parametrize(
    "vehicle",
    [PASSES, bus((1.7, 40, 4), (1.7, 13, 20), (1.7, 13, 5), (1.7, -20, 0))],
    ids=["drives", "waits and starts"],
)
def test_front_and_rear_on_red_is_a_red_light(vehicle):
    assert judged(vehicle, *RED) == [("red_light", "suspected")]


def test_a_rider_who_seemed_to_be_on_foot_before_the_line():
    rider = Vehicle([(1.7, 40, 8), (1.7, 0, 4), (1.7, -20, 0)], kind="pedestrian", later=(7.8, "motorcycle", 1.0))
    assert judged(rider, *RED) == [("red_light", "suspected")]


def test_who_seemed_to_be_shorter_may_have_been_over_with_his_front():
    way = [(1.7, 40, 8), (1.7, 0, 4), (1.7, -20, 0)]
    taken_for_a_car = Vehicle(way, kind="car", width_m=2.5, height_m=3.0, later=(7.8, "bus", 1.0))
    found = judged(taken_for_a_car, *RED)
    assert found == [("red_light", "undecided", "phase_boundary", "appeared_at_line")]


def stands(rear_m, kind, **more):
    """Comes to stand on red with its rear so far before the line."""
    return Vehicle([(1.7, 40, 8), (1.7, rear_m, 10), (1.7, rear_m, 0)], kind=kind, **more)


def test_a_motorcycle_whose_rear_is_close_before_the_line_stands_over_it():
    assert judged(stands(0.7, "motorcycle"), *RED) == [("stop_line", "suspected")]


@pytest.mark.parametrize(
    "vehicle",
    [
        stands(1.3, "motorcycle"),
        stands(3.4, "car"),
        stands(9.0, "truck"),
        stands(0.7, "motorcycle", score=0.45),
        stands(0.7, "motorcycle", flags=4),
    ],
    ids=["a short one", "a short car", "a short truck", "a class hardly believed in", "an outline"],
)
def test_who_may_be_short_enough_to_stand_before_the_line_is_not_accused(vehicle):
    assert all(found[1] != "suspected" for found in judged(vehicle, *RED))
