"""A small city in files: tracks, signals, gauges, reports, duty roster, approvals: every kind of side of a join."""

import json
import random
from datetime import UTC, datetime, timedelta

START = datetime(2026, 9, 20, 23, tzinfo=UTC)
HOURS = 1
SITE = """
[site]
id = "city"
province = "19"
ward = "05443"
[[junction]]
id = "j1"
position = { lat = 21.61, lon = 105.84 }
[[junction.signal]]
id = "S"
[[junction]]
id = "j2"
position = { lat = 21.615, lon = 105.84 }
[[signal_feed]]
junction = "j1"
url = "file:signals.ndjson"
[[camera]]
id = "cam-1"
junction = "j1"
url = "tracks:cam-1.ndjson"
[[camera.lane]]
id = "S0"
polygon = [[0.3, 0.9], [0.5, 0.9], [0.5, 0.1], [0.3, 0.1]]
direction = [0.0, -1.0]
signal = "S"
allowed = ["truck", "car"]
[[camera.line]]
id = "N"
kind = "stop"
points = [[0.3, 0.5], [0.5, 0.5]]
[[camera.rule]]
kind = "red_light"
line = "N"
[[camera.rule]]
kind = "wrong_lane"
[[camera]]
id = "cam-2"
junction = "j2"
url = "tracks:cam-2.ndjson"
[[camera.lane]]
id = "S0"
polygon = [[0.3, 0.9], [0.5, 0.9], [0.5, 0.1], [0.3, 0.1]]
direction = [0.0, -1.0]
[[camera.line]]
id = "N"
kind = "count"
points = [[0.3, 0.5], [0.5, 0.5]]
[[sensor_feed]]
url = "file:sensors.ndjson"
[[report_feed]]
url = "file:reports.ndjson"
[[condition_feed]]
url = "file:duty.ndjson"
[[approval_feed]]
url = "file:approvals.ndjson"
[[media_feed]]
url = "file:media.ndjson"
[[indicator_feed]]
url = "file:indicators.ndjson"
[[road]]
start = "j1"
end = "j2"
travel_s = 40
approach = ["cam-2/S0"]
feeder = ["cam-1/S0"]
[[gateway]]
id = "north"
camera = "cam-2"
line = "N"
[[gauge]]
station = "wl"
alarm_m = 1.0
junctions = ["j1"]
[[network]]
id = "sw-1"
stations = ["a", "b"]
"""


def at(seconds):
    return (START + timedelta(seconds=seconds)).isoformat()


def tracks(rng, stop=None):
    """A vehicle every few seconds, through in eight; within ``stop`` they come to stand before the line."""
    number, t = 0, 0.0
    rows = []
    while t < HOURS * 3600 - 30:
        number += 1
        standing = stop is not None and stop[0] <= t < stop[1]
        last = 40 if standing else 8
        for k in range(last * 3):
            s = k / 3
            y = max(0.55, 0.95 - 0.1 * s) if standing else 0.95 - 0.1 * s
            if y < 0.05:
                break
            x = 0.4 + 0.01 * (number % 5)
            rows.append((t + s, number, x, y))
        t += rng.randrange(18, 42) / 3  # on the frames of a camera that takes three a second
    for when, number, x, y in sorted(rows):
        yield {
            "time": round(START.timestamp() + when, 3),
            "run": 0,
            "track": number,
            "class": "truck" if number % 7 == 0 else "motorcycle",
            "score": 0.9,
            "box": [round(x - 0.02, 4), round(y - 0.08, 4), round(x + 0.02, 4), round(y, 4)],
        }


def write_city(folder):
    rng = random.Random(5)

    def write(name, lines):
        (folder / name).write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))

    (folder / "site.toml").write_text(SITE)
    write("cam-1.ndjson", tracks(rng))
    write("cam-2.ndjson", tracks(rng, stop=(1500, 2400)))
    states = [(t, "green" if i % 2 else "red") for i, t in enumerate(range(0, HOURS * 3600, 45))]
    write("signals.ndjson", [{"time": at(t), "signal": "S", "state": s} for t, s in states])
    here = {"lat": 21.6101, "lon": 105.8401, "status": "measuring"}
    readings = []
    for i, t in enumerate(range(0, HOURS * 3600, 60)):
        level = 1.3 if 900 <= t < 2700 else 0.4
        readings.append(
            {
                "time": at(t),
                "sensor": "wl-1",
                "station": "wl",
                "kind": "water_level",
                "value": level,
                "unit": "m",
                **here,
            }
        )
        for station in ("a", "b"):
            if not 1200 < t < 2700:
                value = {"value": 30 + i % 3, "unit": "µg/m³"}
                readings.append(
                    {"time": at(t + 1), "sensor": station, "station": station, "kind": "pm25", **value, **here}
                )
    write("sensors.ndjson", readings)
    place = {"lat": 21.6102, "lon": 105.8402}
    flood = {"service_code": "flood", "description": "Đường ngập sâu", **place}
    write(
        "reports.ndjson",
        [
            {"time": at(1000), "report": "r1", **flood, "status": "open"},
            {"time": at(1100), "report": "r2", **flood, "status": "open"},
            {"time": at(1300), "report": "r1", **flood, "status": "closed"},
            {
                "time": at(3000),
                "report": "r3",
                "service_code": "parking",
                "description": "đỗ xe",
                "lat": 21.9,
                "lon": 105.9,
            },
        ],
    )
    article = {"source": "press", "lang": "vi", "title": "Ngập sâu ở trung tâm", "text": "Nước ngập nhiều tuyến đường."}
    write(
        "media.ndjson",
        [{"time": at(t), "media": f"m{t}", "url": f"https://a.example/{t}", **article} for t in (1500, 1600)],
    )
    figure = {"indicator": "one_stop.overdue", "area": "05443", "unit": "case", "target": 5, "every_s": 600}
    write("indicators.ndjson", [{"time": at(t), "value": t / 300, **figure} for t in range(0, HOURS * 3600, 600)])
    duty = [(600, "j1"), (650, "j2"), (3000, "j1")]
    write(
        "duty.ndjson",
        [
            *({"time": at(t), "until": at(t + 60), "condition": "emergency_vehicle", "junction": j} for t, j in duty),
            {"time": at(2950), "condition": "permit", "junction": "j1", "lane": "S0", "source": "late roster"},
            {
                "time": at(3010),
                "meter": "m-1",
                "lane": "S0",
                "speed_kmh": 71.5,
                "certificate": "C-1",
                "valid_to": "2027-01-31",
            },
        ],
    )
    return folder / "site.toml"


def approve(folder, warnings):
    lines = [{"time": at(3300), "warning": name, "decision": "approve", "by": "Trực ban"} for name in warnings]
    lines.append({"time": at(3301), "warning": "unheard-of", "decision": "approve", "by": "Trực ban"})
    (folder / "approvals.ndjson").write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines))
