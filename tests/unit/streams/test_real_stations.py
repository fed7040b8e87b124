"""The real files of the shared data folder, through small adapters, with every line accounted for.

They are no stations of a network: PurpleAir brings two channels of one instrument, unsorted; the other files are
another country's *index*, scraped with repeats, which no adapter may sell as a concentration.
"""

import csv
import json
import math
from pathlib import Path

import pytest
from station_lines import run_lines

from smartstream.model.time import parse_instant

DATA = Path(__file__).parents[3] / "../shared/data/env"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not DATA.is_dir(), reason="needs ../shared/data/env beside the checkout"),
]


def purpleair(path):
    """Both channels as sensors of one station, with the weather, sorted: the files are not."""
    lines = []
    for row in csv.DictReader(path.open()):
        station = f"pa-{row['id']}"
        celsius = round((float(row["temperature"]) - 32) / 1.8, 2)
        for sensor, kind, value, unit in (
            ("a", "pm25", float(row["pm2.5_atm_a"]), "µg/m³"),
            ("b", "pm25", float(row["pm2.5_atm_b"]), "µg/m³"),
            ("t", "temperature", celsius, "°C"),
            ("h", "humidity", float(row["humidity"]), "%"),
            ("p", "pressure", float(row["pressure"]), "hPa"),
        ):
            found = {"time": int(row["time_stamp"]), "sensor": f"{station}-{sensor}", "station": station, "kind": kind}
            lines.append({**found, "value": value, "unit": unit, "lat": 42.65, "lon": -73.75})
    return sorted(lines, key=lambda found: found["time"])


def accounted(city):
    """How many lines ended up in an hourly mean, as a dead letter, or under a doubt."""
    used = sum(data["readings"] for data in city.standing("env.pm25.updated").values())
    return used, len(city.dead) + len([e for e in city.events if ".dlq." in e.type])


def plain_nowcast(hours):
    """An oracle in plain floats, written from the formula."""
    if sum(h is not None for h in hours[:3]) < 2:
        return None
    there = [h for h in hours if h is not None]
    w = max(min(there) / max(there), 0.5) if max(there) else 1.0
    if w > 0.5:
        pairs = [(w**i, h) for i, h in enumerate(hours) if h is not None]
        return sum(a * b for a, b in pairs) / sum(a for a, _ in pairs)
    return sum(0.5 ** (i + 1) * h for i, h in enumerate(hours) if h is not None)


@pytest.mark.parametrize("name", sorted(p.name for p in DATA.glob("purpleair*.csv")) if DATA.is_dir() else [])
def test_two_channels_make_one_station(tmp_path, name):
    lines = purpleair(DATA / name)
    city = run_lines(tmp_path, [json.dumps(found) for found in lines])
    dust = [found for found in lines if found["kind"] == "pm25"]
    used, dead = accounted(city)
    flagged = [e for e in city.of("env.quality.opened") if e.data["kind"] == "pm25"]
    assert dead == 0
    assert used + len(flagged) == len(dust)

    by_hour = {}
    for found in dust:
        by_hour.setdefault(found["time"] // 3600, []).append(found["value"])
    means = {hour: math.fsum(values) / len(values) for hour, values in by_hour.items()}
    told = {parse_instant(data["at"]) // 3_600_000_000_000: data for (_, period, _), data in city.standing().items()
            if period == "hour"}  # fmt: skip
    expected = {}
    for hour in range(min(means), max(means) + 1):
        level = plain_nowcast([means.get(hour - i) for i in range(12)])
        if level is not None:
            expected[hour] = level
    assert set(told) == set(expected)
    if not flagged:
        for hour, level in expected.items():
            assert told[hour]["levels"]["pm25"] == pytest.approx(level, abs=6e-4)


@pytest.mark.parametrize("name", sorted(p.name for p in DATA.glob("aqi*.csv")) if DATA.is_dir() else [])
def test_an_index_is_no_concentration(tmp_path, name):
    rows = list(csv.DictReader((DATA / name).open()))
    lines = []
    for row in rows:
        station = row["city"]
        found = {"time": row["timestamp"], "station": station}
        wind, humidity = float(row["wind_speed"].split()[0]), float(row["humidity"].rstrip("%"))
        lines.append({**found, "sensor": f"{station}-aqi", "kind": "aqi", "value": float(row["aqi"]), "unit": "index"})
        lines.append({**found, "sensor": f"{station}-w", "kind": "wind_speed", "value": wind, "unit": "km/h"})
        lines.append({**found, "sensor": f"{station}-h", "kind": "humidity", "value": humidity, "unit": "%"})
    city = run_lines(tmp_path, [json.dumps(found, ensure_ascii=False) for found in lines])
    assert [d.reason for d in city.dead] == ["unknown_kind"] * len(rows)
    assert city.of("air.aqi.updated") == []
    for kind in ("wind_speed", "humidity"):
        assert sum(data["readings"] for data in city.standing(f"env.{kind}.updated").values()) == len(rows)


def test_raw_csv_lines_are_dead_letters_each(tmp_path):
    text = (DATA / "aqi_hanoi_2026_jan.csv").read_text().splitlines()
    city = run_lines(tmp_path, text)
    assert len(city.dead) == len(text) == 744
    assert {d.reason for d in city.dead} <= {"broken_json", "bad_field"}
