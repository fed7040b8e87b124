"""Instants of foreign lines: what the engines' 63 bits of nanoseconds cannot hold is refused where it is read."""

import json
from datetime import UTC, datetime

import pytest
from malformed import GOOD
from test_malformed_lines import opened

from smartstream.model.items import Conditions, DeadLetter
from smartstream.model.time import MAX_NS, NS, parse_end, parse_instant
from smartstream.testing.feeds import read_all


@pytest.mark.parametrize(
    "text", ["2200-01-01T00:00:00Z", "9999-12-31T23:59:59Z", 7_258_118_400, 2e11, 1e300, -1, "1969-12-31T23:59:59Z"]
)
def test_no_event_is_so_late_or_so_early(text):
    with pytest.raises(ValueError, match="expected"):
        parse_instant(text)


def test_small_letters_are_rfc_3339_too():
    assert parse_instant("2026-09-21t14:13:20.5z") == parse_instant("2026-09-21T21:13:20.5+07:00")


def test_the_last_instant_and_an_end_beyond_it():
    last = datetime(2199, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert parse_instant(last.isoformat()) == int(last.timestamp()) * NS
    assert parse_end(last.isoformat()) == int(last.timestamp()) * NS
    assert parse_end("9999-12-31T23:59:59Z") == MAX_NS
    with pytest.raises(ValueError, match="expected"):
        parse_end("1969-12-31T23:59:59Z")


@pytest.mark.parametrize("feed", GOOD)
def test_a_feed_of_another_age_is_dead_letters(feed, tmp_path):
    """One line alone has nobody to contradict it: it used to end the run with a traceback."""
    path = tmp_path / "f.ndjson"
    path.write_text("".join(json.dumps(GOOD[feed] | {"time": 200_000_000_000 + i}) + "\n" for i in range(3)))
    lines = opened(feed, path)
    dead = [item.reason for item in read_all(lines) if isinstance(item, DeadLetter)]
    lines.close()
    assert dead == ["bad_time"] * 3


def test_a_permit_may_hold_for_ever(tmp_path):
    path = tmp_path / "f.ndjson"
    path.write_text(json.dumps(GOOD["condition_feed"] | {"until": "9999-12-31T23:59:59Z"}) + "\n")
    lines = opened("condition_feed", path)
    facts = [fact for item in lines.read() if isinstance(item, Conditions) for fact in item.facts]
    assert [fact.until_ns for fact in facts] == [MAX_NS]
