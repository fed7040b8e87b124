"""One driver on one path: speeds up, slows down, stops, waits, backs off; no traffic simulator behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, copysign, sqrt
from typing import Final

import numpy as np

from smartstream.errors import InternalError
from smartstream.simulate.camera import Array
from smartstream.simulate.kinds import KINDS
from smartstream.simulate.layout import Point
from smartstream.simulate.traffic import STEP_S, Mover

ACCEL_MPS2: Final = 2.4
BRAKE_MPS2: Final = 3.2
_REAR_AXLE: Final = 0.75
"""How far behind the front the rear axle is, as a share of the length."""
_DENSE_M: Final = 0.25


@dataclass(frozen=True)
class Go:
    """Drive until the front is ``to_m`` along the path; further back means backwards.

    Attributes:
        mps: Speed wanted.
        stop: Come to rest there.
    """

    to_m: float
    mps: float
    stop: bool = False


@dataclass(frozen=True)
class Wait:
    """Stand."""

    seconds: float


Move = Go | Wait


def bend(corners: Sequence[Point], radius_m: float = 6.0) -> list[Point]:
    """A path with its corners rounded; a corner is left ``radius_m`` before it, or half a leg where that is less."""
    points = np.array(corners, float)
    out: list[Array] = [points[0]]
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        into, out_of = corner - before, after - corner
        cut = min(radius_m, 0.5 * float(np.linalg.norm(into)), 0.5 * float(np.linalg.norm(out_of)))
        start = corner - into / np.linalg.norm(into) * cut
        end = corner + out_of / np.linalg.norm(out_of) * cut
        n = max(ceil(2 * cut / _DENSE_M), 2)
        out += [(1 - u) ** 2 * start + 2 * u * (1 - u) * corner + u**2 * end for u in np.linspace(0, 1, n)]
    return [(float(x), float(y)) for x, y in [*out, points[-1]]]


def drive(
    id_: str,
    kind: str,
    path: Sequence[Point],
    moves: Sequence[Move],
    *,
    at: tuple[float, float],
    from_mps: float | None = None,
) -> Mover:
    """A road user on a path.

    Args:
        id_: Name.
        kind: One of ``KINDS``.
        path: Corners in metres.
        moves: One after the other.
        at: The front is so far along the path, for the first time, at so many seconds of the clip.
        from_mps: Speed at the beginning of the path; None: that of the first move.

    Raises:
        InternalError: The moves never get there.
    """
    gone, speed = _ride(moves, from_mps)
    there = np.flatnonzero(gone >= at[0] - 0.02)
    if not len(there):
        raise InternalError(f"{id_} never gets to {at[0]} m")
    first = round(at[1] / STEP_S) - int(there[0])
    corners = np.array(path)
    ends = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(corners, axis=0), axis=1))])
    on_path = (gone >= 0) & (gone <= ends[-1])
    row = int(np.argmin(on_path)) if not on_path.all() else len(gone)
    gone, speed = gone[:row], speed[:row]

    def along(at_m: Array) -> Array:
        return np.stack([np.interp(at_m, ends, corners[:, i]) for i in (0, 1)], axis=1)

    known = KINDS[kind]
    at_m = np.arange(0.0, ends[-1] + _DENSE_M, _DENSE_M)
    towed = _towed(along(at_m), _REAR_AXLE * known.size_m[0])
    heading = np.stack([np.interp(gone, at_m, towed[:, i]) for i in (0, 1)], axis=1)
    heading /= np.linalg.norm(heading, axis=1, keepdims=True)
    braking = np.diff(speed, append=speed[-1:]) < -0.5 * STEP_S
    return Mover(id_, known.road_class, known.size_m, first, along(gone), heading, speed, braking)


def _towed(front_m: Array, axle_m: float) -> Array:
    """Headings (n, 2) of a vehicle whose front is at points (n, 2) of a path, one after the other.

    The rear axle rolls and does not slip: it goes where the vehicle heads, inside the bend that the front makes.
    """
    path = front_m[:, 0] + 1j * front_m[:, 1]
    axle = path[0] - axle_m * (path[1] - path[0]) / abs(path[1] - path[0])
    out = np.empty(len(path), complex)
    for i, front in enumerate(path):
        way = front - axle
        out[i] = way / abs(way)
        axle = front - axle_m * out[i]
    return np.stack([out.real, out.imag], axis=1)


def _ride(moves: Sequence[Move], from_mps: float | None) -> tuple[Array, Array]:
    """Metres gone and speed (never negative) at every step."""
    first = next((m.mps for m in moves if isinstance(m, Go)), 0.0)
    at, v = 0.0, first if from_mps is None else from_mps
    gone, speed = [at], [v]
    for move in moves:
        if isinstance(move, Wait):
            steps = round(move.seconds / STEP_S)
            gone += [at] * steps
            speed += [0.0] * steps
            v = 0.0
            continue
        way = copysign(1.0, move.to_m - at)
        while (left := (move.to_m - at) * way) > 0:
            limit = min(move.mps, sqrt(2 * BRAKE_MPS2 * left)) if move.stop else move.mps
            v = min(max(limit, v - 2 * BRAKE_MPS2 * STEP_S), v + ACCEL_MPS2 * STEP_S)
            if move.stop and left < 0.03:
                at, v = move.to_m, 0.0
            else:
                at += way * max(v, 0.05) * STEP_S
            gone.append(at)
            speed.append(v)
    return np.array(gone), np.array(speed)
