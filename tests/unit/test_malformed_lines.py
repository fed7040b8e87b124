"""Malformed lines of every kind: each is a value or a dead letter with a reason, each counted, none raises.

``./dev test tests/unit/test_malformed_lines.py -m slow`` takes a million.
"""

import json
from collections import Counter
from datetime import UTC

import pytest
from malformed import GOOD, malformed

from smartstream.ingest.condition_lines import ConditionLines
from smartstream.ingest.indicator_lines import IndicatorLines
from smartstream.ingest.lines import file_source
from smartstream.ingest.media_lines import MediaLines
from smartstream.ingest.report_lines import ReportLines
from smartstream.ingest.roster import with_roster
from smartstream.ingest.sensor_lines import SensorLines
from smartstream.ingest.signal_lines import SignalLines
from smartstream.model.items import Conditions, DeadLetter, Figures, MediaItems, Readings, Reports, Signals
from smartstream.model.time import NS

VALUES = {
    Signals: "changes",
    Readings: "lines",
    Reports: "lines",
    Figures: "lines",
    MediaItems: "lines",
    Conditions: "facts",
}


def opened(feed, path):
    source = file_source(feed, path, lateness_ns=600 * NS)
    j = frozenset({"j"})
    return {
        "signal_feed": lambda: SignalLines(source, groups=frozenset({"S"})),
        "sensor_feed": lambda: SensorLines(source),
        "report_feed": lambda: ReportLines(source, site="s"),
        "indicator_feed": lambda: IndicatorLines(source),
        "media_feed": lambda: MediaLines(source),
        "condition_feed": lambda: ConditionLines(
            with_roster(source, path),
            junction="j",
            junctions=j,
            cameras={"c": "j"},
            lanes={"c": j},
            metered=j,
            timezone=UTC,
            speaks=True,
        ),
    }[feed]()


OPTIONAL = {
    "sensor_feed": ("station", "status", "lat", "lon"),
    "report_feed": ("service_code", "description", "lat", "lon", "address_string", "media_url", "status", "account_id"),
    "indicator_feed": ("target", "every_s", "counted"),
    "media_feed": ("source", "url", "lang", "text"),
    "condition_feed": ("until", "junction", "camera", "lane", "source"),
}


@pytest.mark.parametrize(("feed", "field"), [(feed, field) for feed, fields in OPTIONAL.items() for field in fields])
def test_null_is_what_many_write_for_absent(feed, field, tmp_path):
    """An officer of whom no source is known was a dead letter, and whoever he waved through accused."""
    said = []
    for line in ({**GOOD[feed], field: None}, {k: v for k, v in GOOD[feed].items() if k != field}):
        path = tmp_path / "f.ndjson"
        path.write_text(json.dumps(line) + "\n")
        said.append(opened(feed, path).read())
        assert not [item.detail for item in said[-1] if isinstance(item, DeadLetter)]
    assert said[0] == said[1]


def account(folder, feed, count, seed):
    path = folder / f"{feed}.ndjson"
    path.write_bytes(b"".join(line + b"\n" for line in malformed(feed, count, seed)))
    lines, values, reasons = opened(feed, path), 0, Counter()
    while not lines.ended:
        for item in lines.read():
            if isinstance(item, DeadLetter):
                assert item.reason
                assert item.place.startswith("line ")
                reasons[item.reason] += 1
            elif type(item) in VALUES:
                found = getattr(item, VALUES[type(item)])
                # Late lines of signals are heard, too: they are dead letters, and no values besides.
                values += sum(getattr(value, "known_ns", None) is None for value in found)
    lines.close()
    path.unlink()
    assert lines.counts["lines"] == count == values + reasons.total()
    assert lines.counts["dead"] == reasons.total()
    return values, reasons


@pytest.mark.parametrize("feed", GOOD)
def test_every_malformed_line_is_accounted_for(tmp_path, feed):
    values, reasons = account(tmp_path, feed, 3_400, seed=1)
    assert values > 50
    assert reasons.keys() >= {"broken_json", "bad_field", "bad_time", "too_long"}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_million_malformed_lines(tmp_path):
    for feed in GOOD:
        for part in range(10):
            account(tmp_path, feed, 16_667, seed=part)
