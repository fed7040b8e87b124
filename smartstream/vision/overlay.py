"""A camera's lanes, lines and zones drawn on a picture, for people who check a site file."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from smartstream.config.calibration import ground_from_image
from smartstream.config.camera import Camera
from smartstream.config.fields import Point
from smartstream.errors import MissingExtraError

try:
    cv2: Any = importlib.import_module("cv2")
except ImportError:  # comes with the extra `draw`
    cv2 = None

Picture = npt.NDArray[np.uint8]
"""(H, W, 3) BGR."""
_Colour = tuple[int, int, int]

_LANE: Final[_Colour] = (90, 200, 60)
_LINE: Final[dict[str, _Colour]] = {"stop": (60, 60, 255), "exit": (255, 150, 40), "count": (40, 220, 255)}
_ZONE: Final[_Colour] = (220, 90, 200)
_GRID: Final[_Colour] = (190, 190, 190)
_WHITE: Final[_Colour] = (255, 255, 255)
_SURROUND: Final = 40  # grey level outside the picture
_GRID_M: Final = 10.0
_MARGIN: Final = 1.0  # geometry is shown up to one picture beyond each side


def require_opencv() -> None:
    """Say what to install where OpenCV is missing.

    Raises:
        MissingExtraError: The extra ``draw`` is not installed.
    """
    if cv2 is None:
        raise MissingExtraError("drawing", "draw")


def draw_site(picture: Picture, camera: Camera) -> Picture:
    """A copy of ``picture`` with the camera's geometry; wider than it where geometry lies outside.

    Args:
        picture: (H, W, 3) uint8 BGR.
        camera: Its normalised coordinates are those of ``picture``.
    """
    require_opencv()
    canvas: Picture
    canvas, at = _widen(picture, _all_points(camera))
    shade = canvas.copy()
    for lane in camera.lane:
        cv2.fillPoly(shade, [at(lane.polygon)], _LANE)
    for zone in camera.zone:
        cv2.fillPoly(shade, [at(zone.polygon)], _ZONE)
    canvas = cv2.addWeighted(shade, 0.22, canvas, 0.78, 0)
    size = max(0.4, picture.shape[1] / 1900)
    stroke = max(1, round(size * 2))
    _draw_grid(canvas, camera, at)
    for zone in camera.zone:
        cv2.polylines(canvas, [at(zone.polygon)], isClosed=True, color=_ZONE, thickness=stroke)
    for lane in camera.lane:
        cv2.polylines(canvas, [at(lane.polygon)], isClosed=True, color=_LANE, thickness=stroke)
    for line in camera.line:
        a, b = at(line.points)
        cv2.line(canvas, tuple(a), tuple(b), _LINE[line.kind], 2 * stroke, cv2.LINE_AA)
    taken: list[tuple[int, int, int, int]] = []
    for line in camera.line:
        words = f"{line.id} ({line.kind}{f' {line.movement}' if line.movement else ''})"
        _label(canvas, words, at(line.points).mean(axis=0), _LINE[line.kind], size, taken)
    for lane in camera.lane:
        words = f"{lane.id}{f' [{lane.signal}]' if lane.signal else ''}"
        corners = at(lane.polygon)
        _label(canvas, words, corners[corners[:, 1].argmin()], _LANE, size, taken)
    for zone in camera.zone:
        words = zone.id if zone.id == zone.kind else f"{zone.id} ({zone.kind})"
        _label(canvas, words, at(zone.polygon).mean(axis=0), _ZONE, size, taken)
    for lane in camera.lane:
        if lane.direction is not None:
            _draw_direction(canvas, lane.polygon, lane.direction, at, stroke)
    return canvas


def first_picture(address: str, *, timeout_s: float = 10.0) -> Picture | None:
    """The first picture of a video file or stream, or None when there is none.

    Args:
        address: Path of a file or a URL.
        timeout_s: For streams: how long to wait for it.
    """
    require_opencv()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # the caller says what went wrong
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    limits = [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
        int(timeout_s * 1e3),
        cv2.CAP_PROP_READ_TIMEOUT_MSEC,
        int(timeout_s * 1e3),
    ]
    capture = cv2.VideoCapture(address, cv2.CAP_FFMPEG, limits)
    try:
        good, picture = capture.read()
        found: Picture | None = picture if good else None
        return found
    finally:
        capture.release()


def write_picture(path: str, picture: Picture) -> bool:
    """Write a PNG or JPEG by its suffix; False when it could not be written."""
    require_opencv()
    return bool(cv2.imwrite(path, picture))


def _all_points(camera: Camera) -> npt.NDArray[np.float64]:
    shapes: list[Iterable[Point]] = [lane.polygon for lane in camera.lane]
    shapes += [line.points for line in camera.line]
    shapes += [zone.polygon for zone in camera.zone]
    if camera.calibration is not None:
        shapes.append(camera.calibration.image)
    return np.array([(0.0, 0.0), (1.0, 1.0), *(p for shape in shapes for p in shape)])


def _widen(picture: Picture, points: npt.NDArray[np.float64]) -> tuple[Picture, Any]:
    """The picture on a canvas that holds all points, and the map from normalised points to its pixels."""
    height, width = picture.shape[:2]
    low = np.floor(np.clip(points.min(axis=0), -_MARGIN, 0) * (width, height)).astype(int)
    high = np.ceil(np.clip(points.max(axis=0), 1, 1 + _MARGIN) * (width, height)).astype(int)
    canvas = np.full((high[1] - low[1], high[0] - low[0], 3), _SURROUND, np.uint8)
    canvas[-low[1] : -low[1] + height, -low[0] : -low[0] + width] = picture

    def at(shape: Iterable[Point]) -> npt.NDArray[np.int32]:
        pixels: npt.NDArray[np.int32] = np.round(np.array(list(shape)) * (width, height) - low).astype(np.int32)
        return pixels

    return canvas, at


def _draw_direction(canvas: Picture, polygon: tuple[Point, ...], direction: Point, at: Any, stroke: int) -> None:
    """An arrow through the middle of the lane, a third of the lane's extent long."""
    corners = at(polygon).astype(float)
    origin, tip = at([(0.0, 0.0), direction]).astype(float)
    along = (tip - origin) / max(float(np.linalg.norm(tip - origin)), 1e-9)
    reach = float(np.ptp(corners @ along)) / 6
    middle = corners.mean(axis=0)
    tail, head = (tuple(np.round(middle + s * reach * along).astype(int).tolist()) for s in (-1, 1))
    cv2.arrowedLine(canvas, tail, head, _WHITE, stroke + 1, cv2.LINE_AA, tipLength=0.3)


def _draw_grid(canvas: Picture, camera: Camera, at: Any) -> None:
    """Ten-metre squares on the ground inside the calibrated area: skew or size shows a wrong calibration."""
    if camera.calibration is None:
        return
    h = ground_from_image(camera.calibration.image, camera.calibration.world_m)
    if h is None:
        return
    image_from_ground = np.linalg.inv(h)
    world = np.array(camera.calibration.world_m)
    low, high = world.min(axis=0), world.max(axis=0)

    def draw(a: tuple[float, float], b: tuple[float, float]) -> None:
        ends = np.c_[np.array([a, b]), np.ones(2)] @ image_from_ground.T
        cv2.line(canvas, *(tuple(p.tolist()) for p in at(ends[:, :2] / ends[:, 2:])), _GRID, 1, cv2.LINE_AA)

    for x in np.arange(np.ceil(low[0] / _GRID_M) * _GRID_M, high[0] + 1e-6, _GRID_M):
        draw((x, low[1]), (x, high[1]))
    for y in np.arange(np.ceil(low[1] / _GRID_M) * _GRID_M, high[1] + 1e-6, _GRID_M):
        draw((low[0], y), (high[0], y))
    for x, y in at(camera.calibration.image).tolist():
        cv2.drawMarker(canvas, (x, y), _WHITE, cv2.MARKER_TILTED_CROSS, 10, 1, cv2.LINE_AA)


def _label(
    canvas: Picture,
    words: str,
    middle: npt.NDArray[np.generic],
    colour: _Colour,
    size: float,
    taken: list[tuple[int, int, int, int]],
) -> None:
    """A label near ``middle``, moved down until it covers no other and stays on the canvas."""
    (width, height), below = cv2.getTextSize(words, cv2.FONT_HERSHEY_SIMPLEX, size, 1)
    height += below + 4
    x = int(np.clip(middle[0] - width / 2, 0, max(canvas.shape[1] - width, 0)))
    y = int(np.clip(middle[1] - height / 2, 0, max(canvas.shape[0] - height, 0)))
    while any(x < tx + tw and tx < x + width and y < ty + th and ty < y + height for tx, ty, tw, th in taken):
        y += height
    taken.append((x, y, width, height))
    cv2.rectangle(canvas, (x, y), (x + width, y + height), (0, 0, 0), cv2.FILLED)
    cv2.putText(canvas, words, (x, y + height - below - 2), cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
