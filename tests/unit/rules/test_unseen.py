"""Who appears just past a stop line has crossed it: counted once, flagged, accused of nothing."""

from __future__ import annotations

import pytest
from rules_street import T0, Vehicle, camera, config, image, outcomes, rectangle

from smartstream.model.tracks import CLASS_BY_SIZE
from smartstream.rules.outcome import Crossing, Violation

LANE = {"id": "A", "polygon": rectangle(-3.5, -50, 3.5, 0), "direction": [0, 1], "signal": "G"}
STOP = {"id": "stop", "kind": "stop", "points": image((3.5, 0), (-3.5, 0))}
SITE = config(camera(lanes=[LANE], lines=[STOP], rules=[{"kind": "red_light", "line": "stop"}]))


EARLIER = Vehicle([(20, -40, 30), (20, -39, 0)])
"""Somebody beside the road from the first frame on: without a picture before it nobody appears."""


def crossings(*vehicles):
    """Second, track and whether unseen of every crossing; nobody may be accused for an unseen one."""
    found = outcomes(SITE, [*vehicles, EARLIER], signals=[(0, "red")])
    accused = {o.track for o in found if isinstance(o, Violation)}
    counted = [o for o in found if isinstance(o, Crossing)]
    assert not accused & {o.track for o in counted if o.unseen}
    return [(round((o.time_ns - T0) / 1e9, 1), o.track, o.unseen) for o in counted]


def straight(x, y, *, at=0.0, mps=8.0, metres=24.0, **more):
    return Vehicle([(x, y, metres / mps), (x, y + metres, 0)], at=at, **more)


def test_its_speed_tells_when_it_was_on_the_line():
    assert crossings(straight(1, 4, at=2.0)) == [(1.5, 1, True)]


def test_it_may_appear_on_the_line_itself():
    assert crossings(straight(1, -0.4, at=2.0)) == [(2.0, 1, True)] or crossings(straight(1, -0.4, at=2.0))[0][2]


def test_seen_before_the_line_it_is_seen():
    assert crossings(straight(1, -4, at=2.0)) == [(2.5, 1, False)]


def test_two_numbers_of_one_vehicle_count_once():
    whole, part = straight(1, -12), straight(1.4, 4, at=2.0, metres=12)
    assert crossings(whole, part) == [(1.5, 1, False)]


def test_two_vehicles_count_twice():
    assert crossings(straight(-2, -12), straight(2, 4, at=2.0)) == [(1.5, 1, False), (1.5, 2, True)]
    assert crossings(straight(1, -12), straight(1, 4, at=6.0)) == [(1.5, 1, False), (5.5, 2, True)]


def test_who_is_past_it_in_the_first_picture_was_over_it_before():
    assert crossings(straight(1, 4)) == []


@pytest.mark.parametrize(
    "passes_by",
    [
        straight(1, 10, at=3.0),  # too far past it to say
        straight(1, 4, at=3.0, mps=2.5),  # no faster than somebody on foot
        Vehicle([(-10, 3, 2), (10, 3, 0)], at=3.0),  # along the crosswalk
        Vehicle([(1, 5, 2), (1, 1, 0)], at=3.0),  # towards the line
        straight(9, 4, at=3.0),  # past its end
    ],
)
def test_who_did_not_come_over_the_line_is_not_counted(passes_by):
    assert crossings(passes_by) == []


def test_who_sets_off_from_the_line_shows_it_later():
    """Seen first past the line and at rest: the way of its first half second says nothing yet."""
    sets_off = Vehicle([(1, 1, 0.8), (1, 1.4, 1.2), (1, 8, 2), (1, 28, 0)], at=2.0)
    assert [o[1:] for o in crossings(sets_off)] == [(1, True)]


def outline(x, y, **more):
    return straight(x, y, kind="motorcycle", width_m=0.8, flags=CLASS_BY_SIZE, **more)


def test_outlines_of_one_vehicle_count_once():
    """The lamps of a car are two outlines side by side."""
    assert crossings(outline(0, -12), outline(0.9, -12.4)) == [(1.5, 1, False)]
    # A model that recognised both saw two riders.
    assert len(crossings(straight(0, -12, width_m=0.8), straight(0.9, -12.4, width_m=0.8))) == 2


def test_outlines_seen_apart_are_two():
    assert len(crossings(outline(0, -12), outline(1.4, -12))) == 2
    assert len(crossings(outline(0, -12), outline(0, -18))) == 2
    # Nobody has seen it appear beside the other, and there it is.
    assert crossings(outline(0, -12), outline(1.4, 4, at=2.0)) == [(1.5, 1, False), (1.5, 2, True)]


def test_an_outline_that_was_lost_and_found_counts_once():
    assert crossings(outline(0, -12, metres=13), outline(0, 3.4, at=1.9)) == [(1.5, 1, False)]


def test_a_box_that_jumps_to_and_fro_crosses_once():
    jumpy = Vehicle(
        [(0, -12, 1), (0, -2, 0.1), (0, 1, 0.3), (0, 1.2, 0.1), (0, -2, 0.1), (0, -1.5, 0.2), (0, 12, 0)],
        kind="motorcycle",
        width_m=0.8,
        flags=CLASS_BY_SIZE,
    )
    assert crossings(jumpy) == [(1.6, 1, False)]
