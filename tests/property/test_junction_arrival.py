"""Whoever speaks first, wherever the frontier falls, within a batch too: a junction says the same, loses nothing."""

import random
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.junction import JunctionLogic
from pipelines.worker import junction_specs
from smartstream.config.site import load_site
from smartstream.model.classes import CLASS_CODE
from smartstream.model.items import Condition, Conditions, Gap, Mark, SignalChange, Signals, Tracks
from smartstream.model.time import MAX_NS, NS
from smartstream.model.tracks import TrackBatch

T0 = 1_790_000_000 * NS
LANE = """
[[camera]]
id = "{name}"
junction = "j"
url = "tracks:{name}.ndjson"
[[camera.lane]]
id = "A"
polygon = [[0.3, 1.0], [0.5, 1.0], [0.5, 0.0], [0.3, 0.0]]
direction = [0.0, -1.0]
signal = "S"
allowed = ["truck"]
[[camera.line]]
id = "stop"
kind = "stop"
points = [[0.3, 0.5], [0.5, 0.5]]
[[camera.rule]]
kind = "red_light"
line = "stop"
[[camera.rule]]
kind = "wrong_lane"
"""
JUNCTION = """
[site]
id = "city"
province = "19"
ward = "05443"
[[junction]]
id = "j"
position = { lat = 21.61, lon = 105.84 }
[[junction.signal]]
id = "S"
[[signal_feed]]
junction = "j"
url = "file:signals.ndjson"
"""
DUTY = """heartbeat_s = 4
[[condition_feed]]
url = "file:duty.ndjson"
"""
SITE = JUNCTION + DUTY + "".join(LANE.format(name=name) for name in ("north", "south"))


def spec(site=SITE):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "site.toml"
        path.write_text(site)
        return junction_specs(load_site(path))[0]


def batch(frames, run):
    rows = [row for _, seen in frames for row in seen]
    return TrackBatch(
        run=run,
        frame_ns=np.array([at for at, _ in frames], np.int64),
        frame_no=np.arange(len(frames), dtype=np.uint64),
        row_end=np.cumsum([len(seen) for _, seen in frames], dtype=np.uint32),
        track=np.array([number for number, _, _ in rows], np.uint32),
        box=np.array([[x - 0.02, y - 0.06, x + 0.02, y] for _, x, y in rows], np.float32).reshape(-1, 4),
        score=np.full(len(rows), 0.9, np.float32),
        class_code=np.full(len(rows), CLASS_CODE["motorcycle"], np.uint8),
        flags=np.zeros(len(rows), np.uint8),
    ).to_bytes()


def camera_items(rng, name):
    """Vehicles that go through at their own times, in batches of any size, now and then a broken session."""
    starts = sorted(rng.uniform(0, 30) for _ in range(8))
    at, number_of_run, items = T0 + rng.randrange(NS), 0, []
    while at < T0 + 40 * NS:
        frames = []
        for _ in range(rng.randint(1, 12)):
            gone = [((at - T0) / NS - start, i) for i, start in enumerate(starts)]
            frames.append((at, [(i, 0.4, 0.98 - 0.1 * s) for s, i in gone if 0 <= s < 9]))
            at += rng.choice([40_000_000, 119_000_001, 333_000_000])
        items.append(Tracks(name, frames[0][0], frames[-1][0], batch(frames, number_of_run)))
        if rng.random() < 0.05:
            number_of_run += 1
            at += NS
            items.append(Gap(name, number_of_run, frames[-1][0] + 1, "new_run"))
        if rng.random() < 0.3:
            items.append(Mark(name, at - 1))
    return [*items, Mark(name, MAX_NS)]


def feed_items(rng, side):
    """Lines every few seconds, at times too far apart for the heartbeat."""
    at, signals = T0 - NS, []
    while at < T0 + 40 * NS:
        signals.append(Signals(side, (SignalChange(at, "S", rng.choice(["red", "green"])),), at - 1))
        at += rng.randrange(NS // 2, 6 * NS)
        signals.append(Mark(side, at - 1))
    return [*signals, Mark(side, MAX_NS)]


def duty_items(rng, side):
    at, items = T0, []
    while at < T0 + 40 * NS:
        fact = Condition(at, at - rng.randrange(3 * NS), at + rng.randrange(1, 3 * NS), "officer_control")
        items.append(Conditions(side, (fact,), at - 1))
        at += rng.randrange(NS, 9 * NS)
        items.append(Mark(side, at - 1))
    return [*items, Mark(side, MAX_NS)]


def said(spec, sides, rng):
    """What a junction says when its sides' items come interleaved at random, killed and resumed now and then."""
    logic, waiting, told = JunctionLogic(spec), {side: list(items) for side, items in sides.items()}, []
    while any(waiting.values()):
        together = []
        for _ in range(rng.randint(1, 6)):
            side = rng.choice([side for side, items in waiting.items() if items] or [None])
            if side is not None:
                together.append(waiting[side].pop(0))
        told += logic.take(together)
        if rng.random() < 0.1:
            state, logic = logic.snapshot(), JunctionLogic(spec)
            logic.restore(state)
    return sorted(event.to_json() for event in told)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_the_order_of_arrival_decides_nothing(seed):
    rng = random.Random(seed)
    junction = spec()
    duty, signals, *cameras = junction.sides
    sides = {duty: duty_items(rng, duty), signals: feed_items(rng, signals)}
    sides |= {camera: camera_items(rng, camera) for camera in cameras}
    first, second = said(junction, sides, rng), said(junction, sides, rng)
    assert first == second
    assert not [line for line in first if b"dead_letter" in line]
