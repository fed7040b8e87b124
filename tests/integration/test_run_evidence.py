"""`smartstream run` with an evidence store: a package per suspicion, whatever is killed, whatever the disk takes."""

from __future__ import annotations

import json
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("cryptography", reason="needs the extra evidence")

import smartstream.demo
from smartstream.evidence import cases
from smartstream.evidence.keys import Signer
from smartstream.evidence.verify import verify
from smartstream.testing.running import command, run
from smartstream.testing.street import write_street

CLIP = Path(smartstream.demo.__file__).parent / "clip"


@pytest.fixture
def street(tmp_path):
    site = write_street(tmp_path, seconds=60.0, seed=5)
    site.write_text(site.read_text() + '\n[evidence]\ndir = "ev"\nkey = "key.pem"\n')
    Signer.load(tmp_path / "key.pem", create=True)
    return site


def events_of(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_killed_and_resumed_it_is_the_same_store(street, tmp_path):
    run(street, "--events", tmp_path / "straight")
    straight = events_of(tmp_path / "straight")
    packages = {e["data"]["evidence_id"]: e["data"] for e in straight if e["type"].endswith(".evidence.v1")}
    suspected = {e["data"]["evidence_id"] for e in straight if e["type"].endswith(".suspected.v1")}
    assert packages.keys() == suspected != set()
    assert all(p["missing"] and 0 < p["completeness"] < 1 for p in packages.values()), "tracks have no pictures"
    assert verify(tmp_path / "ev") == (len(packages), [])

    (tmp_path / "ev").rename(tmp_path / "ev-straight")
    more = ("--events", tmp_path / "e", "--recovery", tmp_path / "r")
    for _ in range(2):
        child = subprocess.Popen(command(street, *more, "--speed", "10x"), stderr=subprocess.DEVNULL)
        seen = len(list(tmp_path.glob("ev/packages/*/*")))
        deadline = time.monotonic() + 60
        while len(list(tmp_path.glob("ev/packages/*/*"))) <= seen and time.monotonic() < deadline:
            time.sleep(0.02)
        child.kill()
        child.wait()
    run(street, *more)
    assert sorted(map(str, events_of(tmp_path / "e"))) == sorted(map(str, straight))
    assert verify(tmp_path / "ev") == (len(packages), [])
    for manifest in tmp_path.glob("ev-straight/packages/*/*/manifest.json"):
        assert (tmp_path / "ev" / manifest.relative_to(tmp_path / "ev-straight")).read_bytes() == manifest.read_bytes()


@pytest.mark.parametrize("story", ["stuck_red", "late_green"])
def test_what_the_run_took_back_no_officer_confirms(story, tmp_path):
    """The light was stuck, or its feed had hung: only the broker knew that nobody was accused any more."""
    for file in (Path(__file__).parents[1] / "golden" / story).iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    site = tmp_path / "site.toml"
    site.write_text(site.read_text() + '\n[evidence]\ndir = "ev"\n')
    run(site, "--events", tmp_path / "e")
    events = events_of(tmp_path / "e")
    gone = {e["data"]["evidence_id"] for e in events if e["type"].endswith(".retracted.v1")}
    every, wrong = cases.cases(tmp_path / "ev")
    assert gone
    assert wrong == []
    assert {one.manifest["evidence_id"] for one in every if one.state == "retracted"} == gone
    assert {e["data"]["evidence_id"] for e in events if e["type"].endswith(".suspected.v1")} >= gone
    line = [sys.executable, "-m", "smartstream", "review", "confirm", str(tmp_path / "ev"), min(gone)]
    done = subprocess.run([*line, "--officer", "A", "--reason", "x"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "found it retracted" in done.stderr
    assert verify(tmp_path / "ev") == (len(every), [])


def test_a_full_disk_loses_no_event(street, tmp_path):
    def full():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))  # the summary fits, a package does not

    line = command(street, "--events", "-")
    done = subprocess.run(line, capture_output=True, preexec_fn=full, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    events = [json.loads(line) for line in done.stdout.splitlines()]
    told = [e["data"] for e in events if e["type"].endswith(".evidence.v1")]
    assert {d["evidence_id"] for d in told} == {
        e["data"]["evidence_id"] for e in events if e["type"].endswith(".suspected.v1")
    }
    refused = [d for d in told if "why" in d]
    assert refused
    assert all(d["complete"] is False and d["why"] == "disk_full" and d["hash"] is None for d in refused)
    written = {path.name for path in tmp_path.glob("ev/packages/*/*")}
    assert written == {d["evidence_id"] for d in told} - {d["evidence_id"] for d in refused}
    assert {f.what for f in verify(tmp_path / "ev")[1]} <= {"unlinked"}, "the chain, too, may not have found room"


def test_every_process_has_the_pictures(tmp_path):
    """Two junctions over two processes: one is judged where its camera is not read; and the store is new."""
    for name in ("scene.mp4", "signals.ndjson"):
        (tmp_path / name).write_bytes((CLIP / name).read_bytes())
    head, junction = (CLIP / "site.toml").read_text().split("[[junction]]", 1)
    both = [f"[[junction]]{junction}".replace('"j1"', f'"j{i}"').replace('"cam-s"', f'"cam-{i}"') for i in range(2)]
    site = tmp_path / "site.toml"
    site.write_text(f'{head}[evidence]\ndir = "ev"\n' + "\n".join(both))
    line = command(site, "--events", tmp_path / "e", "--processes", 2)
    done = subprocess.run(line, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    told = [e["data"] for e in events_of(tmp_path / "e") if e["type"].endswith(".evidence.v1")]
    suspected = [e["data"] for e in events_of(tmp_path / "e") if e["type"].endswith(".suspected.v1")]
    assert {d["evidence_id"] for d in told} == {d["evidence_id"] for d in suspected}
    assert {d["camera"] for d in told} == {"cam-0", "cam-1"}
    assert all(d["completeness"] == 1 and not d["missing"] for d in told), told
    assert verify(tmp_path / "ev") == (len(told), [])
