"""`smartstream run` as a user starts it: straight, stopped, killed, spread over processes - the same events."""

import json
import os
import random
import signal
import subprocess
import time

import pytest

from smartstream.testing.running import command, lines_of, run, written
from smartstream.testing.street import write_street

SECONDS = 60.0


@pytest.fixture(scope="module")
def street(tmp_path_factory):
    folder = tmp_path_factory.mktemp("street")
    site = write_street(folder, seconds=SECONDS, seed=5)
    run(site, "--events", folder / "events.ndjson", "--summary", folder / "summary.json")
    return site, lines_of(folder / "events.ndjson"), json.loads((folder / "summary.json").read_text())


def test_the_street_has_something_to_say(street):
    _, events, summary = street
    kinds = {json.loads(line)["type"] for line in events}
    assert "vn.ioc.traffic.crossing.observed.v1" in kinds
    assert "vn.ioc.violation.red_light.suspected.v1" in kinds
    assert "vn.ioc.violation.wrong_way.suspected.v1" in kinds
    assert summary["complete"]
    for rule in summary["rules"].values():
        assert rule["candidates"] == rule["suspected"] + rule["undecided"] + rule["suppressed"] + rule["estimated"]
    assert len({json.loads(line)["id"] for line in events}) == len(events)


@pytest.mark.parametrize("more", [(), ("--processes", 2), ("--workers", 2), ("--processes", 3)])
def test_the_same_events_whatever_the_number_of_workers(street, tmp_path, more):
    site, events, summary = street
    run(site, "--events", tmp_path / "e", "--summary", tmp_path / "s", *more)
    assert lines_of(tmp_path / "e") == events
    assert json.loads((tmp_path / "s").read_text()) == summary


@pytest.mark.parametrize("processes", [1, 2])
def test_killed_three_times_and_resumed(street, tmp_path, processes):
    site, events, summary = street
    more = ("--events", tmp_path / "e", "--summary", tmp_path / "s", "--recovery", tmp_path / "r")
    rng = random.Random(processes)
    for _ in range(3):
        child = subprocess.Popen(
            command(site, *more, "--speed", "8x", "--processes", processes), stderr=subprocess.DEVNULL
        )
        time.sleep(rng.uniform(1.5, 3.0))
        child.kill()
        child.wait()
    run(site, *more, "--processes", processes)
    assert lines_of(tmp_path / "e") == events
    assert json.loads((tmp_path / "s").read_text()) == summary
    run(site, *more)  # a finished run has nothing to add
    assert lines_of(tmp_path / "e") == events


@pytest.mark.parametrize(("number", "processes"), [(signal.SIGTERM, 1), (signal.SIGINT, 1), (signal.SIGTERM, 2)])
def test_a_stop_drains_and_the_rest_comes_later(street, tmp_path, number, processes):
    site, events, summary = street
    more = ("--events", tmp_path / "e", "--summary", tmp_path / "s", "--recovery", tmp_path / "r")
    child = subprocess.Popen(command(site, *more, "--speed", "4x", "--processes", processes), start_new_session=True)
    while written(tmp_path / "e") < 5:
        time.sleep(0.05)
    os.kill(child.pid, number)
    assert child.wait(timeout=120) == 0
    so_far = lines_of(tmp_path / "e")
    assert set(so_far) < set(events)
    assert not json.loads((tmp_path / "s").read_text())["complete"]
    run(site, *more)
    assert lines_of(tmp_path / "e") == events
    assert json.loads((tmp_path / "s").read_text()) == summary


def test_a_recorded_run_replays_to_the_same_events(street, tmp_path):
    site, events, _ = street
    run(site, "--record", tmp_path / "record", "--events", tmp_path / "e")
    again = tmp_path / "site.toml"
    text = site.read_text().replace("file:signals.ndjson", f"file:{tmp_path}/record/signals-j1-0.ndjson")
    again.write_text(text.replace("tracks:tracks.ndjson", f"tracks:{tmp_path}/record/cam.ndjson"))
    run(again, "--events", tmp_path / "again")
    assert lines_of(tmp_path / "again") == events


def test_a_changed_site_file_is_refused_on_resume(street, tmp_path):
    site, _, _ = street
    copy = tmp_path / "site.toml"
    folder = site.parent
    text = site.read_text().replace("signals.ndjson", f"{folder}/signals.ndjson")
    text = text.replace("tracks:tracks", f"tracks:{folder}/tracks")
    copy.write_text(text)
    run(copy, "--recovery", tmp_path / "r")
    copy.write_text(text.replace("Thử Nghiệm", "Khác"))
    refused = subprocess.run(
        command(copy, "--recovery", tmp_path / "r"), capture_output=True, text=True, timeout=60, check=False
    )
    assert refused.returncode == 2
    assert "site file has changed" in refused.stderr
    assert "Traceback" not in refused.stderr
