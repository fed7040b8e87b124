"""The tracker against a plain Python oracle: full matrices, every matching tried.

The oracle is written from the papers alone (BoT-SORT's filter, ByteTrack's passes, C-BIoU's buffer, Hybrid-SORT's
height), in float64, with the 8x8 matrices that the engine takes apart.
"""

# ruff: noqa: N806 - matrices keep the letters of their source

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from smartstream._core import Tracker

STEP_NS = 100_000_000


class Filter:
    """Kalman filter over centre, size and their velocities."""

    def __init__(self, box):
        self.x = np.concatenate([measure(box), np.zeros(4)])
        size = self.size()
        self.P = np.diag(np.concatenate([2 * 0.05 * size, 10 * 0.00625 * size]) ** 2)

    def size(self):
        return np.array([self.x[2], self.x[3], self.x[2], self.x[3]])

    def predict(self, *, lost):
        if lost:
            self.x[6:] = 0
        size = self.size()
        F = np.eye(8) + np.eye(8, k=4)
        Q = np.diag(np.concatenate([2 * 0.05 * size, 2 * 0.00625 * size]) ** 2)
        self.x = F @ self.x
        self.x[2:4] = np.maximum(self.x[2:4], 0.5 * size[:2])
        self.P = F @ self.P @ F.T + Q

    def update(self, box):
        H = np.eye(4, 8)
        size = self.size()
        R = np.diag((0.05 * size) ** 2)
        K = self.P @ H.T @ np.linalg.inv(H @ self.P @ H.T + R)
        self.x = self.x + K @ (measure(box) - H @ self.x)
        self.x[2:4] = np.maximum(self.x[2:4], 0.5 * size[:2])
        self.P = (np.eye(8) - K @ H) @ self.P

    def box(self):
        x, y, w, h = self.x[:4]
        return np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2])


def measure(box):
    return np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, box[2] - box[0], box[3] - box[1]])


def grow(box, share):
    w, h = box[2] - box[0], box[3] - box[1]
    return box + share * np.array([-w, -h, w, h])


def overlap(a, b):
    w = min(a[2], b[2]) - max(a[0], b[0])
    h = min(a[3], b[3]) - max(a[1], b[1])
    if w <= 0 or h <= 0:
        return 0.0
    area = lambda c: (c[2] - c[0]) * (c[3] - c[1])  # noqa: E731
    return w * h / (area(a) + area(b) - w * h)


def best_matching(weights):
    """Pairs of the matching with the largest sum, by trying every one."""
    rows, cols = sorted({r for r, _ in weights}), sorted({c for _, c in weights})
    best, chosen = -1.0, []
    places = [*cols, *([None] * len(rows))]
    for order in set(itertools.permutations(places, len(rows))):
        pairs = [(r, c) for r, c in zip(rows, order, strict=True) if (r, c) in weights]
        total = sum(weights[p] for p in pairs)
        if total > best + 1e-12:
            best, chosen = total, pairs
    return chosen


class Oracle:
    """The vehicle preset."""

    def __init__(self):
        self.tracks, self.next_id, self.frame = [], 1, 0

    def update(self, boxes, scores):
        self.frame += 1
        self.tracks = [t for t in self.tracks if self.frame - t["seen"] <= 10]
        for t in self.tracks:
            t["filter"].predict(lost=t["seen"] != self.frame - 1)
        keep = []
        for i in sorted((i for i in range(len(boxes)) if scores[i] >= 0.1), key=lambda i: -scores[i]):
            if all(overlap(boxes[i], boxes[k]) <= 0.7 for k in keep):
                keep.append(i)
        strong = [i for i in keep if scores[i] >= 0.4]
        found = {}

        def associate(rows, cols, likeness, gate):
            weights = {}
            for r, c in itertools.product(rows, cols):
                value = likeness(self.tracks[r]["filter"].box(), boxes[c], scores[c])
                if value > gate:
                    weights[r, c] = value - gate
            found.update(best_matching(weights) if weights else [])

        def sure(track, box, score):
            high, low = min(track[3], box[3]), max(track[1], box[1])
            height = max(high - low, 0) / (max(track[3], box[3]) - min(track[1], box[1]))
            return overlap(grow(track, 0.3), grow(box, 0.3)) * height * score

        associate(range(len(self.tracks)), strong, sure, 0.2)
        rows = [r for r, t in enumerate(self.tracks) if r not in found and t["seen"] == self.frame - 1]
        weak = [i for i in keep if scores[i] < 0.4]
        associate(rows, weak, lambda t, b, _: overlap(grow(t, 0.5), grow(b, 0.5)), 0.5)

        out = {}
        for r, c in found.items():
            self.tracks[r]["filter"].update(boxes[c])
            self.tracks[r]["seen"] = self.frame
            out[c] = self.tracks[r]["id"]
        new = [c for c in strong if c not in found.values() and scores[c] >= 0.6]
        for c in sorted(new, key=lambda c: grow(boxes[c], 0.3)[0]):
            self.tracks.append({"id": self.next_id, "seen": self.frame, "filter": Filter(boxes[c])})
            out[c] = self.next_id
            self.next_id += 1
        return out


@st.composite
def scenes(draw):
    """A few vehicles that move, brake, hide and pass each other, under detector noise. No two values alike."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    n = draw(st.integers(1, 4))
    place, speed = random.uniform([0, 0], [200, 60], (n, 2)), random.uniform([-12, -3], [12, 3], (n, 2))
    size = random.uniform([25, 20], [60, 45], (n, 2))
    frames = []
    for _ in range(draw(st.integers(2, 25))):
        place = place + speed + random.normal(0, 1, (n, 2))
        shown = random.uniform(size=n) > 0.15
        corner = (place + random.normal(0, 1.5, (n, 2)))[shown]
        boxes = np.concatenate([corner, corner + size[shown] * random.uniform(0.93, 1.07, (shown.sum(), 2))], axis=1)
        frames.append((boxes.astype(np.float32), random.uniform(0.05, 1, shown.sum()).astype(np.float32)))
    return frames


@settings(max_examples=150, deadline=None)
@given(scenes())
def test_the_engine_gives_the_oracles_identities(frames):
    tracker, oracle = Tracker("vehicle"), Oracle()
    for number, (boxes, scores) in enumerate(frames):
        tracks = tracker.update(number * STEP_NS, boxes, scores)
        found = dict(zip(tracks.detection.tolist(), tracks.track.tolist(), strict=True))
        assert found == oracle.update(boxes.astype(np.float64), scores.astype(np.float64)), f"frame {number}"
