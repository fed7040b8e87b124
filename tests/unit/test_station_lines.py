import gzip
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from smartstream.ingest.lines import file_source
from smartstream.ingest.station_lines import StationLines, station_of
from smartstream.model.items import DeadLetter, Readings
from smartstream.model.time import NS, parse_instant
from smartstream.testing.feeds import read_all


def read(path):
    source = file_source("sensors/0", path, lateness_ns=600 * NS)
    feed = StationLines(source, station=station_of(path), timezone=ZoneInfo("Asia/Ho_Chi_Minh"))
    items = read_all(feed)
    readings = [r for i in items if isinstance(i, Readings) for r in i.lines]
    return readings, [i for i in items if isinstance(i, DeadLetter)]


@pytest.mark.parametrize(
    ("name", "station"),
    [
        ("TN_TP_KK1_20260921211500.txt", "TN_TP_KK1"),
        ("TN_TP_KK1.txt.gz", "TN_TP_KK1"),
        ("aq-7.txt", "aq-7"),
    ],
)
def test_the_name_is_the_station(name, station):
    assert station_of(Path(name)) == station


def test_lines_of_a_station(tmp_path):
    path = tmp_path / "TN_KK1_20260921211500.txt.gz"
    lines = [
        "PM2.5\t41,2\tug/m3\t20260921211500\t00",  # a comma is no decimal point here
        "PM2.5\t41.2\tug/m3\t20260921211500\t00",
        "PM-10\t60\tµg/Nm3\t20260921211500\t00",
        "CO\t1.5\tmg/Nm3\t20260921211500\t01",
        "NO2\t30\tppb\t20260921211500\t02",
        "Temp\t28.5\toC\t20260921211500\t00",
        "Temp\t28.5\t°C\t20260921211500\t00",
        "WindDir\t180\tdeg\t20260921211500\t00",
        "pH\t7\t-\t20260921211500\t00",
        "PM2.5\t41.2\tug/m3\t20260921211500",
        "PM2.5\t41.2\tug/m3\t20260931211500\t00",
        "PM2.5\t41.2\tug/m3\t2026092121\t00",
        "PM2.5\t41.2\tug/m3\t20260921211500\t07",
        "PM2.5\tnan\tug/m3\t20260921211500\t00",
    ]
    with gzip.open(path, "wb") as f:
        f.write("\r\n".join(lines).encode() + b"\r\n\xff\xfe\t1\n")
    readings, dead = read(path)
    assert [(r.sensor, r.kind, r.value, r.unit, r.status) for r in readings] == [
        ("TN_KK1-pm25", "pm25", 41.2, "ug/m3", "measuring"),
        ("TN_KK1-pm10", "pm10", 60.0, "µg/Nm3", "measuring"),
        ("TN_KK1-co", "co", 1.5, "mg/Nm3", "calibrating"),
        ("TN_KK1-no2", "no2", 30.0, "ppb", "fault"),
        ("TN_KK1-temperature", "temperature", 28.5, "oC", "measuring"),
        ("TN_KK1-temperature", "temperature", 28.5, "°C", "measuring"),
        ("TN_KK1-wind_direction", "wind_direction", 180.0, "deg", "measuring"),
    ]
    assert {r.time_ns for r in readings} == {parse_instant("2026-09-21T21:15:00+07:00")}
    assert [(d.place, d.reason) for d in dead] == [
        ("line 1", "bad_field"),
        ("line 9", "unknown_kind"),
        ("line 10", "bad_field"),
        ("line 11", "bad_time"),
        ("line 12", "bad_time"),
        ("line 13", "unknown_status"),
        ("line 14", "bad_field"),
        ("line 15", "bad_field"),
    ]
