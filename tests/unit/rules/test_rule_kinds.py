"""Every rule kind: an offender, and those who nearly are one."""

from __future__ import annotations

import pytest
from rules_street import (
    NS,
    T0,
    Vehicle,
    batch_of,
    camera,
    config,
    engine_of,
    image,
    outcomes,
    rectangle,
    rows_of,
    verdicts,
)

from smartstream.model.classes import STATE_CODE
from smartstream.rules.outcome import Crossing, Flow, Violation, decode_outcomes

DOWN = {"direction": [0, 1]}
"""The approach comes down the picture to a stop line at y = 0; the junction lies below."""
LEFT_LANE = {"id": "A", "polygon": rectangle(0, -50, 3.5, 0), "signal": "G", "movements": ["left"], **DOWN}
RIGHT_LANE = {"id": "B", "polygon": rectangle(-3.5, -50, 0, 0), "signal": "G", "movements": ["through"], **DOWN}
STOP = {"id": "stop", "kind": "stop", "points": image((3.5, 0), (-3.5, 0))}
EXIT = {"id": "exit", "kind": "exit", "movement": "left", "points": image((12, 2), (12, 18))}
BACK = {"id": "back", "kind": "exit", "movement": "u_turn", "points": image((12, 0), (4, 0))}
BOX = {"id": "box", "polygon": rectangle(-12, 2, 12, 20)}


def site(*rules, lanes=(LEFT_LANE, RIGHT_LANE), lines=(STOP, EXIT, BACK), zones=(BOX,)):
    return config(camera(lanes=lanes, lines=lines, zones=zones, rules=rules))


def straight(x, *, seconds=6.0, **more):
    return Vehicle([(x, -40, seconds), (x, 30, 0)], **more)


def turning_left(x, **more):
    return Vehicle([(x, -30, 4), (x, 6, 1), (x + 3, 10, 1.5), (25, 10, 0)], **more)


RED = [(0, "red")]
LIGHTS = [{"kind": k, "line": "stop"} for k in ("red_light", "yellow_light", "stop_line")]


class TestLight:
    def test_running_the_red_is_suspected_once(self):
        assert verdicts(site(*LIGHTS), [straight(1.7)], signals=RED) == [("red_light", "suspected")]

    def test_a_clock_that_may_be_off_leaves_open_who_crosses_near_a_change_of_light(self):
        """A live camera half a second off puts whoever crossed on amber into the red."""
        red_late = [(0, "green"), (1.0, "amber"), (2.8, "red")]

        def judged(off_s, signals):
            road = site(*LIGHTS)
            road["cameras"][0]["clock_uncertainty_s"] = off_s
            return verdicts(road, [straight(1.5)], signals=signals)

        assert judged(0.0, red_late) == [("red_light", "suspected")]
        assert [v[1] for v in judged(0.5, red_late)] == ["undecided"]
        assert judged(0.5, RED) == [("red_light", "suspected")]

    def test_beside_every_lane_another_light_may_rule(self):
        road = site(*LIGHTS, lines=[{**STOP, "points": image((9, 0), (-3.5, 0))}])
        runs, stands = straight(6.5), Vehicle([(6.5, -20, 4), (6.5, 1.4, 6), (6.5, 1.4, 3), (6.5, 30, 0)])
        assert verdicts(road, [runs], signals=RED) == [("red_light", "suspected")]
        several = {**road, "groups": ["G", "left"]}
        assert verdicts(several, [runs], signals=RED) == [("red_light", "undecided", "lane_ambiguous")]
        ends = [(0, "red"), (9, "green")]
        assert verdicts(several, [stands], signals=ends) == [("stop_line", "undecided", "lane_ambiguous")]
        assert verdicts(several, [straight(1.7)], signals=RED) == [("red_light", "suspected")]

    def test_nose_over_the_line_and_back_is_nothing(self):
        nose = Vehicle([(1.7, -20, 4), (1.7, 1.4, 1.0), (1.7, 1.4, 2), (1.7, -3, 5), (1.7, -3, 0)])
        assert verdicts(site(*LIGHTS), [nose], signals=RED) == []

    def test_the_box_of_one_who_stands_past_the_line_may_jump(self):
        stands = [(1.7, -20, 4), (1.7, 2.0, 6), (1.7, 2.0, 0.1), (1.7, 3.6, 0.1)]
        for after in ([(1.7, 3.6, 0)], [(1.7, 2.0, 3), (1.7, 2.0, 0)]):
            found = verdicts(site(*LIGHTS), [Vehicle([*stands, *after])], signals=RED)
            assert found == [("stop_line", "suspected")]
        rides_off = Vehicle([(1.7, -20, 4), (1.7, 2.0, 6), (1.7, 2.0, 2), (1.7, 16, 0)])
        assert verdicts(site(*LIGHTS), [rides_off], signals=RED) == [("red_light", "suspected")]

    STANDS_ON_IT = ((1.7, -20, 4), (1.7, 0.2, 0.5), (1.7, -0.1, 0.5), (1.7, 0.3, 5), (1.7, 0.3, 2), (1.7, 20, 0))

    def test_who_stands_on_the_line_crosses_it_when_he_goes_on(self):
        found = outcomes(site(*LIGHTS), [Vehicle(self.STANDS_ON_IT)], signals=RED)
        (red,) = [o for o in found if isinstance(o, Violation)]
        assert (red.kind, red.verdict) == ("red_light", "suspected")
        (crossing,) = [o for o in found if isinstance(o, Crossing)]
        assert red.time_ns == crossing.time_ns == T0 + round(10.1 * NS)

    @pytest.mark.parametrize("lights", [[(0, "amber"), (4.5, "red")], [(0, "red"), (9, "green")]])
    def test_on_which_light_he_came_to_stand_on_it_nobody_knows(self, lights):
        found = verdicts(site(*LIGHTS), [Vehicle(self.STANDS_ON_IT)], signals=lights)
        assert [v for v in found if v[1] == "suspected"] == []

    def test_rolling_to_a_halt_and_back_is_no_standing(self):
        # Within half a metre for 2.2 s, but standing for 0.7 s of it.
        nose = [(1.7, -10, 2.4), (1.7, 0.6, 0.4), (1.7, 0.9, 0.7), (1.7, 0.9, 1.1), (1.7, 0.2, 1.5), (1.7, -2, 9)]
        found = verdicts(site(*LIGHTS), [Vehicle([*nose, (1.7, -2, 0)])], signals=[(0, "red"), (14, "green")])
        assert found == []

    def test_standing_past_the_line_is_a_stop_line_matter(self):
        stands = Vehicle([(1.7, -20, 4), (1.7, 1.4, 6), (1.7, 1.4, 3), (1.7, 30, 0)])
        assert verdicts(site(*LIGHTS), [stands], signals=[(0, "red"), (9, "green")]) == [("stop_line", "suspected")]

    def test_going_on_after_standing_there_is_red_and_nothing_else(self):
        goes_on = Vehicle([(1.7, -20, 4), (1.7, 1.4, 6), (1.7, 1.4, 3), (1.7, 30, 0)])
        assert verdicts(site(*LIGHTS), [goes_on], signals=RED) == [("red_light", "suspected")]

    def test_amber_is_no_red_and_hard_braking_marks_the_dilemma(self):
        # 70 m in 6 s; at second 2.4 it is 12 m before the line: 5.7 m/s² to stop.
        (found,) = [
            o
            for o in outcomes(site(*LIGHTS), [straight(1.7)], signals=[(0, "green"), (2.4, "amber")])
            if o.__class__.__name__ == "Violation"
        ]
        assert (found.kind, found.verdict, found.dilemma) == ("yellow_light", "suspected", True)
        assert found.explanation.facts["braking_mps2"] == pytest.approx(5.67, abs=0.1)

    @pytest.mark.parametrize("state", ["unknown", "dark", "flashing_amber", "green"])
    def test_other_lights_are_no_red(self, state):
        assert verdicts(site(*LIGHTS), [straight(1.7)], signals=[(0, "red"), (1, state)]) == []
        assert verdicts(site(*LIGHTS), [straight(1.7)], signals=[]) == []

    def test_a_doubt_about_the_identity_leaves_it_undecided(self):
        doubtful = straight(1.7, doubtful=[(3.4, 3.6)])
        assert verdicts(site(*LIGHTS), [doubtful], signals=RED) == [("red_light", "undecided", "identity_doubt")]

    def test_between_a_red_and_a_green_lane_nobody_is_accused(self):
        lanes = ({**LEFT_LANE, "signal": "G"}, {**RIGHT_LANE, "signal": "H"})
        two = site(*LIGHTS, lanes=lanes)
        two["groups"] = ["G", "H"]
        assert verdicts(two, [straight(0.2)], signals=RED) == [("red_light", "undecided", "lane_ambiguous")]
        assert verdicts(two, [straight(1.7)], signals=RED) == [("red_light", "suspected")]

    def test_only_kinds_with_a_rule_publish(self):
        stands = Vehicle([(1.7, -20, 4), (1.7, 1.4, 6), (1.7, 1.4, 3), (1.7, 30, 0)])
        assert verdicts(site(LIGHTS[0]), [stands], signals=[(0, "red"), (9, "green")]) == []

    def test_a_track_too_short_to_believe_is_no_evidence(self):
        blink = Vehicle([(1.7, -1.5, 0.2), (1.7, 4, 0)])
        assert [o for o in outcomes(site(*LIGHTS), [blink], signals=RED) if not isinstance(o, Flow)] == []


class TestWrongWay:
    RULE = {"kind": "wrong_way"}

    def test_riding_up_the_lane(self):
        rider = Vehicle([(1.7, -5, 6), (1.7, -45, 0)], kind="motorcycle")
        assert verdicts(site(self.RULE), [rider]) == [("wrong_way", "suspected")]

    def test_a_rider_who_is_lost_and_found_again_is_accused_once(self):
        lost = Vehicle([(1.7, -5, 2), (1.7, -19, 0)], kind="motorcycle")
        found = Vehicle([(1.7, -29, 2), (1.7, -45, 0)], kind="motorcycle", at=3.5)
        once = [("wrong_way", "suspected"), ("wrong_way", "suppressed", "duplicate")]
        assert verdicts(site(self.RULE), [lost, found]) == once

    @pytest.mark.parametrize("behind_s", [0.0, 1.5, 4.0])
    def test_two_riders_one_behind_the_other_are_accused_both(self, behind_s):
        riders = [Vehicle([(x, -5, 6), (x, -45, 0)], kind="motorcycle", at=at) for x, at in ((1.2, 0), (2.2, behind_s))]
        assert verdicts(site(self.RULE), riders) == [("wrong_way", "suspected")] * 2

    def test_a_box_that_drifts_or_trembles_is_nobody(self):
        drifts = Vehicle([(1.7, -10, 40), (1.7, -30, 0)])
        trembles = Vehicle([(1.7, -10 - (i % 2) * 3, 0.5) for i in range(60)])
        assert verdicts(site(self.RULE), [drifts, trembles]) == []

    def test_what_comes_after_a_doubt_is_proved_by_itself(self):
        way = [(1.7, -5, 6), (1.7, -45, 0)]
        doubted_once = Vehicle(way, kind="motorcycle", doubtful=[(1.0, 1.1)])
        again_and_again = Vehicle(way, kind="motorcycle", doubtful=[(t, t) for t in (1.0, 2.0, 3.0, 4.0, 5.0)])
        assert verdicts(site(self.RULE), [doubted_once]) == [("wrong_way", "suspected")]
        outline = Vehicle(way, kind="motorcycle", doubtful=[(1.0, 1.1)], flags=4)
        assert verdicts(site(self.RULE), [outline]) == [("wrong_way", "undecided", "identity_doubt")]
        assert verdicts(site(self.RULE), [again_and_again]) == [("wrong_way", "undecided", "identity_doubt")]

    @pytest.mark.parametrize(
        ("part", "found"),
        [({}, [("wrong_way", "suspected")]), ({"height_m": lambda y: y + 47}, [])],
        ids=["whole", "loses its lower part"],
    )
    def test_the_foot_of_an_outline_that_goes_alone_is_no_travel(self, part, found):
        outline = Vehicle([(1.7, -5, 6), (1.7, -45, 0)], kind="motorcycle", flags=4, **part)
        assert verdicts(site(self.RULE), [outline]) == found

    def test_who_was_somebody_else_before_the_doubt_is_held_to_what_followed(self):
        jumps = Vehicle([(1.7, -5, 2), (1.7, -13, 0.1), (-1.7, -18, 4), (-1.7, -12, 0)], doubtful=[(2.1, 2.1)])
        assert verdicts(site(self.RULE), [jumps]) == []

    def test_reversing_is_another_act(self):
        reverses = Vehicle([(1.7, -40, 5), (1.7, -10, 2), (1.7, -10, 8), (1.7, -25, 0)])
        assert verdicts(site(self.RULE), [reverses]) == [("wrong_way", "undecided", "maybe_reversing")]


class TestLanes:
    RULE = {"kind": "wrong_lane"}
    LANES = (LEFT_LANE, {**RIGHT_LANE, "allowed": ["motorcycle", "bus"]})

    def test_a_class_that_is_not_allowed(self):
        found = verdicts(site(self.RULE, lanes=self.LANES), [straight(-1.7), straight(-1.7, kind="motorcycle", at=20)])
        assert found == [("wrong_lane", "suspected")]

    def test_what_comes_after_a_doubt_is_proved_by_itself(self):
        def judged(*doubts, **more):
            car = straight(-1.7, doubtful=[(t, t) for t in doubts], **more)  # 3.4 s in the lane
            return verdicts(site(self.RULE, lanes=self.LANES), [car])

        assert judged(0.5) == [("wrong_lane", "suspected")]
        assert judged(0.5, 1.4, 2.3, 3.2) == [("wrong_lane", "undecided", "identity_doubt")]
        assert judged(0.5, flags=4) == [("wrong_lane", "undecided", "identity_doubt", "class_doubt")]

    def test_who_takes_the_place_of_a_car_is_not_taken_for_it(self):
        # The car in the lane gives its number to a motorcycle behind it, which may be there.
        handed = straight(-1.7, doubtful=[(1.2, 1.2)], later=(1.2, "motorcycle", 1.0))
        assert verdicts(site(self.RULE, lanes=self.LANES), [handed]) == []

    def test_one_car_under_two_track_numbers_is_accused_once(self):
        lost = Vehicle([(-1.7, -40, 5), (-1.7, -20, 0)])
        found = Vehicle([(-1.7, -18, 8), (-1.7, 10, 0)], at=7)
        another = Vehicle([(-1.7, -45, 8), (-1.7, 10, 0)], at=6)
        once = [("wrong_lane", "suspected"), ("wrong_lane", "suppressed", "duplicate")]
        assert verdicts(site(self.RULE, lanes=self.LANES), [lost, found]) == once
        assert verdicts(site(self.RULE, lanes=self.LANES), [lost, another]) == [("wrong_lane", "suspected")] * 2

    def test_half_beside_the_lane_or_passing_through_it_is_nothing(self):
        astride = straight(-0.2)
        passing = Vehicle([(6, -30, 3), (-6, -20, 0)])
        assert verdicts(site(self.RULE, lanes=self.LANES), [astride, passing]) == []

    def test_a_wrong_way_driver_is_not_accused_of_the_lane_too(self):
        up = Vehicle([(-1.7, -5, 6), (-1.7, -45, 0)])
        found = verdicts(site(self.RULE, {"kind": "wrong_way"}, lanes=self.LANES), [up])
        assert sorted(found) == [("wrong_lane", "suppressed", "duplicate"), ("wrong_way", "suspected")]

    @pytest.mark.parametrize(
        ("hours", "expected"), [(["21:00-22:00"], 1), (["20:00-03:00"], 1), (["06:00-09:00"], 0), (None, 1)]
    )
    def test_banned_class_by_the_hour(self, hours, expected):
        rule = {"kind": "banned_class", "lane": "B", "classes": ["truck"], **({"hours": hours} if hours else {})}
        found = verdicts(site(rule), [straight(-1.7, kind="truck"), straight(-1.7, at=20)])
        assert found == [("banned_class", "suspected")] * expected


class TestMovements:
    def test_a_turn_that_the_arrow_does_not_show(self):
        rule = {"kind": "lane_arrow"}
        assert verdicts(site(rule), [turning_left(-1.7)]) == [("lane_arrow", "suspected")]
        assert verdicts(site(rule), [turning_left(1.7), straight(1.7)]) == []

    def test_a_turn_that_a_sign_forbids(self):
        rule = {"kind": "illegal_turn", "line": "exit", "classes": ["truck"]}
        found = verdicts(site(rule), [turning_left(1.7, kind="truck"), turning_left(1.7, at=20)])
        assert found == [("illegal_turn", "suspected")]
        both = verdicts(site({"kind": "lane_arrow"}, {"kind": "illegal_turn", "line": "exit"}), [turning_left(-1.7)])
        assert sorted(both) == [("illegal_turn", "suspected"), ("lane_arrow", "suppressed", "duplicate")]

    U_TURN = ((1.7, -30, 4), (1.7, 8, 1), (5, 11, 1), (8, 8, 1), (8, 2, 3), (8, -25, 0))

    @pytest.mark.parametrize("rule", [{"zone": "box"}, {"line": "back"}, {"zone": "box", "line": "back"}])
    def test_turning_back_is_a_u_turn_and_no_wrong_arrow(self, rule):
        arrow = {"kind": "lane_arrow"}
        found = verdicts(site({"kind": "u_turn", **rule}, arrow), [Vehicle(list(self.U_TURN))])
        assert found == [("u_turn", "suspected")]

    def test_what_turns_back_faster_than_tyres_hold_is_two_vehicles(self):
        # In, and within a fifth of a second and two and a half metres on the way of somebody who goes out.
        taken_for_one = Vehicle([(1.7, -30, 4), (1.7, 6, 0.2), (4.2, 5.5, 0.4), (4.2, 1, 2), (4.2, -25, 0)])
        found = verdicts(site({"kind": "u_turn", "zone": "box"}), [taken_for_one])
        assert found == [("u_turn", "undecided", "identity_doubt")]

    def test_shuffling_back_and_forth_is_no_u_turn(self):
        shuffle = Vehicle([(1.7, -30, 4), (1.7, 8, 2), (1.7, 4, 2), (1.7, 8, 2), (1.7, -5, 2), (1.7, -20, 0)])
        assert verdicts(site({"kind": "u_turn", "zone": "box"}), [shuffle]) == []


class TestSolidLine:
    LINE = {"id": "solid", "kind": "count", "points": image((0, -45), (0, -5))}
    RULE = {"kind": "solid_line", "line": "solid"}

    def test_riding_on_it_and_changing_over_it(self):
        on, over = straight(0.1), Vehicle([(1.7, -40, 2), (1.7, -30, 1), (-1.7, -20, 2), (-1.7, 5, 0)])
        found = verdicts(site(self.RULE, lines=[self.LINE]), [on, over])
        assert found == [("solid_line", "suspected")] * 2

    def test_a_long_box_seen_from_the_side_is_no_wide_vehicle(self):
        # Half from the side the box of a bus is 11 m wide, the bus 3 m, and it lies up and to the right of its foot.
        beside = {"id": "solid", "kind": "count", "points": image((-41.4, -38.6), (38.6, 41.4))}
        bus = Vehicle([(-40, -40, 6), (38, 38, 0)], kind="bus", width_m=11)
        assert verdicts(site(self.RULE, lines=[beside]), [bus]) == []

    def test_beside_it_is_lawful(self):
        assert verdicts(site(self.RULE, lines=[self.LINE]), [straight(1.7), straight(-1.0, kind="motorcycle")]) == []


class TestStopping:
    ZONE = {"id": "kerb", "polygon": rectangle(-3.5, -45, 3.5, -15)}
    RULE = {"kind": "illegal_stop", "zone": "kerb", "min_dwell_s": 15}

    @staticmethod
    def stopping(x, y, seconds, **more):
        return Vehicle([(x, -48, 3), (x, y, seconds), (x, y, 3), (x, 20, 0)], **more)

    def illegal(self, vehicles, signals):
        return verdicts(site(self.RULE, zones=[self.ZONE]), vehicles, signals=signals)

    def test_parking_while_the_way_is_free(self):
        parked = self.stopping(1.7, -30, 20)
        assert self.illegal([parked], [(0, "green")]) == [("illegal_stop", "suspected")]
        assert self.illegal([parked], RED) == [("illegal_stop", "suspected")], "30 m before the line, nobody ahead"
        assert self.illegal([self.stopping(1.7, -30, 12)], RED) == []

    def test_long_enough_after_a_doubt_is_a_stop_by_itself(self):
        way = [(1.7, -48, 3), (1.7, -30, 24), (1.7, -30, 3), (1.7, 20, 0)]
        doubted = {"once": [(6, 6)], "again": [(6, 6), (14, 14), (22, 22)]}
        found = {k: self.illegal([Vehicle(way, doubtful=v)], [(0, "green")]) for k, v in doubted.items()}
        assert found["once"] == [("illegal_stop", "suspected")]
        assert found["again"] == [("illegal_stop", "undecided", "identity_doubt")]

    def test_the_bottom_of_a_box_trembles_with_its_height(self):
        for height_m, found in ((10, [("illegal_stop", "suspected")]), (1.5, [])):
            trembling = [(1.7, -30 + 0.9 * (i % 2), 0.3) for i in range(67)]
            parked = Vehicle([(1.7, -40, 2), *trembling, (1.7, -30, 3), (1.7, 30, 0)], height_m=height_m)
            assert self.illegal([parked], [(0, "green")]) == found

    def test_waiting_in_the_queue_of_a_red_light_is_lawful(self):
        queue = [self.stopping(1.7, y, 40, at=i) for i, y in enumerate((-2, -9, -16, -23, -30))]
        assert self.illegal(queue, RED) == []

    def test_by_a_light_that_is_not_believed_nobody_stands_by_choice(self):
        near = {**STOP, "points": image((3.5, -12), (-3.5, -12))}
        road = site(self.RULE, lines=[near], zones=[self.ZONE])
        first, parked = self.stopping(1.7, -16, 30, at=1), self.stopping(-1.7, -35, 30)
        engine, rows = engine_of(road, [(0, "green")]), rows_of([first, parked])
        engine.tracks(0, batch_of(sorted(rows), rows))
        told = [o for o in decode_outcomes(engine.finish()) if isinstance(o, Violation)]
        assert sorted((o.track, o.signal and o.signal.state) for o in told) == [(1, "green"), (2, None)]
        engine.late_signal(0, STATE_CODE["red"], T0 + 2 * NS, T0 + 60 * NS)
        (taken_back,) = [o for o in decode_outcomes(engine.finish()) if isinstance(o, Violation)]
        assert (taken_back.track, taken_back.verdict, taken_back.reasons) == (1, "retracted", ("signal_late",))

    def test_who_parked_before_the_queue_came_is_no_part_of_it(self):
        parked = self.stopping(1.7, -30, 60)
        queue = [self.stopping(1.7, y, 40, at=15 + i) for i, y in enumerate((-2, -9, -16, -23))]
        assert self.illegal([parked, *queue], RED) == [("illegal_stop", "suspected")]


class TestBox:
    RULE = {"kind": "box_blocking", "zone": "box", "min_dwell_s": 5}

    def test_entering_without_room_to_leave(self):
        ahead = Vehicle([(1.7, 24, 40), (1.7, 24, 0)])
        blocks = Vehicle([(1.7, -20, 4), (1.7, 17, 12), (1.7, 17, 4), (1.7, 45, 0)], at=5)
        assert verdicts(site(self.RULE), [ahead, blocks]) == [("box_blocking", "suspected")]

    def test_the_way_closed_after_it_had_entered(self):
        ahead = Vehicle([(1.7, -8, 5), (1.7, 24, 40), (1.7, 24, 0)], at=4)
        caught = Vehicle([(1.7, -20, 5), (1.7, 17, 12), (1.7, 17, 4), (1.7, 45, 0)], at=4)
        assert verdicts(site(self.RULE), [ahead, caught]) == []

    def test_standing_alone_may_be_giving_way(self):
        alone = Vehicle([(1.7, -20, 4), (1.7, 10, 8), (1.7, 10, 3), (30, 10, 0)])
        assert verdicts(site(self.RULE), [alone]) == [("box_blocking", "undecided", "may_be_giving_way")]


class TestPavement:
    ZONE = {"id": "pavement", "polygon": rectangle(5, -50, 8, 50)}
    RULE = {"kind": "sidewalk", "zone": "pavement"}

    def test_riding_along_it_but_not_across_or_on_foot(self):
        along = straight(6.5, kind="motorcycle")
        across = Vehicle([(0, -20, 3), (12, -20, 0)], kind="motorcycle")
        walker = straight(6.5, kind="pedestrian", seconds=40)
        found = verdicts(site(self.RULE, zones=[self.ZONE]), [along, across, walker])
        assert found == [("sidewalk", "suspected")]


class TestCrosswalk:
    ZONE = {"id": "zebra", "polygon": rectangle(-8, -12, 8, -8)}
    RULE = {"kind": "fail_to_yield_pedestrian", "zone": "zebra"}

    def judged(self, car):
        walker = Vehicle([(-10, -10, 14), (10, -10, 0)], kind="pedestrian")  # at x = 1.7 at second 8.2
        return verdicts(site(self.RULE, zones=[self.ZONE]), [walker, car])

    def test_close_before_and_close_behind(self):
        # 5.2 m/s: on the pedestrian's path one second before, and one after.
        assert self.judged(straight(1.7, at=4.6)) == [("fail_to_yield_pedestrian", "suspected")]
        assert self.judged(straight(1.7, at=6.6)) == [("fail_to_yield_pedestrian", "suspected")]

    def test_a_rider_who_is_taken_for_a_walker_does_not_meet_himself(self):
        trembles = [(0, -30, 5), (0.4, -10, 0.1), (-0.4, -9.4, 0.1), (-0.4, -10, 0.1), (0.4, -9.4, 3), (0, 10, 0)]
        cyclist = Vehicle(trembles, kind="bicycle", later=(5.15, "pedestrian", 1.0))
        assert verdicts(site(self.RULE, zones=[self.ZONE]), [cyclist]) == []

    def test_a_box_that_leaps_to_the_walker_and_back_accuses_nobody(self):
        leaps = [(1.7, -40, 4), (1.7, -13, 3.8), (1.7, -13, 0.1), (1.7, -9, 0.1), (1.7, -13, 3), (1.7, -13, 0)]
        found = self.judged(Vehicle(leaps, kind="motorcycle"))
        assert found == [("fail_to_yield_pedestrian", "undecided", "identity_doubt")]

    def test_a_fast_one_is_seen_on_the_crosswalk_once_or_twice(self):
        # 20 m/s: 2 m between two frames, half of the crosswalk.
        fast = Vehicle([(1.7, -45, 3.5), (1.7, 25, 0)], kind="motorcycle", at=5.35)
        assert self.judged(fast) == [("fail_to_yield_pedestrian", "suspected")]

    def test_far_from_it_and_after_having_waited(self):
        assert self.judged(straight(1.7, at=1)) == []
        assert self.judged(straight(1.7, at=9)) == []
        waits = Vehicle([(1.7, -40, 4), (1.7, -13, 4.6), (1.7, -13, 3), (1.7, 10, 0)])
        assert self.judged(waits) == []


class TestSpeed:
    LANES = ({**LEFT_LANE, "speed_limit_kmh": 50}, RIGHT_LANE)
    RULE = {"kind": "speeding"}

    def test_an_estimate_accuses_nobody(self):
        fast, fair = straight(1.7, seconds=3.5), straight(1.7, seconds=5, at=20)  # 72 and 50 km/h
        (found,) = [o for o in outcomes(site(self.RULE, lanes=self.LANES), [fast, fair]) if hasattr(o, "kind")]
        assert (found.kind, found.verdict) == ("speeding", "estimated")
        assert found.explanation.facts["speed_kmh"] == pytest.approx(72, abs=0.5)

    def test_a_jump_of_the_track_is_no_speed(self):
        jumps = Vehicle([(1.7, -45, 2), (1.7, -35, 0.1), (1.7, -10, 2), (1.7, 0, 0)])
        assert verdicts(site(self.RULE, lanes=self.LANES), [jumps]) == []

    def meter(self, speed_kmh, *, certified):
        def before(engine):
            engine.reading(T0 + 2 * NS, "A", speed_kmh, certified)

        return verdicts(site(self.RULE, lanes=self.LANES), [straight(1.7)], before=before)

    def test_only_a_certified_meter_accuses(self):
        assert self.meter(71, certified=True) == [("speeding", "suspected")]
        assert self.meter(71, certified=False) == [("speeding", "undecided", "certificate_invalid")]
        assert self.meter(54, certified=True) == []


class TestConditions:
    @staticmethod
    def red(**condition):
        def before(engine):
            span = condition.pop("span", (0, 60))
            name = condition.pop("name")
            engine.condition(T0 + span[0] * NS, T0 + span[1] * NS, name, **condition)

        return verdicts(site(*LIGHTS), [straight(1.7)], signals=RED, before=before)

    @pytest.mark.parametrize("name", ["officer_control", "emergency_vehicle", "clock_invalid", "low_visibility"])
    def test_what_lifts_a_red_light(self, name):
        assert self.red(name=name) == [("red_light", "suppressed", name)]

    @pytest.mark.parametrize("name", ["flood", "permit", "temporary_sign", "incident"])
    def test_what_does_not(self, name):
        assert self.red(name=name) == [("red_light", "suspected")]

    def test_elsewhere_and_at_other_times_it_lifts_nothing(self):
        assert self.red(name="officer_control", span=(20, 40)) == [("red_light", "suspected")]
        assert self.red(name="officer_control", lane="B") == [("red_light", "suspected")]
        assert self.red(name="officer_control", lane="A", camera="c") == [
            ("red_light", "suppressed", "officer_control")
        ]


@pytest.mark.parametrize("guess", [{"flags": 4}, {"score": 0.45}], ids=["by size alone", "half a lorry behind riders"])
def test_a_class_that_is_a_guess_accuses_nobody(guess):
    rule, lanes = {"kind": "wrong_lane"}, TestLanes.LANES
    assert verdicts(site(rule, lanes=lanes), [straight(-1.7, **guess)]) == [("wrong_lane", "undecided", "class_doubt")]
    assert verdicts(site(rule, lanes=lanes), [straight(-1.7, score=0.55)]) == [("wrong_lane", "suspected")]


def test_the_class_rests_on_what_was_seen_since_the_doubt():
    def judged(before, after):
        car = straight(-1.7, doubtful=[(0.5, 0.5)], score=before, later=(0.5, "car", after))
        return verdicts(site({"kind": "wrong_lane"}, lanes=TestLanes.LANES), [car])

    assert judged(0.3, 0.6) == [("wrong_lane", "suspected")]
    assert judged(0.9, 0.45) == [("wrong_lane", "undecided", "class_doubt")]


class TestPedestriansBySize:
    """Part of a vehicle is as small as somebody on foot; the class is then told by size only (flag 4)."""

    def judge(self, seconds, **more):
        found = outcomes(site(*LIGHTS), [straight(1.7, seconds=seconds, kind="pedestrian", **more)], signals=RED)
        said = [(o.kind, o.verdict) for o in found if isinstance(o, Violation)]
        return said, {o.class_ for o in found if isinstance(o, Crossing)}

    def test_what_goes_like_a_vehicle_is_one(self):
        assert self.judge(9, flags=4) == ([("red_light", "suspected")], {"unknown"})

    def test_who_walks_or_runs_is_not_accused_of_driving(self):
        assert self.judge(50, flags=4) == ([], {"pedestrian"})
        # Along a lane at 3 m/s he may be riding: counted as of no known class.
        assert self.judge(20, flags=4) == ([], {"unknown"})

    def test_a_detector_that_knows_people_is_believed(self):
        assert self.judge(9) == ([], {"pedestrian"})

    def test_one_jump_is_no_run(self):
        jumps = Vehicle([(1.7, -10, 4), (1.7, -6, 0.1), (1.7, -1, 4), (1.7, 4, 0)], kind="pedestrian", flags=4)
        assert verdicts(site(*LIGHTS), [jumps], signals=RED) == []
