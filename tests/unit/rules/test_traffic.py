"""The traffic of a lane, minute by minute, beside sums anyone can do by hand."""

from __future__ import annotations

import pytest
from rules_street import NS, T0, Vehicle, batch_of, camera, config, engine_of, image, rectangle, rows_of

from smartstream.model.tracks import CLASS_BY_SIZE
from smartstream.rules.outcome import Flow, decode_outcomes

LANE = {"id": "A", "polygon": rectangle(0, -40, 3.5, 0), "direction": [0, 1]}
STOP = {"id": "stop", "kind": "stop", "points": image((3.5, 0), (0, 0))}
MINUTE = 60 * NS
START = T0 // MINUTE * MINUTE  # T0 is 20 s into its minute


def minutes(vehicles, *, lines=(STOP,), cuts=1):
    engine, rows = engine_of(config(camera(lanes=[LANE], lines=lines))), rows_of(vehicles)
    times, found = sorted(rows), []
    for i in range(cuts):
        part = times[i * len(times) // cuts : (i + 1) * len(times) // cuts]
        engine.tracks(0, batch_of(part, rows))
        found += decode_outcomes(engine.advance(part[-1]))
    found += decode_outcomes(engine.finish())
    return [f for f in found if isinstance(f, Flow)]


def test_speed_occupancy_and_count_of_one_car():
    (flow,) = minutes([Vehicle([(1.7, -40, 4), (1.7, 3, 16), (1.7, 3, 0)])])
    assert (flow.time_ns, flow.lane, flow.counts) == (START, "A", {"car": 1})
    assert flow.observed_s == pytest.approx(20.0)
    assert flow.mean_speed_mps == pytest.approx(43 / 4, abs=0.1)
    # 4.5 m of 40 m, for 3.7 of 20 s; its first moment is not believed yet.
    assert flow.occupancy == pytest.approx(4.5 / 40 * 3.7 / 20, rel=0.15)
    assert flow.queue == 0


def test_a_queue_stands_and_an_empty_minute_says_so():
    waits = [Vehicle([(1.7, y, 150), (1.7, y, 0)]) for y in (-5, -12, -19)]
    first, second, third = minutes(waits)
    assert [f.time_ns for f in (first, second, third)] == [START + i * MINUTE for i in range(3)]
    assert [f.queue for f in (first, second, third)] == [3, 3, 3]
    assert second.counts == {}
    assert second.mean_speed_mps == 0.0
    assert second.occupancy == pytest.approx(3 * 4.5 / 40, rel=0.01)
    assert second.observed_s == pytest.approx(60.0, abs=0.2)


def test_a_lane_without_a_line_counts_who_stays_in_it():
    passes = Vehicle([(1.7, -40, 4), (1.7, 5, 0)], kind="motorcycle")
    crosses = Vehicle([(-5, -20, 4), (8, -20, 0)])
    (flow,) = minutes([passes, crosses], lines=())
    assert flow.counts == {"motorcycle": 1, "car": 1}  # 3.5 m at 3.25 m/s: a little over a second


def test_people_on_foot_are_no_traffic():
    (flow,) = minutes([Vehicle([(1.7, -30, 18), (1.7, 2, 0)], kind="pedestrian")])
    assert (flow.counts, flow.queue, flow.mean_speed_mps) == ({}, 0, None)


def test_an_outline_as_small_as_a_walker_that_goes_along_a_lane_is_traffic_of_no_known_class():
    """Of a rider who sets off in a queue a detector of motion sees as little; on a crosswalk people go across."""
    on_foot = {"kind": "pedestrian", "width_m": 0.5, "flags": CLASS_BY_SIZE}
    (flow,) = minutes([Vehicle([(1.7, -12, 6), (1.7, 6, 0)], **on_foot)])
    assert flow.counts == {"unknown": 1}
    (flow,) = minutes([Vehicle([(-3, -1.5, 6), (6, 1.5, 0)], **on_foot)])
    assert flow.counts == {}


def test_how_the_input_is_cut_changes_nothing():
    cars = [Vehicle([(1.7, -40, 5), (1.7, 4, 0)], at=7.0 * i) for i in range(12)]
    assert minutes(cars) == minutes(cars, cuts=9)
