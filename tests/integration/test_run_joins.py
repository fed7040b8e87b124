"""`smartstream run` on a city whose streams meet: straight, on two processes, killed and resumed."""

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from smartstream.testing.running import command, lines_of, run

sys.path.insert(0, str(Path(__file__).parent))
from cap_facts import check_cap
from joined_city import approve, write_city


@pytest.fixture(scope="module")
def city(tmp_path_factory):
    folder = tmp_path_factory.mktemp("joined")
    site = write_city(folder)
    approve(folder, [])
    run(site, "--events", folder / "first")
    proposed = [e for e in map(json.loads, lines_of(folder / "first")) if ".warning." in e["type"]]
    assert [e["type"].split(".")[4] for e in proposed] == ["proposed"]
    approve(folder, [proposed[0]["data"]["warning"]])
    run(site, "--events", folder / "events")
    return site, lines_of(folder / "events")


def test_streams_meet(city):
    _, events = city
    told = [json.loads(event) for event in events]
    kinds = Counter(".".join(event["type"].split(".")[2:5]) for event in told)
    for kind in ("flood", "emergency_corridor", "network_outage", "report_evidence", "false_closing"):
        assert kinds[f"incident.{kind}.opened"] >= 1, kinds
    assert kinds["indicator.gateway_balance.updated"] == 12
    assert len(events) == len(set(events))
    findings = {e["data"]["key"]: e["data"]["finding"] for e in told if ".report_evidence.opened." in e["type"]}
    assert findings == {"r1": "corroborated", "r2": "corroborated", "r3": "no_coverage"}


def test_a_flood_lifts_the_rules_where_it_stands(city):
    _, events = city
    told = [json.loads(event) for event in events if ".wrong_lane." in event]
    flooded = [e for e in told if "23:18" <= e["time"][11:16] < "23:45" and e["type"].endswith("suppressed.v1")]
    assert len(flooded) > 50
    retracted = {e["data"]["retracts"] for e in told if ".retracted." in e["type"]}
    standing = [e for e in told if ".suspected." in e["type"] and e["id"] not in retracted]
    assert standing
    assert not [e for e in standing if "23:16" <= e["time"][11:16] < "23:45"]


def test_a_warning_is_published_when_a_person_has_said_so(city):
    _, events = city
    told = [json.loads(event) for event in events if ".warning." in event]
    assert sorted(e["type"].split(".")[4] for e in told) == ["approved", "proposed", "published"]
    cap = next(e["data"]["cap"] for e in told if ".published." in e["type"])
    check_cap(cap)
    name = "{urn:oasis:names:tc:emergency:cap:1.2}"
    circle = ET.fromstring(cap).find(f"{name}info/{name}area/{name}circle").text
    assert circle.startswith("21.6101")
    refused = [json.loads(event)["data"] for event in events if "unknown_warning" in event]
    assert [letter["place"] for letter in refused] == ["unheard-of"]


def test_what_was_recorded_replays_to_the_same(city, tmp_path):
    """Tracks, signals, readings, reports, figures, media, conditions and approvals: the whole run comes back."""
    site, events = city
    record = tmp_path / "record"
    run(site, "--record", record, "--events", tmp_path / "e")
    names = {
        "signals": "signals-j1-0",
        "sensors": "sensors-0",
        "reports": "reports-0",
        "duty": "conditions-j1-0",
        "approvals": "approvals-0",
        "media": "media-0",
        "indicators": "indicators-0",
    }
    text = site.read_text()
    for was, name in names.items():
        assert (record / f"{name}.ndjson").stat().st_size > 0, name
        text = text.replace(f'"file:{was}.ndjson"', f'"file:record/{name}.ndjson"')
    (tmp_path / "site.toml").write_text(text.replace('"tracks:', '"tracks:record/'))
    run(tmp_path / "site.toml", "--events", tmp_path / "again")
    assert lines_of(tmp_path / "e") == events
    assert lines_of(tmp_path / "again") == events


def test_two_processes_tell_the_same(city, tmp_path):
    site, events = city
    run(site, "--events", tmp_path / "e", "--processes", 2)
    assert lines_of(tmp_path / "e") == events


def test_killed_and_resumed(city, tmp_path):
    site, events = city
    more = ("--events", tmp_path / "e", "--recovery", tmp_path / "r")
    for share in (0.2, 0.6):
        child = subprocess.Popen(command(site, *more, "--speed", "600x"), stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while child.poll() is None and time.monotonic() < deadline:
            if (tmp_path / "e").exists() and (tmp_path / "e").read_bytes().count(b"\n") > share * len(events):
                break
            time.sleep(0.02)
        assert child.poll() is None, "it was to be killed on the way"
        child.kill()
        child.wait()
    run(site, *more)
    assert lines_of(tmp_path / "e") == events
