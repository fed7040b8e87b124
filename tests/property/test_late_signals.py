"""However late the lines of a signal feed come: nobody stays accused by a red that the complete feed knows as none."""

import json
import random
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st
from test_junction_arrival import JUNCTION, LANE, camera_items, said, spec

from smartstream.ingest.lines import Found, LineSource, Quiet, Trouble
from smartstream.ingest.signal_lines import SignalLines
from smartstream.model.time import NS, parse_instant
from smartstream.testing.feeds import read_all

T0 = 1_790_000_000 * NS
IDLE_NS = 3 * NS
GRACE_NS = 300_000_000
SITE = JUNCTION + LANE.format(name="cam")


class Told:
    """A live feed that has been written down: its lines as they came, and between them its silences."""

    unit = "message"
    ended = False
    broken = ""
    sorted = False

    def __init__(self, found: list[Found]) -> None:
        self._found = list(found)

    def next_line(self) -> Found | None:
        found = self._found.pop(0) if self._found else None
        self.ended = not self._found
        return found


def cycles(rng):
    """The complete feed."""
    at, lines = T0 - 5 * NS, []
    while at < T0 + 45 * NS:
        for state, most_s in (("green", 9), ("amber", 3), ("red", 9)):
            lines.append((at, state))
            at += rng.randrange(NS, most_s * NS)
    return lines


def as_it_came(rng, lines):
    """Most lines in time, some seconds late; those of an outage together or never, and then the source says so."""
    out_ns = T0 + rng.randrange(40 * NS)
    back_ns = out_ns + rng.choice([0, rng.randrange(25 * NS)])
    arrivals, lost = [], rng.random() < 0.3
    for at, state in lines:
        came_ns = at + rng.choice([0, 0, 0, rng.randrange(2 * NS), rng.randrange(15 * NS)])
        if lost and at < out_ns:
            came_ns = min(came_ns, max(at, out_ns - 1))  # lost is what was said meanwhile, not what was under way
        if not (lost and out_ns <= at < back_ns):
            arrivals.append((back_ns if out_ns <= came_ns < back_ns else came_ns, at, state))
    arrivals.sort()
    found: list[Found] = []
    heard = now = arrivals[0][0]
    for arrival, at, state in arrivals:
        while now + NS <= arrival:
            now += NS
            if now - heard > IDLE_NS and rng.random() < 0.8 and not (lost and out_ns <= now):
                found.append(Quiet(now - heard - IDLE_NS, now - IDLE_NS))
        if lost and heard <= out_ns < arrival:
            found.append(Trouble("opened", "no answer"))
        heard = now = arrival
        line = {"time": at / NS, "signal": "S", "state": state}
        found.append((len(found) + 1, json.dumps(line).encode()))
    if lost and heard <= out_ns:
        found.append(Trouble("opened", "no answer"))
    return found


def read(side, found, turn_lines):
    feed = SignalLines(LineSource(side, lambda _: Told(found), NS, turn_lines), groups=frozenset({"S"}), resume=None)
    return [item for item in read_all(feed) if hasattr(item, "changes")]


def shown(lines, at_ns):
    """What the light truly showed, and since when."""
    since, state = max(line for line in lines if line[0] <= at_ns)
    return state, since


def surviving(events):
    told = [json.loads(line) for line in events]
    taken_back = Counter(event["data"].get("retracts") for event in told)
    red = [event for event in told if event["type"].endswith("red_light.suspected.v1")]
    return [event for event in red if not taken_back[event["id"]]], len(red)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_nobody_stays_accused_by_a_light_that_was_not_red(seed):
    rng = random.Random(seed)
    junction = spec(SITE)
    feed, camera = junction.sides
    lines = cycles(rng)
    found = as_it_came(rng, lines)
    tracks = camera_items(rng, camera)
    told = said(junction, {feed: read(feed, found, 1), camera: tracks}, rng)
    assert told == said(junction, {feed: read(feed, found, rng.randint(2, 9)), camera: tracks}, rng)
    for event in surviving(told)[0]:
        first, last = (parse_instant(t) for t in event["data"]["explanation"]["intervals"]["crossing"])
        for at in (first, last):
            state, since = shown(lines, at)
            assert state == "red", (event["time"], state)
            assert at >= since + GRACE_NS - 2_000_000  # intervals are told in milliseconds


def test_suspicions_do_survive_and_are_taken_back():
    survived = told = 0
    for seed in range(40):
        rng = random.Random(seed)
        junction = spec(SITE)
        feed, camera = junction.sides
        found = as_it_came(rng, cycles(rng))
        left, all_told = surviving(said(junction, {feed: read(feed, found, 1), camera: camera_items(rng, camera)}, rng))
        survived, told = survived + len(left), told + all_told
    assert 20 < survived < told
