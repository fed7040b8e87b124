"""One vehicle and one act are one accusation, however many lines, zones, readings and track numbers show it."""

from __future__ import annotations

import pytest
from rules_street import NS, T0, Vehicle, batch_of, camera, config, engine_of, image, rectangle, rows_of, verdicts
from test_rule_kinds import LEFT_LANE, LIGHTS, RED, RIGHT_LANE, STOP, TestMovements, TestStopping, site, straight

from smartstream.rules.outcome import SignalFault, decode_outcomes

RED_LIGHT = LIGHTS[0]
GREEN = [(0, "green")]


def once(kind, told=2):
    return [(kind, "suspected"), *[(kind, "suppressed", "duplicate")] * (told - 1)]


class TestParked:
    """Others hide a parked vehicle for a while; it comes back under another number."""

    RULE, ZONE = TestStopping.RULE, TestStopping.ZONE
    SEEN = Vehicle([(1.7, -48, 3), (1.7, -30, 37), (1.7, -30, 0)])

    def judged(self, *vehicles):
        return verdicts(site(self.RULE, zones=[self.ZONE]), [self.SEEN, *vehicles], signals=GREEN)

    @pytest.mark.parametrize("hidden_s", [5, 35])
    def test_lost_and_found_where_it_stood(self, hidden_s):
        again = Vehicle([(1.7, -30, 40), (1.7, -30, 3), (1.7, 20, 0)], at=40 + hidden_s)
        assert self.judged(again) == once("illegal_stop")

    def test_lost_twice(self):
        hidden = [Vehicle([(1.7, -30, 40), (1.7, -30, 0)], at=at) for at in (50, 100)]
        assert self.judged(*hidden) == once("illegal_stop", told=3)

    def test_who_drives_up_there_later_or_stands_elsewhere_is_another(self):
        drives_up = Vehicle([(1.7, -48, 3), (1.7, -30, 37), (1.7, -30, 0)], at=60)
        elsewhere = Vehicle([(1.7, -22, 40), (1.7, -22, 0)], at=45)
        assert self.judged(drives_up) == [("illegal_stop", "suspected")] * 2
        assert self.judged(elsewhere) == [("illegal_stop", "suspected")] * 2


def test_two_stop_lines_of_one_light():
    before = {"id": "bikes", "kind": "stop", "points": image((3.5, -5), (-3.5, -5))}
    road = site(RED_LIGHT, {"kind": "red_light", "line": "bikes"}, lines=[STOP, before])
    assert verdicts(road, [straight(1.7)], signals=RED) == once("red_light")


def test_two_zones_of_one_stop():
    inner = {"id": "inner", "polygon": rectangle(-3.5, -40, 3.5, -20)}
    road = site(TestStopping.RULE, {**TestStopping.RULE, "zone": "inner"}, zones=[TestStopping.ZONE, inner])
    assert verdicts(road, [TestStopping.stopping(1.7, -30, 20)], signals=GREEN) == once("illegal_stop")


def test_a_lane_and_a_zone_in_it():
    zone = {"id": "closed", "polygon": rectangle(-3.5, -45, 0, -5)}
    rule = {"kind": "banned_class", "lane": "B", "zone": "closed", "classes": ["truck"]}
    assert verdicts(site(rule, zones=[zone]), [straight(-1.7, kind="truck")]) == once("banned_class")


def test_a_zone_and_an_exit_line_of_one_u_turn():
    road = site({"kind": "u_turn", "zone": "box"}, {"kind": "u_turn", "line": "back"})
    assert verdicts(road, [Vehicle(list(TestMovements.U_TURN))]) == once("u_turn")


def test_a_meter_that_reads_one_passage_three_times():
    def read(engine):
        for s in (2.0, 2.3, 2.6):
            engine.reading(T0 + round(s * NS), "A", 71.0, True)

    lanes = ({**LEFT_LANE, "speed_limit_kmh": 50}, RIGHT_LANE)
    assert verdicts(site({"kind": "speeding"}, lanes=lanes), [straight(1.7)], before=read) == once("speeding", told=3)


def test_three_whom_two_cameras_see_are_no_column():
    """Six red runs within 20 s would say that the light is wrong, and clear all of them."""

    def seen_by(name):
        return camera(lanes=[LEFT_LANE, RIGHT_LANE], lines=[STOP], rules=[RED_LIGHT]) | {"id": name}

    rows = rows_of([straight(1.7, at=3 + 2 * i) for i in range(3)])
    engine = engine_of(config(seen_by("south"), seen_by("mast")), [(0, "green"), (1, "amber"), (2, "red")])
    for number in (0, 1):
        engine.tracks(number, batch_of(sorted(rows), rows))
    assert [o for o in decode_outcomes(engine.finish()) if isinstance(o, SignalFault)] == []
