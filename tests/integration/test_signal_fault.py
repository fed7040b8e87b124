"""A long scene whose signal feed goes wrong: the fault is found, and what rested on it is taken back."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from smartstream.model.time import parse_instant
from smartstream.testing.golden import play

SHARED = Path(__file__).parents[3] / "shared"
SCENE = SHARED / "scenes" / "long"
T0, CYCLE_S = 1_790_000_000.0, 78.0
LIGHT = {"red_light", "yellow_light", "stop_line"}

pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not SHARED.exists(), reason="needs the data folder beside the checkout"),
]


def until(at, *, group=""):
    """The feed as it was; from ``at`` on nothing more of a group, or of all."""
    lines = [json.loads(line) for line in (SCENE / "signals.ndjson").read_text().splitlines()]
    return [line for line in lines if line["time"] <= T0 + at or (group and line["signal"] != group)]


def line(at, group, state):
    return {"time": T0 + at, "signal": group, "state": state}


def beats(lines, last):
    """Every state repeated each two seconds until ``last``."""
    out = []
    for group in ("S-through", "S-left"):
        own = [one for one in lines if one["signal"] == group]
        for one, nxt in zip(own, [*own[1:], None], strict=True):
            t, end = one["time"], nxt["time"] if nxt else T0 + last
            while t < end:
                out.append({**one, "time": t})
                t += 2.0
    return sorted(out, key=lambda one: one["time"])


# name: (lines, when it goes wrong, kind of fault, since as the plan has it, seconds of a heartbeat)
FEEDS = {
    "sticks_on_red": (lambda: until(196, group="S-through"), 196, "stuck", 196, None),
    "everything_sticks": (lambda: until(274), 274, "stuck", 274, None),
    "dark": (
        lambda: [*until(300), line(300, "S-through", "dark"), line(300, "S-left", "dark")],
        300,
        "dark",
        289,
        None,
    ),
    "conflict": (lambda: [*until(334), line(335, "S-left", "green")], 335, "conflict", 330, None),
    "unknown": (lambda: [*until(300), line(300, "S-through", "unknown")], 300, "missing", 289, None),
    "no_heartbeat": (lambda: beats(until(310), 313), 313, "missing", 289, 5),
}


def write_site(folder, lines, heartbeat_s):
    tool = [sys.executable, SHARED / "tools" / "site_from_truth.py", SCENE, "--tracks"]
    text = subprocess.run(tool, check=True, capture_output=True, text=True).stdout
    beat = "" if heartbeat_s is None else f"\nheartbeat_s = {heartbeat_s}"
    text = re.sub(r'url = "file:[^"]*signals.ndjson"', f'url = "file:signals.ndjson"{beat}', text)
    (folder / "signals.ndjson").write_text("".join(json.dumps(one) + "\n" for one in lines))
    (folder / "site.toml").write_text(text)
    return folder / "site.toml"


def standing(events):
    """Suspicions about lights that nobody took back: instant and id."""
    gone = {e["data"]["retracts"] for e in events if "retracts" in e["data"]}
    suspected = [e for e in events if e["type"].endswith(".suspected.v1") and e["data"]["kind"] in LIGHT]
    return {(parse_instant(e["time"]) / 1e9 - T0, e["id"]) for e in suspected if e["id"] not in gone}


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    site = write_site(tmp_path_factory.mktemp("healthy"), until(1e9), None)
    return [json.loads(e) for e in play(site)]


def test_a_feed_that_works_is_believed(healthy):
    assert [e["type"] for e in healthy if ".fault." in e["type"]] == []


@pytest.mark.parametrize("name", FEEDS)
def test_what_the_feed_says_after_its_last_good_transition_accuses_nobody(name, healthy, tmp_path):
    make, wrong_at, kind, good_at, heartbeat_s = FEEDS[name]
    site = write_site(tmp_path, make(), heartbeat_s)
    told = play(site)
    events = [json.loads(e) for e in told]
    opened = [e for e in events if ".signal.fault." in e["type"] and kind in e["data"]["faults"]]
    assert opened
    assert min(parse_instant(e["time"]) / 1e9 - T0 for e in opened) <= wrong_at + 2 * CYCLE_S
    since = min(parse_instant(e["data"]["since"]) / 1e9 - T0 for e in opened)
    assert since <= good_at
    assert [t for t, _ in standing(events) if t >= since] == []
    before = since - CYCLE_S
    stood = {case for case in standing(healthy) if case[0] < before}
    assert {case for case in standing(events) if case[0] < before} == stood != set()
    if name == "sticks_on_red":
        assert play(site, cut=40) == told  # killed and resumed again and again
