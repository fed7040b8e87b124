"""Who looks like an offender by the drawing of the street, by a sign's hours or by another's light, and is none."""

from __future__ import annotations

import numpy as np
import pytest
from rules_street import NS, T0, Vehicle, image, rectangle, verdicts
from test_rule_kinds import (
    BACK,
    EXIT,
    LEFT_LANE,
    LIGHTS,
    RED,
    RIGHT_LANE,
    STOP,
    TestCrosswalk,
    TestMovements,
    TestStopping,
    site,
    straight,
)

from smartstream.model.classes import STATE_CODE
from smartstream.model.tracks import CLASS_BY_SIZE

U_TURN = list(TestMovements.U_TURN)
GREEN = [(0, "green")]


def show(*changes):
    """``(second, group, state)`` of two groups, ``G`` and an arrow."""

    def before(engine):
        engine.signals(
            np.array([T0 + round(t * NS) for t, _, _ in changes], np.int64),
            np.array([group for _, group, _ in changes], np.uint16),
            np.array([STATE_CODE[state] for *_, state in changes], np.uint8),
        )

    return before


class TestArrow:
    LANE = LEFT_LANE | {"movements": ["left", "u_turn", "through"], "movement_signal": {"left": "arrow"}}

    def road(self, *rules, zones=()):
        return site(*rules, lanes=[self.LANE], lines=[STOP, EXIT, BACK], zones=zones) | {"groups": ["G", "arrow"]}

    @pytest.mark.parametrize(("light", "arrow", "told"), [("red", "green", 0), ("green", "red", 0), ("red", "red", 1)])
    def test_who_may_turn_left_may_turn_back(self, light, arrow, told):
        found = verdicts(self.road(*LIGHTS), [Vehicle(U_TURN)], before=show((0, 0, light), (0, 1, arrow)))
        assert found == [("red_light", "suspected")] * told

    def test_who_waits_for_the_arrow_does_not_park(self):
        zone = {"id": "kerb", "polygon": rectangle(-3.5, -15, 3.5, 0)}
        waits = Vehicle([(1.7, -40, 4), (1.7, -2, 40), (1.7, -2, 2), (1.7, 6, 1), (4.7, 10, 1.5), (25, 10, 0)])
        lights = show((0, 0, "green"), (0, 1, "red"), (43, 1, "green"))
        assert verdicts(self.road(TestStopping.RULE, zones=[zone]), [waits], before=lights) == []


class TestStops:
    def test_past_the_stop_line_on_red_he_waits_for_the_light(self):
        zone = {"id": "kerb", "polygon": rectangle(-3.5, -10, 3.5, 6)}
        waits = Vehicle([(1.7, -40, 4), (1.7, 1.4, 30), (1.7, 1.4, 3), (1.7, 30, 0)])
        found = verdicts(site(*LIGHTS, TestStopping.RULE, zones=[zone]), [waits], signals=[(0, "red"), (33, "green")])
        assert found == [("stop_line", "suspected")]

    def test_a_permit_for_the_lane_in_which_he_stood(self):
        changes_lanes = Vehicle([(1.7, -48, 3), (1.7, -30, 20), (1.7, -30, 1), (-1.7, -22, 4), (-1.7, 20, 0)])
        found = verdicts(
            site(TestStopping.RULE, zones=[TestStopping.ZONE]),
            [changes_lanes],
            signals=GREEN,
            before=lambda engine: engine.condition(T0, T0 + 60 * NS, "permit", lane="A"),
        )
        assert found == [("illegal_stop", "suppressed", "permit")]

    def test_whose_way_into_the_box_was_not_seen(self):
        lane = LEFT_LANE | {"polygon": rectangle(0, -50, 3.5, 30)}
        ahead = Vehicle([(1.7, 24, 40), (1.7, 24, 0)])
        in_the_box = Vehicle([(1.7, 17, 15), (1.7, 17, 4), (1.7, 45, 0)], at=2)
        found = verdicts(site({"kind": "box_blocking", "zone": "box"}, lanes=[lane]), [ahead, in_the_box])
        assert found == [("box_blocking", "undecided", "appeared_at_line")]


class TestHours:
    """The scene begins at 21:13:20; the ban at 21:14, second 40."""

    TRUCK = {"kind": "banned_class", "lane": "B", "classes": ["truck"], "hours": ["21:14-22:00"]}

    def judged(self, *way, at=0, rule=None):
        return verdicts(site(rule or self.TRUCK), [Vehicle(way, kind="truck", at=at)])

    def test_parked_since_before_the_ban(self):
        parked = ((-1.7, -48, 3), (-1.7, -30, 60), (-1.7, -30, 4), (-1.7, 30, 0))
        assert self.judged(*parked) == [("banned_class", "undecided", "hours_boundary")]

    def test_driven_in_before_it_and_out_in_it(self):
        drives = ((-1.7, -45, 6), (-1.7, 30, 0))
        assert self.judged(*drives, at=37) == [("banned_class", "undecided", "hours_boundary")]
        assert self.judged(*drives, at=30) == []
        assert self.judged(*drives, at=41) == [("banned_class", "suspected")]

    def test_who_stands_there_when_the_pictures_begin_may_have_come_before_it(self):
        assert self.judged((-1.7, -30, 60), (-1.7, -30, 0), at=50) == []

    def test_a_clock_that_may_be_off(self):
        def judged(off_s, rule, vehicle):
            road = site(rule)
            road["cameras"][0]["clock_uncertainty_s"] = off_s
            return verdicts(road, [vehicle])

        drives = Vehicle([(-1.7, -45, 6), (-1.7, 30, 0)], kind="truck", at=41)
        turns = Vehicle([(1.7, -30, 4), (1.7, 6, 1), (4.7, 10, 1.5), (25, 10, 0)], kind="truck", at=36)
        sign = {"kind": "illegal_turn", "line": "exit", "hours": ["21:14-22:00"]}
        for rule, vehicle in ((self.TRUCK, drives), (sign, turns)):
            assert judged(0.0, rule, vehicle) == [(rule["kind"], "suspected")]
            assert judged(2.0, rule, vehicle) == [(rule["kind"], "undecided", "hours_boundary")]


class TestDrawing:
    NORTH = RIGHT_LANE | {
        "id": "N", "polygon": rectangle(-3.5, 22, 0, 60), "direction": [0, -1], "movements": ["through", "right"],
    }  # fmt: skip
    NORTH_STOP = {"id": "north", "kind": "stop", "points": image((-3.5, 22), (0, 22))}

    def overview(self, *rules):
        lanes, lines = [LEFT_LANE, RIGHT_LANE, self.NORTH], [STOP, EXIT, BACK, self.NORTH_STOP]
        return site(*rules, lanes=lanes, lines=lines)

    def test_an_exit_line_says_its_movement_of_one_approach(self):
        on = Vehicle([(-1.7, 50, 4), (-1.7, 22, 1), (0, 15, 1), (6, 3, 1), (6, -30, 0)])
        assert verdicts(self.overview({"kind": "u_turn", "line": "back"}), [on]) == []
        right = Vehicle([(-1.7, 50, 4), (-1.7, 20, 1), (-10, 10, 1.5), (-25, 10, 0)])
        west = [{"id": "exit", "kind": "exit", "movement": "right", "points": image((-12, 2), (-12, 18))}]
        left = Vehicle([(-1.7, 50, 4), (-1.7, 20, 1), (2, 10, 1.5), (25, 10, 0)])
        rules = ({"kind": "lane_arrow"}, {"kind": "illegal_turn", "line": "exit"})
        assert verdicts(self.overview(*rules), [left]) == []
        road = site(*rules, lanes=[LEFT_LANE, RIGHT_LANE, self.NORTH], lines=[STOP, *west, self.NORTH_STOP])
        assert verdicts(road, [right]) == []

    def test_a_long_box_beside_the_end_of_an_exit_line_does_not_leave_over_it(self):
        beside = {"id": "exit", "kind": "exit", "movement": "left", "points": image((6, 22), (14, 22))}
        bus = Vehicle([(-1.5, -40, 6), (-1.5, 40, 0)], kind="bus", width_m=16)
        assert verdicts(site({"kind": "lane_arrow"}, lines=[STOP, beside]), [bus]) == []

    def test_where_two_lanes_lie_one_over_the_other_he_drives_the_lawful_way(self):
        opposite = {"id": "O", "polygon": rectangle(2.5, -50, 7, 0), "direction": [0, -1]}
        up = Vehicle([(2.9, -5, 6), (2.9, -45, 0)])
        assert verdicts(site({"kind": "wrong_way"}, lanes=[LEFT_LANE, RIGHT_LANE, opposite]), [up]) == []
        beside = Vehicle([(1.7, -5, 6), (1.7, -45, 0)])
        found = verdicts(site({"kind": "wrong_way"}, lanes=[LEFT_LANE, RIGHT_LANE, opposite]), [beside])
        assert found == [("wrong_way", "suspected")]

    def test_beside_a_lane_that_no_light_rules(self):
        free = {key: value for key, value in RIGHT_LANE.items() if key != "signal"}
        road = site(*LIGHTS, lanes=[LEFT_LANE, free])
        assert verdicts(road, [straight(0.2)], signals=RED) == [("red_light", "undecided", "lane_ambiguous")]
        assert verdicts(road, [straight(1.7)], signals=RED) == [("red_light", "suspected")]
        against = site(*LIGHTS, lanes=[LEFT_LANE, free | {"direction": [0, -1]}])
        assert verdicts(against, [straight(0.2)], signals=RED) == [("red_light", "suspected")]


def test_what_has_four_wheels_and_goes_back_slowly_may_be_reversing():
    def judged(kind, back_s):
        parked = [(1.7, -20, 5), (1.7, -20, back_s), (1.7, -36, 0)]
        return verdicts(site({"kind": "wrong_way"}), [Vehicle(parked, kind=kind)])

    assert judged("car", 8) == [("wrong_way", "undecided", "maybe_reversing")]
    assert judged("car", 4) == judged("motorcycle", 8) == [("wrong_way", "suspected")]


def test_the_box_of_an_outline_that_jumps_does_not_show_that_it_drives():
    def judged(flags):
        back = [(1.7, -35, 3), (1.7, -20, 2), (1.7, -20, 6.3), (1.7, -26.5, 0.5), (1.7, -29, 1), (1.7, -29.5, 0)]
        return verdicts(site({"kind": "wrong_way"}), [Vehicle(back, flags=flags)])

    assert judged(CLASS_BY_SIZE) == [("wrong_way", "undecided", "maybe_reversing")]
    assert judged(0) == [("wrong_way", "suspected")]


@pytest.mark.parametrize(
    "vehicle",
    [
        straight(1.7, kind="pedestrian", seconds=60),
        Vehicle([(1.7, -10, 0.1), (1.7, -10, 0)], at=9.9),
        straight(1.7, doubtful=[(9.8, 10)], at=8),
    ],
    ids=["somebody on foot", "seen twice", "perhaps another"],
)
def test_a_meter_does_not_accuse(vehicle):
    lanes = ({**LEFT_LANE, "speed_limit_kmh": 50}, RIGHT_LANE)
    found = verdicts(
        site({"kind": "speeding"}, lanes=lanes), [vehicle],
        before=lambda engine: engine.reading(T0 + 10 * NS, "A", 71.0, True),
    )  # fmt: skip
    assert found == [("speeding", "undecided", "identity_doubt")]


def test_acts_that_the_law_does_not_name_for_bicycles():
    walker = Vehicle([(-10, -10, 14), (10, -10, 0)], kind="pedestrian")
    road = site(TestCrosswalk.RULE, zones=[TestCrosswalk.ZONE])
    assert verdicts(road, [walker, straight(1.7, at=4.6, kind="bicycle")]) == []
    assert verdicts(site({"kind": "u_turn", "zone": "box"}), [Vehicle(U_TURN, kind="bicycle")]) == []


class TestBesideTheEndOfAnExitLine:
    """The foot of a box seen from the side is half a length beside the wheels, so exit lines reach further."""

    ON = {"id": "on", "kind": "exit", "movement": "through", "points": image((-12, 6), (0, 6))}
    LEFT = Vehicle([(1.7, -30, 4), (1.7, 7.5, 1), (4.7, 10, 1.5), (25, 10, 0)], width_m=4.4)
    LOST = Vehicle([(1.7, -30, 4), (1.7, 7.5, 1), (1.9, 8, 0)], width_m=4.4)

    def test_who_turns_off_did_not_go_straight_on(self):
        for lines in ([STOP, self.ON, EXIT], [STOP, self.ON]):
            assert verdicts(site({"kind": "lane_arrow"}, lines=lines), [self.LEFT]) == []

    def test_who_was_not_seen_to_go_on_is_undecided(self):
        found = verdicts(site({"kind": "lane_arrow"}, lines=[STOP, self.ON]), [self.LOST])
        assert found == [("lane_arrow", "undecided", "movement_unknown")]

    def test_who_goes_on_went_straight_on(self):
        on = Vehicle([(1.7, -30, 6), (1.7, 40, 0)], width_m=4.4)
        assert verdicts(site({"kind": "lane_arrow"}, lines=[STOP, self.ON, EXIT]), [on]) == [
            ("lane_arrow", "suspected")
        ]

    @pytest.mark.parametrize("lines", [[STOP, ON, EXIT], [STOP, ON]])
    def test_who_turns_off_on_the_arrow_ran_no_red(self, lines):
        road = site(*LIGHTS, lanes=[TestArrow.LANE], lines=lines) | {"groups": ["G", "arrow"]}
        found = verdicts(road, [self.LEFT], before=show((0, 0, "red"), (0, 1, "green")))
        assert [v for v in found if v[1] == "suspected"] == []
        assert found == [] or EXIT not in lines
