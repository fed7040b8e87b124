"""What was so in a simulated city follows from its streets and signals, not from what a join asks for."""

import numpy as np

from smartstream.simulate.city.driving import TICK_S, Drive
from smartstream.simulate.city.streets import centre
from smartstream.simulate.city.truths import merged, spillbacks
from smartstream.simulate.layout import STOP_M

SECONDS = 1200


def stands(name, spans, x_m):
    """A vehicle just east of the first junction, on the side that leaves it, that stands for some spans."""
    n = round(SECONDS / TICK_S)
    seconds = np.arange(n) * TICK_S
    still = np.any([(a <= seconds) & (seconds < b) for a, b in spans], axis=0)
    x0, y0 = centre("j1")
    place = np.tile([x0 + STOP_M + x_m, y0 - 3.0], (n, 1))
    return Drive(name, "car", 0, place, np.zeros(n), np.where(still, 0.0, 5.0))


def told(spans, cycle_s, vehicles=2):
    drives = [stands(f"v{i}", spans, 4.0 + 8.0 * i) for i in range(vehicles)]
    cycles = {"j1": 999.0, "j2": cycle_s, "j3": 999.0}
    return [(begin, end) for begin, end, leaves in spillbacks(drives, cycles, SECONDS) if leaves == "j1E"]


def test_a_queue_has_reached_back_when_a_whole_cycle_of_the_signal_ahead_does_not_clear_it():
    assert told([(100, 200)], 80.0) == [(100.0, 199.5)]
    assert told([(100, 200)], 110.0) == []
    assert told([(100, 200)], 80.0, vehicles=1) == []


def test_it_is_over_when_a_whole_cycle_has_passed_without():
    spans = [(100, 200), (275, 400)]
    assert told(spans, 80.0) == [(100.0, 399.5)]
    assert told(spans, 70.0) == [(100.0, 199.5), (275.0, 399.5)]


def test_a_feed_that_fails_again_before_it_is_right_has_failed_once():
    assert merged([(50.0, 90.0), (10.0, 40.0), (30.0, 45.0)]) == [(10.0, 45.0), (50.0, 90.0)]
