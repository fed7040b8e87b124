"""A camera that is covered, blurred or pushed aside: found from its pictures, told, and held against nobody."""

import json
import shutil
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from pipelines.junction_facts import JunctionFacts
from smartstream import _core
from smartstream.model.items import Health
from smartstream.model.time import NS
from smartstream.streams.joins.camera_watch import CameraGeometry
from smartstream.testing.golden import play

CLIP = Path(__file__).parents[2] / "smartstream/demo/clip"
T0 = 1_790_000_000.0
BEGIN, END = 25, 45
ON = f"enable='between(t,{BEGIN},{END})'"
FAULTS = {
    "covered": f"drawbox=c=black:t=fill:{ON}",
    "blurred": f"gblur=sigma=8:{ON}",
    "moved": f"split[a][b];[b]crop=iw-16:ih-8:16:8,pad=iw+16:ih+8:0:0[c];[a][c]overlay={ON}",
}
pytestmark = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="needs ffmpeg to spoil the clip")


@pytest.fixture(scope="module")
def sites(tmp_path_factory):
    """The demo's junction, its camera at fault for twenty seconds, by what is wrong with it; ``None`` for nothing."""
    folders = {}
    for what, fault in {None: "null", **FAULTS}.items():
        folder = tmp_path_factory.mktemp(str(what))
        shutil.copy(CLIP / "signals.ndjson", folder)
        shutil.copy(CLIP / "site.toml", folder)
        # Smaller, and with a sensor's noise: what is black in it is not the same to the last bit.
        seen = f"scale=640:-2,{fault},noise=c0s=6:c0f=t:c0_seed=1,format=yuv420p"
        code = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "26", "-g", "20"]
        make = ["ffmpeg", "-v", "error", "-i", CLIP / "scene.mp4", "-vf", seen, *code, folder / "scene.mp4"]
        subprocess.run(make, check=True)
        folders[what] = folder / "site.toml"
    return folders


def second(event):
    return datetime.fromisoformat(event["time"]).timestamp() - T0


def of(events, *words):
    found = (json.loads(line) for line in events)
    return [e for e in found if all(word in e["type"].split(".") for word in words)]


def test_a_camera_that_sees_well_is_not_spoken_of(sites):
    events = play(sites[None])
    assert not of(events, "health")
    assert of(events, "violation", "suspected")


@pytest.mark.parametrize("what", list(FAULTS))
def test_what_it_does_not_see_is_held_against_nobody(sites, what):
    events = play(sites[what])
    opened, closed = (of(events, "health", verb) for verb in ("opened", "closed"))
    assert [e["data"]["what"] for e in opened] == [e["data"]["what"] for e in closed] == [what]
    assert BEGIN - 8 <= second(opened[0]) <= BEGIN
    assert END <= second(closed[0]) <= END + 10
    assert ("shift" in opened[0]["data"]) == (what == "moved")
    taken_back = {e["data"]["retracts"] for e in of(events, "violation", "retracted")}
    left = [e for e in of(events, "violation", "suspected") if e["id"] not in taken_back]
    assert not [second(e) for e in left if BEGIN <= second(e) <= END]
    why = "geometry_invalid" if what == "moved" else "low_visibility"
    lifted = of(events, "violation", "suppressed") + of(events, "violation", "retracted")
    assert [e for e in lifted if why in json.dumps(e["data"])]


def test_stopped_anywhere_and_resumed_the_same_is_said(sites, tmp_path):
    clip = sites["blurred"].with_name("scene.mp4")
    text = json.dumps({"camera": "c", "files": [str(clip)], "start_time_ns": 0, "checkpoint_s": 0.2}).encode()

    def follow(run, stop_after):
        found = []
        while len(found) < stop_after:
            polled = run.poll(1)
            found += [item for item in polled if item[0] != "note"]
            if ("end",) in polled:
                break
            time.sleep(0 if polled else 0.002)
        return found

    straight = follow(_core.CameraRun(text), 10_000)
    assert [item[1:3] for item in straight if item[0] == "sight"] == [("blurred", "opened"), ("blurred", "closed")]
    resumed, token = [], None
    for stop_after in (130, 20, 10_000):  # before it is found, and while it is open
        run = _core.CameraRun(text, token, str(tmp_path))
        resumed += follow(run, stop_after)
        token = run.position()
        run.close()
    assert resumed == straight


def test_a_run_killed_while_the_camera_is_covered_says_what_one_says_that_was_not(sites, tmp_path):
    run = [sys.executable, "-m", "smartstream", "run", str(sites["covered"]), "--no-nats", "--events"]
    straight, told = tmp_path / "straight", tmp_path / "told"
    subprocess.run([*run, str(straight)], check=True, capture_output=True, timeout=240)
    resumable = [*run, str(told), "--recovery", str(tmp_path / "r")]
    child = subprocess.Popen([*resumable, "--speed", "4x"], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and not (told.exists() and of(told.open(), "health", "opened")):
        time.sleep(0.02)
    child.kill()
    child.wait()
    assert not of(told.open(), "health", "closed")
    subprocess.run(resumable, check=True, capture_output=True, timeout=240)
    assert sorted(told.open()) == sorted(straight.open())
    assert of(told.open(), "health", "closed")


def test_the_joins_are_told_once_whoever_says_it_first():
    facts = JunctionFacts("j", None, (CameraGeometry("c", "j", None, {}),), {}, guarded=False)

    def say(what, verb, at_s):
        facts.health(Health("c", what, verb, at_s * NS, found_ns=at_s * NS), at_s * NS)

    for what, verb, at_s in [
        ("frozen", "opened", 10),
        ("covered", "opened", 12),
        ("frozen", "closed", 20),
        ("covered", "closed", 25),
        ("moved", "opened", 40),
        ("moved", "closed", 50),
    ]:
        say(what, verb, at_s)
    told = [(f.kind, f.what, f.time_ns // NS) for batch in facts.drain(60 * NS, ended=True) for f in batch.facts]
    assert told == [("dark", "frozen", 10), ("back", "covered", 25), ("moved", "moved", 40), ("settled", "moved", 50)]
