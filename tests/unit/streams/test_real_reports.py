"""Real reports of New York and Chicago through the file feed: all in, none twice, clusters listed."""

import csv
import json
from pathlib import Path

import pytest
from report_lines import as_set, open_feed, run

from smartstream.errors import InvalidInputError

DATA = Path(__file__).parents[3] / "../shared/data/citizen"
NYC, CHICAGO = DATA / "nyc_311.csv", DATA / "chicago_open311.json"


@pytest.fixture
def nyc():
    if not NYC.is_file():
        pytest.skip("needs ../shared/data/citizen beside the checkout")
    return run(NYC, timezone="America/New_York")


@pytest.mark.shared
def test_new_york_all_in_and_none_twice(nyc):
    rows = list(csv.DictReader(NYC.open(newline="")))
    received = nyc.of("received.observed")
    first = [e for e in received if e.data["revision"] == 0]
    assert [e.data["report"] for e in sorted(first, key=lambda e: (e.time, e.data["report"]))] == [
        row["unique_key"] for row in sorted(rows, key=lambda row: (row["created_date"], row["unique_key"]))
    ]
    assert nyc.reasons() == []
    assert sum(e.data["position"] is None for e in first) == sum(not row["latitude"] for row in rows) == 20
    closed = {e.data["report"] for e in received if e.data["status"] == "closed"}
    assert closed == {row["unique_key"] for row in rows if row["status"] == "Closed"}
    assert first[0].time == "2024-04-16T03:15:56.000Z"  # a quarter past eleven at night in New York


@pytest.mark.shared
def test_new_york_s_clusters(nyc):
    """Cut wherever one turn ends, and by hand: two complaints of one kind at one address within hours are one."""
    rows = {row["unique_key"]: row for row in csv.DictReader(NYC.open(newline=""))}
    closed = nyc.of("cluster.closed")
    assert len(closed) == len(nyc.of("cluster.opened")) > 20
    for event in closed:
        members = [rows[name] for name in event.data["members"]]
        lats = [float(m["latitude"]) for m in members if m["latitude"]]
        assert max(lats, default=0) - min(lats, default=0) < 300 / 111_195
    together = {name: event.data["cluster"] for event in closed for name in event.data["members"]}
    assert len(together) == sum(len(event.data["members"]) for event in closed)  # nobody is in two
    assert as_set(run(NYC, cut=True, timezone="America/New_York")) == as_set(nyc)


@pytest.mark.shared
def test_chicago_all_in():
    if not CHICAGO.is_file():
        pytest.skip("needs ../shared/data/citizen beside the checkout")
    town = run(CHICAGO, timezone="America/Chicago")
    records = json.loads(CHICAGO.read_text())
    received = town.of("received.observed")
    assert sorted(e.data["report"] for e in received if e.data["revision"] == 0) == sorted(
        record["service_request_id"] for record in records
    )
    assert len({e.data["report"] for e in received if e.data["status"] == "closed"}) == 32
    assert town.reasons() == []
    assert {e.data["category"] for e in received} >= {"construction", "road", "traffic_light", "street_light"}


def test_a_table_with_broken_records(tmp_path):
    path = tmp_path / "r.json"
    good = {"service_request_id": "1", "requested_datetime": "2026-09-21T08:00:00+07:00", "status": "open"}
    path.write_text(
        json.dumps([good, 5, {**good, "service_request_id": "2", "lat": "x"}, {**good, "requested_datetime": None}])
    )
    town = run(path)
    assert [e.data["report"] for e in town.of("received.observed")] == ["1"]
    assert sorted((d.place, d.reason) for d in town.dead) == [
        ("line 2", "bad_field"),
        ("line 3", "bad_field"),
        ("line 4", "bad_field"),
    ]
    path = tmp_path / "r.csv"
    path.write_text(
        'unique_key,created_date,complaint_type,status,latitude\n1,2024-01-01T00:00:00,"a\nb",Open,\n2,2024-01-01,x,Open,east\n3\n'
    )
    town = run(path)
    assert [e.data["service_code"] for e in town.of("received.observed")] == ["a b"]
    assert sorted((d.place, d.reason) for d in town.dead) == [("line 2", "bad_field"), ("line 3", "bad_field")]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("r.json", "{", "expected JSON"),
        ("r.json", "{}", "expected an array"),
        ("r.csv", "a,b\n1,2\n", "missing: complaint_type, created_date, status, unique_key"),
    ],
)
def test_no_table_is_refused(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(InvalidInputError, match=message):
        open_feed(path)
