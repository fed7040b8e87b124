"""Lines as facts of the joins: what is said twice is one reading, who says it twice is one voice."""

import json
import pickle
from zoneinfo import ZoneInfo

from pipelines.beside import dead_letter_event
from pipelines.floods import FloodSpec, FloodStep
from smartstream.ingest.lines import file_source
from smartstream.ingest.report_lines import ReportLines
from smartstream.ingest.sensor_lines import SensorLines
from smartstream.model.facts import Fact, Facts
from smartstream.model.items import Conditions, Readings, Reports
from smartstream.model.time import NS
from smartstream.streams.joins.air_spike import AirSpike
from smartstream.streams.joins.feeds import CityFeeds
from smartstream.streams.joins.flood import Flood
from smartstream.testing.feeds import read_all

T0 = 1_790_000_000
SIDE = "sensors/0"


def reading(minutes, kind="water_level", value=1.5, sensor="g", **more):
    unit = {"water_level": "m", "pm25": "µg/m³", "pm10": "µg/m³"}[kind]
    said = {"sensor": f"{sensor}-{kind}", "station": "wl", "kind": kind, "value": value, "unit": unit}
    return {"time": T0 + 60 * minutes, **said, **more}


def items(folder, lines, turn_lines=256):
    path = folder / "s.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    feed = SensorLines(file_source(SIDE, path, lateness_ns=600 * NS, turn_lines=turn_lines))
    return [item for item in read_all(feed) if isinstance(item, Readings)]


def test_a_line_sent_twice_is_one_reading(tmp_path):
    lines = [
        reading(0),
        reading(0),
        reading(5),
        reading(4),
        reading(0),
        reading(20),
        reading(21),
        reading(5),
        reading(20),
    ]
    for turn_lines in (256, 1):
        feeds, facts, late = CityFeeds({SIDE: 600 * NS}), [], []
        for item in items(tmp_path, lines, turn_lines):
            told, dead = feeds.facts(item)
            facts += told.facts
            late += dead
            state = pickle.loads(pickle.dumps(feeds.snapshot()))
            feeds = CityFeeds({SIDE: 600 * NS})
            feeds.restore(state)
        assert sorted((fact.time_ns // NS - T0) // 60 for fact in facts) == [0, 4, 5, 20, 21]
        assert [letter.place for letter in late] == ["line 8"]
        assert len(feeds.snapshot()["heard"][SIDE]) == 0  # the feed has ended


def test_a_reading_said_twice_makes_no_flood_before_the_junctions(tmp_path):
    def told(lines):
        step = FloodStep(FloodSpec((SIDE,), {"wl": 1.0}, {"wl": ("j1",)}))
        found = [item for _, item in step.on_batch(items(tmp_path, lines))[0] if isinstance(item, Conditions)]
        return sum(len(item.facts) for item in found)

    assert told([reading(0), reading(0), reading(0)]) == 0
    assert told([reading(0), reading(0), reading(5)]) == 1


def test_letters_of_late_lines_are_told_apart(tmp_path):
    old = [reading(0, "pm25"), reading(0, "pm10"), reading(0, "pm25", 7.0)]
    lines = [
        reading(0, "pm25", sensor="x"),
        reading(0, "pm10", sensor="x"),
        *(reading(m, "pm25", sensor="x") for m in (60, 61)),
    ]
    feeds = CityFeeds({SIDE: 600 * NS})
    letters = [letter for item in items(tmp_path, [*lines, *old]) for letter in feeds.facts(item)[1]]
    assert len({dead_letter_event("s", letter).id for letter in letters}) == len(letters) == 3


def test_letters_of_several_joins_are_told_apart():
    sides, zone = {"sensors/0": "sensor", "reports/0": "report"}, ZoneInfo("Asia/Ho_Chi_Minh")
    joins = (Flood("s", zone, sides, alarm_m={"wl": 1.0}), AirSpike("s", zone, sides))
    letters = []
    for join in joins:
        for side in sides:
            join.take(Facts(side, (), (T0 + 600) * NS))
        late = (Fact(T0 * NS, "reading", "wl", "pm25", 1.0), Fact(T0 * NS, "reading", "wl", "pm10", 1.0))
        letters += join.take(Facts(SIDE, late, (T0 + 600) * NS))
    assert len({dead_letter_event("s", letter).id for letter in letters}) == len(letters) == 4


def test_who_made_a_report_stands_with_it(tmp_path):
    said = [{"account_id": "a"}, {"account_id": "a"}, {}, {}, {"description": "Khác"}]
    lines = [
        {"time": T0, "report": f"r{i}", "service_code": "flood", "description": "Ngập", **more}
        for i, more in enumerate(said)
    ]
    path = tmp_path / "r.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    feed = ReportLines(file_source("reports/0", path, lateness_ns=300 * NS), site="s")
    feeds, voices = CityFeeds({"reports/0": 300 * NS}), {}
    for item in read_all(feed):
        if isinstance(item, Reports):
            voices |= {fact.entity: fact.more["voice"] for fact in feeds.facts(item)[0].facts}
    assert voices["r0"] == voices["r1"] != voices["r2"] == voices["r3"] != voices["r4"]
