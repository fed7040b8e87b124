"""However the input is cut, whoever speaks first, wherever the engine stops and resumes: the same answers."""

from __future__ import annotations

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from smartstream._core import JunctionEngine
from smartstream.model.classes import STATE_CODE
from smartstream.model.tracks import DOUBTFUL, PREDICTED, TrackBatch

NS = 1_000_000_000
T0 = 1_790_000_000 * NS
GROUPS = ("G", "H")
ALL_KINDS = [
    {"kind": "red_light", "line": "stop"},
    {"kind": "yellow_light", "line": "stop"},
    {"kind": "stop_line", "line": "stop", "min_stop_s": 1},
    {"kind": "wrong_way", "min_path_m": 4},
    {"kind": "wrong_lane"},
    {"kind": "lane_arrow"},
    {"kind": "solid_line", "line": "solid"},
    {"kind": "illegal_turn", "line": "exit"},
    {"kind": "u_turn", "zone": "box", "line": "exit"},
    {"kind": "illegal_stop", "zone": "box", "min_dwell_s": 2},
    {"kind": "box_blocking", "zone": "box", "min_dwell_s": 2},
    {"kind": "speeding", "tolerance_kmh": 1},
    {"kind": "banned_class", "zone": "box", "classes": ["car"]},
    {"kind": "sidewalk", "zone": "box"},
    {"kind": "fail_to_yield_pedestrian", "zone": "box", "pet_s": 5},
]


def camera(name, clock_s):
    square = [[0, 0], [1, 0], [1, 1], [0, 1]]
    lane = {"direction": [0, 1], "speed_limit_kmh": 10}
    return {
        "id": name,
        "clock_uncertainty_s": clock_s,
        "calibration": {"image": square, "world_m": [[40 * x, 40 * y] for x, y in square]},
        "lanes": [
            {
                "id": "A",
                "polygon": [[0, 0], [0.5, 0], [0.5, 0.5], [0, 0.5]],
                "signal": "G",
                "movements": ["left"],
                **lane,
            },
            {
                "id": "B",
                "polygon": [[0.5, 0], [1, 0], [1, 0.5], [0.5, 0.5]],
                "signal": "H",
                "movements": ["through"],
                "allowed": ["bus"],
                **lane,
            },
        ],
        "lines": [
            {"id": "stop", "kind": "stop", "points": [[1, 0.5], [0, 0.5]]},
            {"id": "exit", "kind": "exit", "movement": "left", "points": [[0.8, 0.55], [0.8, 1]]},
            {"id": "solid", "kind": "count", "points": [[0.5, 0.1], [0.5, 0.45]]},
        ],
        "zones": [{"id": "box", "polygon": [[0, 0.55], [1, 0.55], [1, 1], [0, 1]]}],
        "rules": ALL_KINDS,
    }


CONFIG = json.dumps({"groups": GROUPS, "cameras": [camera("c0", 0.0), camera("c1", 0.15)]}).encode()


def random_frames(rng):
    """Frames of one camera: ``(time, run, rows)``; a few road users on crooked ways."""
    users, run, at, frames = {}, 0, T0 + rng.randrange(NS), []
    for _ in range(rng.randint(1, 120)):
        at += rng.choice([40_000_000, 200_000_000, 200_000_000, 1_300_000_000])
        if rng.random() < 0.02:
            run, users = run + 1, {}
        if len(users) < 4 and rng.random() < 0.2:
            number = max(users, default=0) + 1
            users[number] = [rng.random(), rng.random() * 0.6, 0.0, 0.03, rng.choice([0, 1, 3, 3, 5, 6])]
        rows = []
        for number, user in users.items():
            if rng.random() < 0.1:
                user[2:4] = rng.choice([(0, 0), (0, 0.04), (0, -0.03), (0.03, 0.01), (-0.03, 0), (0.0, 0.01)])
            user[0], user[1] = user[0] + user[2], user[1] + user[3]
            x, y = (v + rng.uniform(-0.002, 0.002) for v in user[:2])
            flags = rng.choice([0] * 20 + [DOUBTFUL, PREDICTED])
            rows.append((number, user[4], (x - 0.02, y - 0.05, x + 0.02, y), flags))
        frames.append((at, run, rows))
    return frames


def random_case(rng):
    cameras = [random_frames(rng) for _ in range(2)]
    end = max(f[-1][0] for f in cameras)
    signals = sorted(
        (rng.randrange(T0, end), rng.randrange(2), rng.choice([*STATE_CODE.values(), 3, 3])) for _ in range(12)
    )
    conditions = [
        (at := rng.randrange(T0, end), at + rng.randrange(4 * NS), rng.choice(["officer_control", "flood", "permit"]))
        for _ in range(rng.randint(0, 2))
    ]
    readings = sorted((rng.randrange(T0, end), "A", rng.uniform(5, 40), rng.random() < 0.7) for _ in range(3))
    return cameras, signals, conditions, readings


def batch(frames):
    rows = [row for _, _, rows in frames for row in rows]
    return TrackBatch(
        run=frames[0][1],
        frame_ns=np.array([f[0] for f in frames], np.int64),
        frame_no=np.arange(len(frames), dtype=np.uint64),
        row_end=np.cumsum([len(f[2]) for f in frames], dtype=np.uint32),
        track=np.array([r[0] for r in rows], np.uint32),
        box=np.array([r[2] for r in rows], np.float32).reshape(-1, 4),
        score=np.ones(len(rows), np.float32),
        class_code=np.array([r[1] for r in rows], np.uint8),
        flags=np.array([r[3] for r in rows], np.uint8),
    ).to_bytes()


def told(case, frontiers, *, rng=None, resume=False):
    """Answers when the input is handed in up to each frontier in turn, the calls between two in random order."""
    cameras, signals, conditions, readings = case
    engine, out, before = JunctionEngine(CONFIG), [], T0 - 10 * NS
    for at, until, name in conditions:
        engine.condition(at, until, name)
    for frontier in frontiers:
        calls = []
        part = [s for s in signals if before < s[0] <= frontier]
        columns = [
            np.array(c, t) for c, t in zip(zip(*part, strict=True), (np.int64, np.uint16, np.uint8), strict=False)
        ]
        if part:
            calls.append(lambda e, columns=columns: e.signals(*columns))
        due = [r for r in readings if before < r[0] <= frontier]
        calls.append(lambda e, due=due: [e.reading(*r) for r in due])
        for number, frames in enumerate(cameras):
            due = [f for f in frames if before < f[0] <= frontier]
            runs = sorted({f[1] for f in due})
            batches = [batch([f for f in due if f[1] == run]) for run in runs]
            calls.append(lambda e, number=number, batches=batches: [e.tracks(number, b) for b in batches])
        if rng is not None:
            rng.shuffle(calls)
        for call in calls:
            call(engine)
        out += json.loads(engine.advance(frontier))
        if resume:
            state, engine = engine.snapshot(), JunctionEngine(CONFIG)
            engine.restore(state)
        before = frontier
    out += json.loads(engine.finish())
    return out, json.loads(engine.ledger())


@settings(max_examples=150, deadline=None)
@given(st.randoms(use_true_random=False))
def test_cuts_order_and_resumes_change_nothing(rng):
    case = random_case(rng)
    end = max(f[-1][0] for f in case[0]) + NS
    whole, ledger = told(case, [end])
    for resume in (False, True):
        cuts = sorted(rng.randrange(T0, end) for _ in range(rng.randint(0, 12)))
        assert told(case, [*cuts, end], rng=rng, resume=resume) == (whole, ledger)
    for name, counts in ledger["cameras"].items():
        told_of = [o for o in whole if o["type"] == "violation" and o["camera"] == name]
        verdicts = [o for o in told_of if o["verdict"] != "retracted"]
        assert sum(c["retracted"] for c in counts["rules"].values()) == len(told_of) - len(verdicts)
        assert sum(c["candidates"] for c in counts["rules"].values()) == len(verdicts)
        for c in counts["rules"].values():
            assert c["candidates"] == c["suspected"] + c["undecided"] + c["suppressed"] + c["estimated"]
        lines = [(o["run"], o["track"]) for o in verdicts if o["kind"] in ("red_light", "stop_line", "yellow_light")]
        assert len(lines) == len(set(lines)), "one row of the decision table per track and line"
