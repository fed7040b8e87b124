"""Sensors register by their first valid line; a line whose time nobody believes is none."""

import json
import unicodedata

import pytest

from smartstream.ingest import sensor_lines
from smartstream.ingest.lines import file_source
from smartstream.ingest.sensor_lines import SensorLines
from smartstream.model.items import DeadLetter, Readings
from smartstream.model.time import NS
from smartstream.testing.feeds import read_all

T0 = 1_790_000_000
FORMS = ("NFC", "NFD", "NFC")
DUST = {"kind": "pm25", "unit": "µg/m³"}


def read(folder, lines, cut=None):
    path = folder / "sensors.ndjson"
    path.write_text("".join(json.dumps({"value": 20.0, **line}) + "\n" for line in lines))
    source = file_source("sensors/0", path, lateness_ns=600 * NS, turn_lines=1)
    feed, items = SensorLines(source), []
    while not feed.ended:
        if len(items) == cut:
            state = feed.snapshot()
            feed.close()
            feed = SensorLines(source, state)
        items += feed.read()
    readings = [r for item in items if isinstance(item, Readings) for r in item.lines]
    return [(r.sensor, r.kind) for r in readings], [(i.reason, i.place) for i in items if isinstance(i, DeadLetter)]


def test_a_line_with_a_wrong_clock_does_not_say_what_a_sensor_is(tmp_path):
    lines = [
        {"time": T0 + 90 * 86_400, "sensor": "s", "kind": "no2", "unit": "ppb"},
        *({"time": T0 + i, "sensor": "s", **DUST} for i in range(5)),
    ]
    for cut in (None, 2, 4):
        assert read(tmp_path, lines, cut) == ([("s", "pm25")] * 5, [("absurd_time", "line 1")])


def test_the_first_line_fills_in_the_next_ones_while_it_waits_for_a_witness(tmp_path):
    lines = [{"time": T0, "sensor": "s", **DUST}, *({"time": T0 + i, "sensor": "s"} for i in range(1, 4))]
    for cut in (None, 2):
        assert read(tmp_path, lines, cut) == ([("s", "pm25")] * 4, [])


def test_one_station_with_a_wrong_clock_leaves_the_others_their_data(tmp_path):
    def hour(at, station):
        return [
            {"time": at, "sensor": f"{station}-{kind}", "station": station, "kind": kind, "unit": "µg/m³"}
            for kind in ("pm25", "pm10", "no2")
        ]

    lines = [*hour(T0, "a"), *hour(T0, "b"), *hour(T0 + 90 * 86_400, "a"), *hour(T0 + 60, "b"), *hour(T0 + 60, "c")]
    readings, dead = read(tmp_path, lines)
    assert len(readings) == 12
    assert dead == [("absurd_time", f"line {i}") for i in (7, 8, 9)]


def test_names_made_up_in_late_lines_leave_nothing_behind(tmp_path):
    now = [{**DUST, "sensor": "s", "value": 20.0, "time": T0 + i} for i in range(3)]
    old = [{**now[0], "time": T0 - 3 * 86_400, "sensor": f"made-up-{i}"} for i in range(50)]
    path = tmp_path / "s.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in [*now, *old, *now]))
    feed = SensorLines(file_source("s", path, lateness_ns=600 * NS))
    read_all(feed)
    assert feed.snapshot()["registry"]["claimed"] == {}


def test_two_ways_to_write_a_letter_are_one_name(tmp_path):
    lines = [{"time": T0 + i, "sensor": unicodedata.normalize(f, "Trạm Tân Long"), **DUST} for i, f in enumerate(FORMS)]
    readings, dead = read(tmp_path, lines)
    assert len(set(readings)) == 1
    assert not dead


@pytest.mark.parametrize("sensor", ["", "a\x1fb", "a\x1b[2J", "a\nb", "a\u202eb", "a\x85", "x" * 129])
def test_a_name_that_nobody_sees_or_that_commands_a_terminal_is_refused(tmp_path, sensor):
    """``\x1f`` separates what ids are hashed from: two different events could have had one id."""
    assert read(tmp_path, [{"time": T0, "sensor": sensor, **DUST}]) == ([], [("bad_field", "line 1")])


def test_made_up_names_fill_no_memory_and_silence_nobody_known(tmp_path, monkeypatch):
    monkeypatch.setattr(sensor_lines, "_MOST", 3)
    lines = [{"time": T0 + i, "sensor": f"s{i}", **DUST} for i in range(5)]
    lines += [{"time": T0 + 9, "sensor": "s0"}, {"time": T0 + 10, "sensor": "s4", **DUST}]
    for cut in (None, 4):
        readings, dead = read(tmp_path, lines, cut)
        assert [sensor for sensor, _ in readings] == ["s0", "s1", "s2", "s0"]
        assert dead == [("too_many_sensors", f"line {i}") for i in (4, 5, 7)]
