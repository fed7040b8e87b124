"""What a condition names must be there: one that lifts nothing by a slip of the pen accuses who was let through."""

import json
from zoneinfo import ZoneInfo

import pytest

from smartstream.ingest.condition_lines import ConditionLines
from smartstream.ingest.lines import LineSource, Quiet, file_source
from smartstream.ingest.roster import with_roster
from smartstream.model.items import Conditions, DeadLetter, MeterReading
from smartstream.model.time import NS

T0 = 1_790_000_000


def opened(source, junction="j1", zone="Asia/Ho_Chi_Minh"):
    return ConditionLines(
        source,
        junction=junction,
        junctions=frozenset({"j1", "j2"}),
        cameras={"north": "j1", "far": "j1", "south": "j2"},
        lanes={"north": frozenset({"N0"}), "far": frozenset({"N0", "N1"}), "south": frozenset({"S0", "N1"})},
        metered=frozenset({"far", "south"}),
        timezone=ZoneInfo(zone),
        speaks=True,
    )


def said(items):
    facts = [fact for item in items if isinstance(item, Conditions) for fact in item.facts]
    return facts, [item.reason for item in items if isinstance(item, DeadLetter)]


def read(folder, lines, junction="j1", **more):
    path = folder / "conditions.ndjson"
    path.write_text("".join(json.dumps({"time": T0, **line}) + "\n" for line in lines))
    source = with_roster(file_source("conditions/j1/0", path, lateness_ns=300 * NS), path)
    return said(opened(source, junction, **more).read())


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ({"camera": "nroth"}, "unknown_camera"),
        ({"camera": "south", "junction": "j1"}, "unknown_camera"),
        ({"camera": "x" * 60_000}, "bad_field"),
        ({"camera": "north\u202e"}, "bad_field"),
        ({"lane": "N9"}, "unknown_lane"),
        ({"lane": "S0", "camera": "north"}, "unknown_lane"),
        ({"lane": "S0", "junction": "j1"}, "unknown_lane"),
        ({"lane": "N1", "camera": "north"}, "unknown_lane"),
        ({"junction": "J1"}, "unknown_junction"),
    ],
)
def test_a_place_that_is_not_there_is_a_dead_letter(tmp_path, place, reason):
    assert read(tmp_path, [{"condition": "officer_control", **place}]) == ([], [reason])


def test_every_way_to_name_a_place_of_this_junction(tmp_path):
    places = [{}, {"junction": "j1"}, {"camera": "north"}, {"lane": "N0"}, {"camera": "north", "lane": "N0"}]
    facts, dead = read(tmp_path, [{"condition": "officer_control", **place} for place in places])
    assert (len(facts), dead) == (len(places), [])
    assert read(tmp_path, [{"condition": "flood", "camera": "south"}, {"condition": "flood", "junction": "j2"}]) == (
        [],
        [],
    )


@pytest.mark.parametrize("certificate", ["", " ", "\u00a0 "])
def test_a_blank_certificate_certifies_nothing(tmp_path, certificate):
    line = {"meter": "m", "lane": "N0", "speed_kmh": 71.0, "certificate": certificate, "valid_to": "2027-01-31"}
    [reading], dead = read(tmp_path, [line])
    assert isinstance(reading, MeterReading)
    assert not reading.certified
    assert not dead


METER = {"meter": "m", "speed_kmh": 71.0, "certificate": "C-22", "valid_to": "2027-01-31"}


@pytest.mark.parametrize(
    ("place", "camera"),
    [
        ({"lane": "N0"}, "far"),  # of the two that show it the one that judges
        ({"lane": "S0"}, "south"),
        ({"lane": "N1", "junction": "j2"}, "south"),
        ({"lane": "N1", "camera": "far"}, "far"),
        ({"lane": "N0", "camera": "north"}, "north"),
    ],
)
def test_a_reading_is_of_one_lane(tmp_path, place, camera):
    found = {j: read(tmp_path, [METER | place], j)[0] for j in ("j1", "j2")}
    of = "j2" if camera == "south" else "j1"
    assert [(f.camera, f.lane) for f in found[of]] == [(camera, place["lane"])]
    assert not found["j2" if of == "j1" else "j1"]


def test_a_reading_of_two_lanes_of_one_name_accuses_nobody(tmp_path):
    """It was held against whoever was in a lane of that name, at every junction that has one."""
    assert read(tmp_path, [METER | {"lane": "N1"}]) == ([], ["ambiguous_lane"])


@pytest.mark.parametrize(
    ("zone", "certified"), [("Asia/Ho_Chi_Minh", True), ("Asia/Tokyo", True), ("Pacific/Auckland", False)]
)
def test_a_certificate_is_good_to_the_end_of_its_day_where_the_site_is(tmp_path, zone, certified):
    # T0 is 21:13 of 21 September in Viet Nam, 23:13 in Japan, and the morning of the 22nd in New Zealand.
    [reading], _ = read(tmp_path, [METER | {"lane": "N0", "valid_to": "2026-09-21"}], zone=zone)
    assert reading.certified is certified
    for wrong in ("soon", "2026-09-21T10:00:00Z", "9999-12-31", ""):
        facts, dead = read(tmp_path, [METER | {"lane": "N0", "valid_to": wrong}], zone=zone)
        assert dead == ["bad_time"] or facts[0].certified


def at(hours, **line):
    return {"time": T0 + hours * 3600, "until": T0 + (hours + 1) * 3600, "condition": "officer_control", **line}


def places(facts):
    """When each takes its place, in hours."""
    return [(fact.clock_ns / NS - T0) / 3600 for fact in facts]


def test_a_roster_need_not_be_in_the_order_of_its_hours(tmp_path):
    """What came after a duty of tomorrow was too late, or absurd, and whoever an officer waved through accused."""
    days = [24 * 30, 48, 2, 24, 1, 1.05, 30]
    assert read(tmp_path, [at(h) for h in days[:3]]) == read(tmp_path, [at(h) for h in days[:3]])
    facts, dead = read(tmp_path, [at(h) for h in days])
    assert (places(facts), dead) == (days, [])


@pytest.mark.parametrize("days", [[0, 10], [0, 30, 60, 90], list(range(0, 900, 9))])
def test_a_roster_may_speak_once_in_a_while(tmp_path, days):
    """Entries more than a week apart were all absurd, and nobody's duty lifted anything."""
    facts, dead = read(tmp_path, [at(24 * day) for day in days])
    assert (places(facts), dead) == ([24 * day for day in days], [])


def test_a_word_that_comes_late_takes_its_place_on_arrival(tmp_path):
    facts, dead = read(tmp_path, [at(1), at(0.95), at(20), at(2), at(1.95)])
    assert (places(facts), dead) == ([1, 1, 20, 2, 2], [])


@pytest.mark.parametrize("wrong", [1, 7_000_000_000])
def test_a_year_typed_wrong_says_nothing_about_the_other_lines(tmp_path, wrong):
    for where in range(4):
        lines = [at(24), at(1), at(2)]
        lines.insert(where, {"condition": "flood", "time": wrong})
        facts, dead = read(tmp_path, lines)
        assert places(facts) == [24, 1, 2]
        assert dead in (["absurd_time"], ["late"])


class Log:
    """An input log that knows when it took each line."""

    unit, sorted, ended, broken = "message", False, False, ""

    def __init__(self, found):
        self.found, self.told_ns = list(found), 0

    def next_line(self):
        if not self.found:
            return None
        told_h, line = self.found.pop(0)
        self.told_ns = round((T0 + told_h * 3600) * NS)
        return line if isinstance(line, Quiet) else (len(self.found), json.dumps(line).encode())

    def snapshot(self):
        return {}

    def close(self):
        pass


def test_a_live_roster_moves_the_clock_by_when_it_was_told():
    log = Log(
        [(0, at(0)), (0.1, at(14)), (1, Quiet(1800 * NS, 0)), (2, at(2)), (2.5, at(1.8)), (3, at(40)), (5, at(5))]
    )
    feed = opened(LineSource("conditions/j1/0", lambda _: log, 300 * NS, live=True))
    facts, dead = said(feed.read())
    assert (places(facts), dead) == ([0, 14, 2, 2, 40, 5], [])
    assert feed.position_ns == (T0 + 5 * 3600) * NS


def test_events_ahead_of_the_log_s_own_clock_by_years_are_its_clock():
    """Recorded or simulated lines sent to a broker: their times have nothing to do with when it stored them."""
    log = Log([(-24 * 800, at(0)), (-24 * 800, at(0.1)), (-24 * 800, at(2))])
    feed = opened(LineSource("conditions/j1/0", lambda _: log, 300 * NS, live=True))
    facts, dead = said(feed.read())
    assert (places(facts), dead) == ([0, 0.1, 2], [])
    assert feed.position_ns == (T0 + 2 * 3600) * NS
