"""Whatever bytes come, a line is a value or a dead letter with a reason, and nothing ever raises."""

import json
import tempfile
from pathlib import Path
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.environment import ArrivalStep, StationSpec, StationStep
from pipelines.reports import DeskSpec, DeskStep
from smartstream.ingest.lines import file_source
from smartstream.ingest.report_lines import ReportLines
from smartstream.ingest.sensor_lines import SensorLines
from smartstream.ingest.station_lines import StationLines
from smartstream.model.items import DeadLetter, Readings, Reports
from smartstream.model.time import NS
from smartstream.testing.feeds import read_all

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
GOOD = {"time": 1_790_000_000, "sensor": "s", "station": "q", "kind": "pm25", "value": 20.5, "unit": "µg/m³"}
REPORT = {
    "time": 1_790_000_000,
    "report": "r",
    "service_code": "flood",
    "description": "ngập",
    "lat": 21.6,
    "lon": 105.8,
}
REASONS = {
    "absurd_time", "bad_field", "bad_position", "bad_time", "broken_json", "conflict", "late", "too_long",
    "unknown_kind", "unknown_status", "unknown_unit", "unregistered",
}  # fmt: skip

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.just(1e308), st.text(max_size=20),
    st.lists(st.integers(), max_size=2),
    st.floats(1_789_000_000, 1_791_000_000), st.sampled_from(["pm25", "no2", "closed", "fault", "ppb", "°C", "%"]),
)  # fmt: skip


def mutated(good):
    """Lines near a good one, and lines far from it."""
    keys = st.sampled_from([*good, "status", "email"])
    changed = st.dictionaries(keys, scalars, max_size=3).map(lambda more: json.dumps({**good, **more}).encode())
    cut = st.tuples(changed, st.integers(0, 200)).map(lambda pair: pair[0][: pair[1]])
    return st.one_of(changed, changed, cut, st.binary(max_size=60)).map(lambda line: line.replace(b"\n", b" "))


def accounted(feed):
    items = read_all(feed)
    feed.close()
    values = []
    for item in items:
        if isinstance(item, Readings | Reports):
            values += item.lines
    dead = [item for item in items if isinstance(item, DeadLetter)]
    assert {letter.reason for letter in dead} <= REASONS
    assert len(values) + len(dead) == feed.counts["lines"]
    assert len(dead) == feed.counts["dead"]
    return items


def write(folder, name, lines):
    path = Path(folder) / name
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


@settings(max_examples=150, deadline=None)
@given(st.lists(mutated(GOOD), max_size=30))
def test_sensor_lines(lines):
    with tempfile.TemporaryDirectory() as folder:
        path = write(folder, "s.ndjson", lines)
        items = accounted(SensorLines(file_source("s", path, lateness_ns=600 * NS)))
    spec = StationSpec("x", ("s",), "Asia/Ho_Chi_Minh", 600 * NS)
    arrivals, steps = ArrivalStep(spec), {}
    dealt, _ = arrivals.on_batch([item for item in items if isinstance(item, Readings)])
    for station, turn in dealt:
        steps.setdefault(station, StationStep(spec)).on_batch([turn])


@settings(max_examples=150, deadline=None)
@given(st.lists(mutated(REPORT), max_size=30))
def test_report_lines(lines):
    with tempfile.TemporaryDirectory() as folder:
        path = write(folder, "r.ndjson", lines)
        source = file_source("r", path, lateness_ns=300 * NS)
        feed = ReportLines(source, site="x")
        items = accounted(feed)
    desk = DeskStep(DeskSpec("x", ("r",), "Asia/Ho_Chi_Minh", 300 * NS, None))
    desk.on_batch([item for item in items if isinstance(item, Reports)])


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.binary(max_size=60).map(lambda line: line.replace(b"\n", b" ")),
            st.lists(
                st.sampled_from(
                    ["PM2.5", "Leq", "dBA", "41.2", "nan", "1e999", "-", "ug/m3", "ppb", "20260921211500", "00", "02"]
                ),
                min_size=3,
                max_size=6,
            ).map(lambda fields: "\t".join(fields).encode()),
        ),
        max_size=30,
    )
)
def test_station_lines(lines):
    with tempfile.TemporaryDirectory() as folder:
        path = write(folder, "s.txt", lines)
        source = file_source("s", path, lateness_ns=600 * NS)
        accounted(StationLines(source, station="q", timezone=ZONE))
