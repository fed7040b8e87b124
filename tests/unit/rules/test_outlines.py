"""What a detector of motion sees are outlines: before one accuses anybody, it must be one whole vehicle that came."""

from __future__ import annotations

import pytest
from rules_street import Vehicle, verdicts
from test_rule_kinds import LIGHTS, RED, TestCrosswalk, TestPavement, TestSolidLine, TestStopping, site, straight

OUTLINE = 4
RED_LIGHT = ("red_light", "suspected")


def rider(way, **more):
    return Vehicle(way, kind="motorcycle", width_m=0.8, flags=OUTLINE, **more)


class TestOutlines:
    """A motion detector tells classes by the size of an outline (flag 4), and what an outline holds nobody knows."""

    def test_its_sides_are_not_the_wheels_of_one_vehicle(self):
        found = verdicts(site(TestSolidLine.RULE, lines=[TestSolidLine.LINE]), [straight(0.1, flags=4)])
        assert found == [("solid_line", "undecided", "class_doubt")]

    def test_on_the_pavement_only_what_is_faster_than_people_is_a_vehicle(self):
        pavement = site(TestPavement.RULE, zones=[TestPavement.ZONE])
        rides, creeps = (straight(6.5, kind="motorcycle", width_m=0.8, flags=4, seconds=seconds) for seconds in (9, 40))
        assert verdicts(pavement, [rides]) == [("sidewalk", "suspected")]
        assert verdicts(pavement, [creeps]) == [("sidewalk", "undecided", "class_doubt")]

    def test_nobody_has_cut_off_what_may_be_no_pedestrian(self):
        walker = Vehicle([(-10, -10, 14), (10, -10, 0)], kind="pedestrian", flags=4)
        found = verdicts(site(TestCrosswalk.RULE, zones=[TestCrosswalk.ZONE]), [walker, straight(1.7, at=4.6)])
        assert found == [("fail_to_yield_pedestrian", "undecided", "class_doubt")]

    def test_part_of_a_vehicle_on_the_pavement_is_nobody(self):
        pavement = site(TestPavement.RULE, zones=[TestPavement.ZONE])
        low = straight(6.5, kind="motorcycle", width_m=0.8, height_m=0.6, flags=OUTLINE)
        wide = straight(6.5, kind="motorcycle", width_m=2.4, flags=OUTLINE)
        for part in (low, wide):
            assert verdicts(pavement, [part]) == [("sidewalk", "undecided", "class_doubt")]

    def test_what_sticks_and_jumps_along_the_pavement_is_nobody(self):
        pavement = site(TestPavement.RULE, zones=[TestPavement.ZONE])
        way = [point for i in range(12) for point in ((6.5, -40 + 5 * i, 0.9), (6.5, -40 + 5 * i, 0.1))]
        assert verdicts(pavement, [rider([*way, (6.5, 20, 0)])]) == [("sidewalk", "undecided", "class_doubt")]

    def test_the_roof_of_a_lorry_that_rides_above_the_pavement_is_nobody(self):
        pavement = site(TestPavement.RULE, zones=[TestPavement.ZONE])
        rides = straight(6.5, kind="motorcycle", width_m=0.8, flags=OUTLINE)
        cab = straight(5.6, kind="motorcycle", width_m=0.8, flags=OUTLINE)
        found = verdicts(pavement, [rides, cab])
        assert ("sidewalk", "undecided", "identity_doubt") in found
        assert ("sidewalk", "suspected") not in found
        apart = straight(2.0, kind="motorcycle", width_m=0.8, flags=OUTLINE)
        assert ("sidewalk", "suspected") in verdicts(pavement, [rides, apart])

    def test_what_shows_only_where_it_stands_is_part_of_a_queue(self):
        kerb = site(TestStopping.RULE, zones=[TestStopping.ZONE])
        parts = [rider([(1.7, y, 2), (1.7, -30, 20), (1.7, -30, 3), (1.7, 20, 0)]) for y in (-30, -32)]
        parked = TestStopping.stopping(1.7, -30, 20, kind="motorcycle", width_m=0.8, flags=OUTLINE)
        for part in parts:
            assert verdicts(kerb, [part]) == [("illegal_stop", "undecided", "identity_doubt")]
        assert verdicts(kerb, [parked]) == [("illegal_stop", "suspected")]

    def test_it_must_have_been_seen_to_come(self):
        appears = rider([(1.7, -0.6, 3), (1.7, 30, 0)], at=2)
        came = rider([(1.7, -6, 3.6), (1.7, 30, 0)])
        assert verdicts(site(*LIGHTS), [came], signals=RED) == [RED_LIGHT]
        assert verdicts(site(*LIGHTS), [appears], signals=RED) == [("red_light", "undecided", "appeared_at_line")]

    def test_who_has_waited_at_the_line_came(self):
        waits = rider([(1.7, -0.7, 4), (1.7, -0.7, 3), (1.7, 30, 0)])
        assert verdicts(site(*LIGHTS), [waits], signals=RED) == [RED_LIGHT]

    def test_a_box_that_jumps_over_the_line_has_not_come(self):
        jumps = rider([(1.7, -4, 5), (1.7, -3, 0.1), (1.7, 2, 3), (1.7, 20, 0)])
        assert verdicts(site(*LIGHTS), [jumps], signals=RED) == [("red_light", "undecided", "appeared_at_line")]

    def test_two_that_touch_and_move_as_one_may_be_one(self):
        beside = [rider([(x, -30, 4), (x, 10, 0)]) for x in (1.0, 1.8)]
        open_ = ("red_light", "undecided", "identity_doubt")
        assert verdicts(site(*LIGHTS), beside, signals=RED) == [open_, open_]

    @pytest.mark.parametrize("other", [3.2, -3.0])
    def test_two_beside_each_other_are_two(self, other):
        beside = [rider([(x, -30, 4), (x, 10, 0)]) for x in (1.0, other)]
        assert verdicts(site(*LIGHTS), beside, signals=RED) == [RED_LIGHT, RED_LIGHT]

    def test_who_rides_past_others_that_stand_is_one(self):
        stands = rider([(1.0, -2, 9), (1.0, -2, 0)])
        assert verdicts(site(*LIGHTS), [stands, rider([(1.7, -30, 5), (1.7, 20, 0)])], signals=RED) == [RED_LIGHT]

    def test_on_amber_it_must_have_gone_on(self):
        stops = rider([(1.7, -20, 5), (1.7, 0.8, 8), (1.7, 0.8, 0)])
        back = rider([(1.7, -20, 5), (1.7, 0.8, 0.5), (1.7, -4, 0)])
        on = rider([(1.7, -20, 5), (1.7, 20, 0)])
        amber = [(0, "green"), (1.0, "amber"), (60, "red")]
        for near in (stops, back):
            assert verdicts(site(*LIGHTS), [near], signals=amber) == [("yellow_light", "undecided", "near_line")]
        assert verdicts(site(*LIGHTS), [on], signals=amber) == [("yellow_light", "suspected")]

    def test_its_lower_edge_may_be_above_the_wheels(self):
        """The windscreen of a car that was on the line before the light changed comes over it a moment later."""
        way, just = [(1.7, -20, 5), (1.7, 20, 0)], [(0, "green"), (2.35, "amber"), (60, "red")]
        part, whole = rider(way), Vehicle(way, kind="motorcycle", width_m=0.8)
        assert verdicts(site(*LIGHTS), [part], signals=just) == [("yellow_light", "undecided", "phase_boundary")]
        assert verdicts(site(*LIGHTS), [whole], signals=just) == [("yellow_light", "suspected")]

    def test_a_model_is_believed(self):
        beside = [Vehicle([(x, -0.6, 2), (x, 10, 0)], at=2, kind="motorcycle", width_m=0.8) for x in (1.0, 1.8)]
        assert verdicts(site(*LIGHTS), beside, signals=RED) == [RED_LIGHT, RED_LIGHT]
