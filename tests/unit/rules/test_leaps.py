"""What tyres can do is no leap, whatever is seen of it; what they cannot is, wherever it happens in a proof."""

from __future__ import annotations

import math
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from rules_street import Vehicle, verdicts
from test_rule_kinds import LIGHTS, RED, site

GRIP_MPS2 = 9.81
TREMBLE_M = 0.15  # a tenth of the height of its box


def ride(rng, fps, leap_m=0.0):
    """Frames of a rider who speeds up, brakes and swerves as tyres let him, over the line at y = 0 and on."""
    t, x, y, vx, vy, frames = 0.0, 1.7, -25.0, 0.0, rng.uniform(4, 20), []
    turn, ax, ay, off = 0.0, 0.0, 0.0, 0.0
    while y < 30 and t < 40:
        if t >= turn:
            force, angle, turn = rng.uniform(0, GRIP_MPS2), rng.uniform(0, 2 * math.pi), t + rng.uniform(0.1, 1.0)
            ax, ay = force * math.cos(angle), force * math.sin(angle)
            if x * ax > 1.7 * ax or vy < 3:  # back into the lane, and on
                ax, ay = -0.5 * vx, GRIP_MPS2 / 2 if vy < 3 else ay / 2
        vx, vy, x, y = vx + ax / fps, vy + ay / fps, x + vx / fps, y + vy / fps
        t += 1 / fps
        off = leap_m if y > 1.5 else 0.0
        if rng.random() < 0.9:
            noise = [rng.uniform(-TREMBLE_M, TREMBLE_M) for _ in "xy"]
            frames.append((round(t, 3), x + noise[0], y + noise[1] + off))
    return frames


def judged(frames):
    rider = Vehicle([(0, 0, 0)], kind="motorcycle")
    rider.frames = frames
    return verdicts(site(*LIGHTS), [rider], signals=RED)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([5, 8, 12.5, 25, 30]))
def test_tyres_make_no_leap(seed, fps):
    assert all("identity_doubt" not in found for found in judged(ride(Random(seed), fps)))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.sampled_from([12.5, 25, 30]))
def test_a_leap_accuses_nobody(seed, fps):
    assert all(verdict != "suspected" for _, verdict, *_ in judged(ride(Random(seed), fps, leap_m=12.0)))
