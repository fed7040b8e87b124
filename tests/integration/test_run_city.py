"""`smartstream run` on a site of stations and reports alone: straight, killed, spread over processes, replayed."""

import json
import random
import subprocess
import time
from datetime import UTC, datetime, timedelta

import pytest

from smartstream.testing.running import command, lines_of, run, written

START = datetime(2026, 9, 20, 17, tzinfo=UTC)
SITE = """
[site]
id = "city"
province = "19"
ward = "05443"
wards = "wards.geojson"
[[sensor_feed]]
url = "file:sensors.ndjson"
[[sensor_feed]]
url = "file:TN_KK9.txt"
[[report_feed]]
url = "file:reports.ndjson"
"""
WARD = {
    "type": "Feature",
    "properties": {"code": "05443", "fullName": "Phường Phan Đình Phùng"},
    "geometry": {"type": "Polygon", "coordinates": [[[105, 21], [106, 21], [106, 22], [105, 22], [105, 21]]]},
}


def sensor_lines(rng):
    for minute in range(0, 30 * 60, 5):
        for station in ("a", "b"):
            for kind in ("pm25", "no2"):
                late = rng.choice((0, 0, 4, 9)) if rng.random() < 0.99 else 200
                found = {
                    "time": (START + timedelta(minutes=minute)).isoformat(),
                    "sensor": f"{station}-{kind}",
                    "station": station,
                    "kind": kind,
                    "value": round(40 + 30 * rng.random(), 1),
                    "unit": "µg/m³",
                    "status": "measuring",
                }
                yield minute + late, json.dumps(found)
        if minute % 300 == 0:
            yield minute, '{"time": "broken'


def report_lines(rng):
    for i in range(120):
        minute = rng.uniform(0, 29 * 60)
        found = {
            "time": (START + timedelta(minutes=minute)).isoformat(),
            "report": f"r-{i}",
            "service_code": rng.choice(("flood", "pothole", "noise")),
            "description": "ngập sâu quá",
            "lat": 21.6 + rng.choice((0, 0.02)) + rng.gauss(0, 0.0003),
            "lon": 105.84,
        }
        yield minute, json.dumps(found, ensure_ascii=False)
        if i % 3 == 0:
            minute += rng.uniform(10, 400)
            yield (
                minute,
                json.dumps(
                    {"time": (START + timedelta(minutes=minute)).isoformat(), "report": f"r-{i}", "status": "closed"}
                ),
            )


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    folder = tmp_path_factory.mktemp("city")
    rng = random.Random(3)
    (folder / "site.toml").write_text(SITE)
    (folder / "wards.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": [WARD]}))
    for name, lines in (("sensors", sensor_lines(rng)), ("reports", report_lines(rng))):
        text = [line for _, line in sorted(lines)]
        (folder / f"{name}.ndjson").write_text("\n".join(text) + "\n")
    local = [START + timedelta(minutes=m, hours=7) for m in range(0, 30 * 60, 15)]
    (folder / "TN_KK9.txt").write_text(
        "".join(f"PM2.5\t{20 + i % 9}\tug/m3\t{at:%Y%m%d%H%M%S}\t0{i % 40 == 7:d}\n" for i, at in enumerate(local))
    )
    events = folder / "events"
    run(folder / "site.toml", "--events", events)
    return folder / "site.toml", lines_of(events)


def test_everything_is_told(city):
    _, events = city
    told = [json.loads(event) for event in events]
    kinds = {".".join(event["type"].split(".")[2:5]) for event in told}
    assert kinds >= {
        "air.aqi.updated",
        "env.pm25.updated",
        "env.quality.opened",
        "report.received.observed",
        "report.cluster.opened",
        "report.cluster.closed",
        "report.sla.opened",
        "report.sla.closed",
        "dlq.ingest.observed",
    }
    indexes = [event["data"] for event in told if "aqi" in event["type"]]
    assert {data["station"] for data in indexes} == {"a", "b", "TN_KK9"}
    assert {data["period"] for data in indexes} == {"hour", "day"}
    assert any(data["revision"] for data in indexes)
    assert len(events) == len(set(events))
    wards = {event["data"]["ward"]["code"] for event in told if ".received." in event["type"]}
    assert wards == {"05443"}


def test_two_processes_tell_the_same(city, tmp_path):
    site, events = city
    run(site, "--events", tmp_path / "e", "--processes", 2)
    assert lines_of(tmp_path / "e") == events


@pytest.mark.parametrize("processes", [1, 2])
def test_killed_three_times_and_resumed(city, tmp_path, processes):
    site, events = city
    more = ("--events", tmp_path / "e", "--recovery", tmp_path / "r", "--processes", processes)
    for share in (0.15, 0.4, 0.65):
        child = subprocess.Popen(command(site, *more, "--speed", "8000x"), stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while child.poll() is None and written(tmp_path / "e") < share * len(events) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert child.poll() is None, "it was to be killed on the way"
        child.kill()
        child.wait()
    run(site, *more)
    assert lines_of(tmp_path / "e") == events


def test_what_was_recorded_replays_to_the_same(city, tmp_path):
    site, events = city
    run(site, "--record", tmp_path / "record", "--events", tmp_path / "e")
    assert lines_of(tmp_path / "e") == events
    text = SITE.replace("file:sensors.ndjson", "file:record/sensors-0.ndjson")
    text = text.replace("file:TN_KK9.txt", "file:record/sensors-1.ndjson")
    text = text.replace("file:reports.ndjson", "file:record/reports-0.ndjson")
    (tmp_path / "site.toml").write_text(text)
    (tmp_path / "wards.geojson").write_bytes((site.parent / "wards.geojson").read_bytes())
    run(tmp_path / "site.toml", "--events", tmp_path / "again")
    usable = [event for event in events if ".dlq." not in event]
    assert [event for event in lines_of(tmp_path / "again") if ".dlq." not in event] == usable
