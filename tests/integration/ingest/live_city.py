"""A site whose feeds are live, beside the same lines in files: what a run must tell either way."""

import json
import random
import subprocess
from datetime import UTC, datetime, timedelta

from smartstream.testing.running import command, run

START = datetime(2026, 9, 20, 17, tzinfo=UTC)
HOURS = 12
SITE = """
[site]
id = "live"
province = "19"
[nats]
url = "{nats}"
[[sensor_feed]]
url = "{sensors}"
idle_after_s = 3600
[[report_feed]]
url = "{reports}"
idle_after_s = 3600
"""


def sensor_lines():
    rng = random.Random(5)
    for minute in range(0, HOURS * 60, 5):
        for kind in ("pm25", "no2"):
            at = START + timedelta(minutes=minute - rng.choice((0, 0, 3, 8)))
            yield json.dumps(
                {"time": at.isoformat(), "sensor": f"a-{kind}", "station": "a", "kind": kind, "unit": "µg/m³",
                 "value": round(40 + 30 * rng.random(), 1), "n": minute}
            )  # fmt: skip
        if minute % 120 == 0:
            yield '{"time": "broken'


def report_lines():
    rng = random.Random(6)
    for i in range(60):
        at = START + timedelta(minutes=i * HOURS)
        place = {"lat": 21.6 + rng.choice((0, 0.02)), "lon": 105.84}
        line = {"time": at.isoformat(), "report": f"r-{i}", "service_code": "flood", "description": f"ngập {i}"}
        yield json.dumps({**line, **place}, ensure_ascii=False)


def start(site, *more):
    return subprocess.Popen(command(site, *more, nats=True), stderr=(site.parent / "stderr").open("ab"))


def expected(folder):
    """Events of the same lines from files, without those that only the end of a file settles."""
    for name, lines in (("sensors", sensor_lines()), ("reports", report_lines())):
        (folder / f"{name}.ndjson").write_text("\n".join(lines) + "\n")
    text = SITE.format(nats="embedded", sensors="file:sensors.ndjson", reports="file:reports.ndjson")
    (folder / "files.toml").write_text(text)
    run(folder / "files.toml", "--events", folder / "files")
    found = {told(line) for line in (folder / "files").read_text().splitlines()}
    until = START + timedelta(hours=HOURS - 1)
    return {key for key in found if datetime.fromisoformat(key[1]) < until - timedelta(hours=1)}


def told(line):
    """What an event says, without where its line stood: a file counts lines, a stream messages."""
    event = json.loads(line)
    data = {k: v for k, v in event["data"].items() if k not in ("place", "line")}
    if ".dlq." in event["type"]:
        return event["type"], event["time"], json.dumps(data.get("payload"))
    return event["type"], event["time"], json.dumps(data, sort_keys=True, ensure_ascii=False)


def events(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def whole_lines(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def found_in(path):
    if not path.exists():
        return set()
    return {told(line) for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")}


def stop(process):
    process.terminate()
    assert process.wait(120) == 0
