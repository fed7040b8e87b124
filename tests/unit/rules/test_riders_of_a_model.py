"""Two riders side by side, as a detection model sees them: each is told, none is taken for the other's second box."""

from __future__ import annotations

import numpy as np
import pytest
from rules_street import NS, SPAN_M, T0, Vehicle, drive, engine_of, rectangle, verdicts
from test_rule_kinds import LEFT_LANE, LIGHTS, RED, site

from smartstream._core import Tracker, suppress
from smartstream.model.classes import CLASS_CODE
from smartstream.model.tracks import TrackBatch
from smartstream.rules.outcome import Violation, decode_outcomes
from smartstream.vision.detector import DetectorSettings

FPS = 12.5
BOTH = [("red_light", "suspected")] * 2
ZONE = {"id": "z", "polygon": rectangle(-50, -8, 50, 0)}


def looks(ways, rng, *, width_m, height_m=1.7, tremble=0.03, missed=0.1):
    """Boxes of a model, frame by frame: they tremble by a share of their size, and one in ten is not found."""
    for feet in zip(*([(x, y) for _, x, y in drive(way, fps=FPS)] for way in ways), strict=True):
        boxes, scores = [], []
        for foot in feet:
            if rng.random() < missed:
                continue
            size = np.array([width_m, height_m])
            (x, y), (w, h) = (foot + rng.normal(0, tremble, 2) * size, size * (1 + rng.normal(0, tremble, 2)))
            boxes.append((x - w / 2, y - h, x + w / 2, y))
            scores.append(rng.uniform(0.5, 0.9))
        yield np.array(boxes, np.float32).reshape(-1, 4) / SPAN_M + np.float32(0.5), np.array(scores, np.float32)


def tracks_of(found):
    """What a camera makes of them: of two boxes for one the surer stays, the rest is tracked."""
    tracker, frames = Tracker("detector"), []
    for boxes, scores in found:
        classes = np.full(len(scores), CLASS_CODE["motorcycle"], np.uint8)
        kept = suppress(boxes, scores, classes, limit=DetectorSettings().overlap, most=300)
        frames.append(tracker.update(T0 + round(len(frames) * NS / FPS), boxes[kept], scores[kept], classes[kept]))
    columns = {c: np.concatenate([getattr(f, c) for f in frames]) for c in ("track", "box", "score", "class_code")}
    return TrackBatch(
        run=0,
        frame_ns=np.array([T0 + round(n * NS / FPS) for n in range(len(frames))], np.int64),
        frame_no=np.arange(len(frames), dtype=np.uint64),
        row_end=np.cumsum([len(f) for f in frames], dtype=np.uint32),
        flags=np.concatenate([f.flags for f in frames]),
        **columns,
    ).to_bytes()


@pytest.mark.parametrize("width_m", [0.9, 1.3, 1.6], ids=["apart", "touching", "a quarter in common"])
def test_both_who_run_the_red_are_told(width_m):
    """The wider the boxes, the more they have in common: seen from the side a rider is as wide as long."""
    side_by_side = [[(1.2, -30, 6.4), (1.2, 10, 0)], [(2.0, -29.7, 6.4), (2.0, 10.3, 0)]]
    for seed in range(10):
        engine = engine_of(site(*LIGHTS), RED)
        engine.tracks(0, tracks_of(looks(side_by_side, np.random.default_rng(seed), width_m=width_m)))
        told = [o for o in decode_outcomes(engine.finish()) if isinstance(o, Violation)]
        assert [(o.kind, o.verdict, *o.reasons) for o in told] == BOTH, seed
        assert len({o.track for o in told}) == 2


@pytest.mark.parametrize("behind_s", [0.0, 0.1, 0.3, 0.6])
@pytest.mark.parametrize(
    ("rule", "changes", "speed_mps"),
    [
        ({"kind": "sidewalk", "zone": "z"}, {"zones": [ZONE]}, 6),
        ({"kind": "banned_class", "zone": "z", "classes": ["motorcycle"]}, {"zones": [ZONE]}, 10),
        ({"kind": "wrong_way"}, {"lanes": [{**LEFT_LANE, "direction": [0, -1]}]}, 10),
    ],
    ids=["sidewalk", "banned_class", "wrong_way"],
)
def test_an_act_of_a_second_is_that_of_both(rule, changes, speed_mps, behind_s):
    """A tracker may keep a lost number for a second; two that came down the street together are no such thing."""
    ride = 45 / speed_mps
    riders = [
        Vehicle([(x, -30, ride), (x, 15, 0)], kind="motorcycle", width_m=0.8, at=at)
        for x, at in ((0.8, 0.0), (2.0, behind_s))
    ]
    assert verdicts(site(rule, **changes), riders) == [(rule["kind"], "suspected")] * 2


@pytest.mark.parametrize(
    ("score", "x", "verdict"),
    [(0.3, 1.6, ("undecided", "identity_doubt")), (0.8, 1.6, ("suspected",)), (0.3, 3.2, ("suspected",))],
    ids=["a headlight", "a rider before it", "a rider beside it"],
)
def test_a_faint_rider_within_a_car_may_be_its_headlight(score, x, verdict):
    car = Vehicle([(1.0, -30, 4), (1.0, 10, 0)], width_m=2.2, height_m=1.8, score=0.9)
    light = Vehicle([(x, -30.2, 4), (x, 9.8, 0)], kind="motorcycle", width_m=0.6, height_m=1.2, score=score)
    assert sorted(verdicts(site(*LIGHTS), [car, light], signals=RED)) == sorted(
        [("red_light", "suspected"), ("red_light", *verdict)]
    )
