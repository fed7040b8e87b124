"""Lines that go wrong in every way we know, for every feed of lines: a seed gives the same ones again."""

import json
import random

from smartstream.ingest.connectors import SCHEMAS

GOOD = {
    "signal_feed": {"time": 1_790_000_000, "signal": "S", "state": "red"},
    "sensor_feed": {
        "time": 1_790_000_000,
        "sensor": "s",
        "station": "q",
        "kind": "pm25",
        "value": 20.5,
        "unit": "µg/m³",
    },
    "report_feed": {
        "time": 1_790_000_000,
        "report": "r",
        "service_code": "flood",
        "description": "ngập",
        "lat": 21.6,
        "lon": 105.8,
    },
    "indicator_feed": {"time": 1_790_000_000, "indicator": "a.b", "area": "1", "value": 3, "unit": "x"},
    "media_feed": {"time": 1_790_000_000, "media": "m", "title": "Ngập", "text": "Đường ngập sâu."},
    "condition_feed": {"time": 1_790_000_000, "until": 1_790_000_600, "condition": "officer_control", "junction": "j"},
}
assert GOOD.keys() <= SCHEMAS.keys()
_VALUES = [
    None, True, "", " ", "x" * 300, "\u0000", "\ud83d\ude00", "NaN", -1, 0, 1e308, -1e308, 2**70, 3.5, [], {}, [[]],
    {"a": 1}, "2026-13-45T99:99:99Z", "2026-09-21T21:13:40", "9999-12-31T23:59:59Z", "đỏ", "red", "closed", "pm25",
    "ppb", "../..",
]  # fmt: skip


def _broken(rng, line):
    """Bytes that are no JSON any more, or not this JSON."""
    at = rng.randrange(len(line) + 1)
    return rng.choice((
        lambda: line[:at],
        lambda: line[:at] + bytes([rng.randrange(256)]) + line[at:],
        lambda: line.replace(b'"', b"'"),
        lambda: b"[" * rng.choice((3, 5000)) + line,
        lambda: bytes(rng.randrange(256) for _ in range(rng.randrange(1, 80))),
        lambda: line + line,
        lambda: line.decode().encode("utf-16"),
        lambda: b"NaN",
        lambda: line.replace(b":", b": 1e999,", 1),
        lambda: b'{"time": ' + b"9" * rng.choice((30, 400)) + b"}",
        lambda: b'"' + b"x" * 70_000 + b'"',
        lambda: b"\xef\xbb\xbf" + line,
    ))()  # fmt: skip


def malformed(feed, count, seed):
    """Lines of one feed; a few of them are still good, as luck will have it."""
    rng, good = random.Random(f"{feed} {seed}"), GOOD[feed]
    for i in range(count):
        fields = {**good, "time": good["time"] + i // 50}
        kind = rng.random()
        if kind < 0.1:
            line = json.dumps(fields, ensure_ascii=False).encode()
        elif kind < 0.5:
            for name in rng.sample([*good, "status", "record", "every_s"], rng.randint(1, 3)):
                fields[name] = rng.choice(_VALUES)
            line = json.dumps(fields, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
        elif kind < 0.6:
            for name in rng.sample(list(good), rng.randint(1, len(good))):
                del fields[name]
            line = json.dumps(fields).encode()
        else:
            line = _broken(rng, json.dumps(fields, ensure_ascii=False).encode())
        line = line.replace(b"\n", b" ").replace(b"\r", b" ")
        yield line if line.strip() else b"{}"
