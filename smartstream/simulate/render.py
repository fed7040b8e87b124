"""Draws the frames: vehicles as shaded solids on the backdrop, shadows by day, headlights at night.

The picture is made of what disturbs real detectors: shadows that move with the vehicles, glare on the road,
swaying trees, sensor noise, a camera on a shaking pole, exposure that jumps.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from smartstream.simulate.camera import Array, Camera, box_corners
from smartstream.simulate.heads import LAMP_M, LAMPS, signal_post
from smartstream.simulate.models import BODY, FIXED, HELMET, SECOND, SKIN, Model, colours, model
from smartstream.simulate.phases import SignalPlan
from smartstream.simulate.scenery import Image, paint_backdrop, project_polygon
from smartstream.simulate.sight import Sighting
from smartstream.simulate.traffic import STEP_S

_SUN: Final = np.array([0.48, -0.36, 0.80], np.float32)
"""Towards the sun: south-east, half way up."""
_SHADOW: Final = 0.5
"""How dark a shadow is."""
_FINE: Final = 8
"""Polygons are placed to this part of a pixel (3 fractional bits)."""
_NOISE_TILES: Final = 6


@dataclass(frozen=True)
class Look:
    """How the picture is disturbed.

    Attributes:
        night: Street lamps and headlights instead of the sun.
        noise: Standard deviation of the sensor noise in grey levels.
        shake_px: Standard deviation of the camera's movement.
        jumps: Exposure jumps per minute.
    """

    night: bool
    noise: float
    shake_px: float
    jumps: float


@dataclass
class _Body:
    """A road user ready to be drawn."""

    sighting: Sighting
    shape: Model
    paint: npt.NDArray[np.float32]


class Renderer:
    """Draws one scene.

    Args:
        camera: Where from.
        sightings: Everyone who is ever in the picture.
        plan: For the signal heads.
        look: What the picture is like.
        seed: Same seed, same frames.
    """

    def __init__(self, camera: Camera, sightings: Sequence[Sighting], plan: SignalPlan, look: Look, seed: int) -> None:
        self._camera, self._plan, self._look = camera, plan, look
        rng = random.Random(f"scenery {seed}")
        self._backdrop = paint_backdrop(camera, rng, night=look.night)
        self._trees = _trees(camera, rng, night=look.night)
        self._bodies = [self._body(s, seed) for s in sightings]
        self._bodies.sort(key=lambda b: b.sighting.t_s[0])
        self._rng = np.random.default_rng([seed, 77])
        size = (camera.height + 64, camera.width + 64, 3)
        self._noise = [
            np.clip(self._rng.normal(128, look.noise, size), 0, 255).astype(np.uint8)
            for _ in range(_NOISE_TILES if look.noise > 0 else 0)
        ]
        self._sway = self._rng.uniform(0, 6.28, len(self._trees))
        self._drift = np.zeros(3)
        self._gain, self._gain_aim = 1.0, 1.0

    def frames(self, fps: float, count: int) -> Iterator[Image]:
        """Frames 0 to ``count``, (H, W, 3) BGR."""
        for k in range(count):
            yield self._frame(k / fps, fps)

    def _body(self, sighting: Sighting, seed: int) -> _Body:
        mover = sighting.mover
        key = zlib.crc32(f"{seed} {mover.id}".encode())
        shape = model(mover.road_class, key % 21)
        palette = colours(mover.road_class, random.Random(key))
        table = np.array([*FIXED, *(palette[c] for c in (HELMET, SKIN, SECOND, BODY))], np.float32)
        return _Body(sighting, shape, table[shape.paint])

    def _frame(self, t_s: float, fps: float) -> Image:
        picture = self._backdrop.copy()
        self._draw_trees(picture, t_s)
        here = [b for b in self._bodies if b.sighting.t_s[0] - 1e-6 <= t_s <= b.sighting.t_s[-1] + 1e-6]
        poses = [_pose(b.sighting, t_s) for b in here]
        if not self._look.night:
            self._draw_shadows(picture, here, poses)
        self._draw_bodies(picture, here, poses)
        self._draw_signals(picture, t_s)
        if self._look.night:
            picture = self._add_lights(picture, here, poses)
        return self._through_the_lens(picture, fps)

    def _draw_bodies(self, picture: Image, here: list[_Body], poses: list[tuple[Array, Array, bool]]) -> None:
        if not here:
            return
        quads, normals, paint, owner = [], [], [], []
        for i, (body, (front, heading, _)) in enumerate(zip(here, poses, strict=True)):
            c, s = heading
            turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]], np.float32)
            quads.append(body.shape.quads @ turn + np.array([*front, 0], np.float32))
            normals.append(body.shape.normals @ turn)
            paint.append(body.paint)
            owner.append(np.full(len(body.paint), i))
        corners, normal = np.concatenate(quads), np.concatenate(normals)
        pixels, depth = self._camera.project(corners)
        a, b = pixels[:, 2] - pixels[:, 0], pixels[:, 3] - pixels[:, 1]
        area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
        # Counter-clockwise outside and y down: what faces the camera has a negative area.
        drawn = np.flatnonzero((area < -0.8) & (depth.min(axis=1) > 0.5))
        who = np.concatenate(owner)
        far = np.array([float(np.hypot(*(f - self._camera.at_m[:2]))) for f, _, _ in poses])
        order = drawn[np.lexsort((-depth.mean(axis=1)[drawn], -far[who[drawn]]))]
        shade = self._shade(normal)
        colour = np.clip(np.concatenate(paint) * shade[:, None], 0, 255)
        haze = np.clip((depth.mean(axis=1) - 45) / 260, 0, 0.5)[:, None]
        if not self._look.night:
            colour = colour * (1 - haze) + 200 * haze
        points = np.round(pixels * _FINE).astype(np.int32)
        for q in order:
            cv2.fillConvexPoly(picture, points[q], colour[q].tolist(), cv2.LINE_AA, 3)

    def _shade(self, normal: Array) -> Array:
        out: Array
        if self._look.night:
            out = 0.16 + 0.10 * np.clip(normal[:, 2], 0, 1) + 0.05 * np.abs(normal[:, 1])
        else:
            out = 0.52 + 0.5 * np.clip(normal @ _SUN, 0, 1) + 0.06 * normal[:, 2]
        return out

    def _draw_shadows(self, picture: Image, here: list[_Body], poses: list[tuple[Array, Array, bool]]) -> None:
        height, width = picture.shape[0] // 2, picture.shape[1] // 2
        mask = np.zeros((height, width), np.uint8)
        slide = -_SUN[:2] / _SUN[2]
        for body, (front, heading, _) in zip(here, poses, strict=True):
            length, wide, tall = body.sighting.mover.size_m
            if body.sighting.mover.road_class in ("motorcycle", "bicycle"):
                wide *= 0.7
            corners = box_corners(front[None], heading[None], (length, wide, tall * 0.92))[0]
            corners[:, :2] += corners[:, 2:] * slide
            corners[:, 2] = 0
            pixels, depth = self._camera.project(corners)
            if depth.min() < 0.8:
                continue
            hull = cv2.convexHull(np.round(pixels * 4).astype(np.int32))
            cv2.fillConvexPoly(mask, hull, 255, cv2.LINE_AA, 3)
        if not mask.any():
            return
        mask = cv2.blur(mask, (3, 3))
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        y0, y1, x0, x1 = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
        part = picture[2 * y0 : 2 * y1, 2 * x0 : 2 * x1]
        light = cv2.resize(mask[y0:y1, x0:x1], part.shape[1::-1], interpolation=cv2.INTER_LINEAR)
        light = cv2.cvtColor(cv2.convertScaleAbs(light, alpha=-_SHADOW, beta=0), cv2.COLOR_GRAY2BGR)
        cv2.multiply(part, cv2.subtract(np.full_like(light, 255), light), part, scale=1 / 255)

    def _draw_trees(self, picture: Image, t_s: float) -> None:
        for (x, y, crown, alpha), phase in zip(self._trees, self._sway, strict=True):
            dx = 1.1 * np.sin(0.9 * t_s + phase) + 0.5 * np.sin(2.3 * t_s + 2 * phase)
            dy = 0.4 * np.sin(1.7 * t_s + phase)
            move = np.array([[1, 0, dx], [0, 1, dy]], np.float32)
            height, width = alpha.shape[:2]
            x0, y0 = max(x, 0), max(y, 0)
            x1, y1 = min(x + width, picture.shape[1]), min(y + height, picture.shape[0])
            if x1 <= x0 or y1 <= y0:
                continue
            cut = (slice(y0 - y, y1 - y), slice(x0 - x, x1 - x))
            a = cv2.warpAffine(alpha, move, (width, height))[cut][..., None]
            c = cv2.warpAffine(crown, move, (width, height))[cut]
            part = picture[y0:y1, x0:x1]
            part[:] = (part * (1 - a) + c * a).astype(np.uint8)

    def _draw_signals(self, picture: Image, t_s: float) -> None:
        """Two heads, through and left, and the seconds that remain, as Vietnamese junctions show them."""
        post, heads = signal_post(self._camera)
        scale = heads[0].scale
        foot, top_of_post = _ints(post)
        grey = (30, 30, 30) if self._look.night else (96, 96, 92)
        cv2.line(picture, foot, top_of_post, grey, max(2, round(scale * 0.16)), cv2.LINE_AA)
        colours_of = {"red": (60, 60, 240), "amber": (40, 190, 250), "green": (110, 220, 70)}
        for i, head in enumerate(heads):
            state, _, left_s = self._plan.phase(head.group, t_s + 1e-6)
            half, top, cx = 0.25 * scale, head.top, head.x
            corner, opposite = _ints([(cx - half, top), (cx + half, top + 1.5 * scale)])
            cv2.rectangle(picture, corner, opposite, (26, 26, 24), -1)
            for j, name in enumerate(LAMPS):
                lit = name == state
                (centre,) = _ints([head.lamp(j)])
                colour = colours_of[name] if lit else tuple(int(v * 0.16) for v in colours_of[name])
                cv2.circle(picture, centre, max(2, round(LAMP_M * scale)), colour, -1, cv2.LINE_AA)
                if i == 1 and lit and scale > 14:  # an arrow
                    cv2.arrowedLine(
                        picture, (centre[0] + round(0.12 * scale), centre[1]),
                        (centre[0] - round(0.14 * scale), centre[1]), (20, 20, 20), 1, cv2.LINE_AA, 0, 0.5,
                    )  # fmt: skip
            if i == 0:
                text = f"{int(left_s) % 100:02d}"
                at = (round(cx - 0.28 * scale), round(top - 0.12 * scale))
                cv2.putText(picture, text, at, cv2.FONT_HERSHEY_DUPLEX, scale / 42, colours_of[state], 1, cv2.LINE_AA)

    def _add_lights(self, picture: Image, here: list[_Body], poses: list[tuple[Array, Array, bool]]) -> Image:
        quarter = (picture.shape[0] // 4, picture.shape[1] // 4, 3)
        glow = np.zeros(quarter, np.uint8)
        for reach, light in ((14.0, 13), (9.0, 24), (5.0, 38)):
            self._draw_beams(glow, here, poses, reach, light)
        spots: list[tuple[Array, float, tuple[int, int, int]]] = []
        for body, (front, heading, braking) in zip(here, poses, strict=True):
            c, s = heading
            turn = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
            shape, origin = body.shape, np.array([*front, 0])
            to_camera = self._camera.at_m[:2] - front
            to_camera = to_camera / np.linalg.norm(to_camera)
            facing = float(heading @ to_camera)
            lamps, tint = (shape.lamps, (205, 236, 250)) if facing > 0 else (shape.tails, (40, 30, 220))
            power = abs(facing) * (1.0 if facing > 0 else (0.75 if braking else 0.35))
            if len(lamps) and power > 0.15:
                pixels, depth = self._camera.project(lamps @ turn + origin)
                for p, d in zip(pixels, depth, strict=True):
                    if d > 0.8:
                        size = max(1.2, 0.13 * self._camera.focal_px / d)
                        spots.append((p, size, tint))
                        halo = tuple(int(v * 0.55 * power) for v in tint)
                        cv2.circle(glow, _ints([p / 4])[0], max(1, round(size * 0.75)), halo, -1, cv2.LINE_AA)
        glow = cv2.GaussianBlur(glow, (0, 0), 2.6)
        picture = cv2.add(picture, cv2.resize(glow, picture.shape[1::-1], interpolation=cv2.INTER_LINEAR))
        for p, size, tint in spots:
            cv2.circle(picture, _ints([p * _FINE])[0], round(size * _FINE), tint, -1, cv2.LINE_AA, 3)
        return picture

    def _draw_beams(
        self, glow: Image, here: list[_Body], poses: list[tuple[Array, Array, bool]], reach: float, light: int
    ) -> None:
        """Headlights on the road, one step of their fading."""
        wide = 0.5 + 0.19 * reach
        beam = np.array([[0.3, -0.4], [0.7 * reach, -wide], [reach, -0.5 * wide]])
        beam = np.concatenate([beam, beam[::-1] * (1, -1)])
        for body, (front, heading, _) in zip(here, poses, strict=True):
            if not len(body.shape.lamps):
                continue
            c, s = heading
            ground = beam @ np.array([[c, s], [-s, c]]) + front
            pixels = project_polygon(self._camera, np.pad(ground, ((0, 0), (0, 1))))
            if pixels is not None:
                points = [np.round(pixels / 4).astype(np.int32)]
                cv2.fillPoly(glow, points, (light, 1.15 * light, 1.25 * light), cv2.LINE_AA)

    def _through_the_lens(self, picture: Image, fps: float) -> Image:
        look = self._look
        if look.shake_px > 0:
            # A pole in the wind: it swings back to its place, with a little turn.
            pull = np.array([look.shake_px, 0.8 * look.shake_px, 0.00035 * look.shake_px])
            self._drift = 0.8 * self._drift + 0.6 * self._rng.normal(size=3) * pull
            dx, dy, angle = self._drift
            centre = (0.5 * self._camera.width, 0.5 * self._camera.height)
            move = cv2.getRotationMatrix2D(centre, float(np.degrees(angle)), 1.0)
            move[:, 2] += np.array((dx, dy))
            picture = cv2.warpAffine(
                picture, move, picture.shape[1::-1], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            ).astype(np.uint8)
        if look.jumps > 0:
            if self._rng.random() < look.jumps / 60 / fps:
                self._gain_aim = float(self._rng.uniform(0.78, 1.18))
            self._gain += 0.35 * (self._gain_aim - self._gain)
            picture = cv2.convertScaleAbs(picture, alpha=self._gain)
        if self._noise:
            tile = self._noise[int(self._rng.integers(len(self._noise)))]
            y, x = (int(v) for v in self._rng.integers(0, 64, 2))
            part = tile[y : y + picture.shape[0], x : x + picture.shape[1]]
            picture = cv2.addWeighted(picture, 1.0, part, 1.0, -128.0)
        return picture


def _pose(s: Sighting, t_s: float) -> tuple[Array, Array, bool]:
    """Front, heading and brake lights at an instant between two steps."""
    row = min(max((t_s - s.t_s[0]) / STEP_S, 0.0), len(s.t_s) - 1.0)
    low = min(int(row), max(len(s.t_s) - 2, 0))
    high, part = min(low + 1, len(s.t_s) - 1), row - low
    heading = s.heading[low] * (1 - part) + s.heading[high] * part
    heading = heading / max(float(np.hypot(*heading)), 1e-9)
    return s.front_m[low] * (1 - part) + s.front_m[high] * part, heading, bool(s.mover.braking[s.at + low])


def _ints(points: Sequence[Sequence[float] | Array] | Array) -> list[tuple[int, int]]:
    return [(round(float(p[0])), round(float(p[1]))) for p in points]


def _trees(camera: Camera, rng: random.Random, *, night: bool) -> list[tuple[int, int, Image, Array]]:
    """Crowns as patches (x, y, colour, alpha), far ones first."""
    out = []
    dim = 0.17 if night else 1.0
    for side in (-1, 1):
        for y in -camera.north * np.arange(-150.0, -28.0, 17.0):
            x, reach = side * rng.uniform(15.6, 16.4), rng.uniform(1.6, 2.3)
            (px, py), depth = (v[0] for v in camera.project(np.array([[x, y, rng.uniform(4.6, 6.0)]])))
            radius = camera.focal_px * reach / float(depth)
            if radius < 3 or not -radius < px < camera.width + radius:
                continue
            half = int(radius * 1.5) + 3
            colour = np.zeros((2 * half, 2 * half, 3), np.uint8)
            alpha = np.zeros((2 * half, 2 * half), np.float32)
            base = np.array([rng.uniform(42, 58), rng.uniform(92, 118), rng.uniform(52, 74)])
            for _ in range(26):
                at = (half + round(rng.gauss(0, 0.45) * radius), half + round(rng.gauss(0, 0.38) * radius))
                tone = base * rng.uniform(0.65, 1.15) * dim
                size = max(2, round(radius * rng.uniform(0.25, 0.5)))
                cv2.circle(colour, at, size, tone.tolist(), -1, cv2.LINE_AA)
                cv2.circle(alpha, at, size, 1.0, -1, cv2.LINE_AA)
            out.append((float(depth), (int(px) - half, int(py) - half, colour, alpha)))
    out.sort(key=lambda item: -item[0])
    return [tree for _, tree in out]
