"""Where a plate is in the picture, and where nobody can say."""

from __future__ import annotations

import pytest

from smartstream.config.camera import Camera
from smartstream.evidence.desk import Sample
from smartstream.evidence.plates import plate_region

NS = 1_000_000_000
CALIBRATED = {"image": ((0, 0), (1, 0), (1, 1), (0, 1)), "world_m": ((0, 0), (20, 0), (20, 20), (0, 20))}
"""Twenty metres wide; a picture as wide as high, so a metre is a twentieth of either side."""


def camera(**more):
    return Camera(id="c", junction="j", url="tracks:t.ndjson", **{"calibration": CALIBRATED, **more})


def region(class_, box, *, way=0.0, seen_by=None):
    samples = [Sample(i * NS // 4, i, (box[0], box[1] + way * i, box[2], box[3] + way * i)) for i in (-2, 0, 2)]
    return plate_region(camera() if seen_by is None else seen_by, class_, box, samples, 0, 1.0)


CAR = (0.4, 0.4, 0.49, 0.5)  # 1.8 m wide


def test_low_in_the_middle_of_a_car():
    x1, y1, x2, y2 = region("car", CAR)
    assert (x1 + x2) / 2 == pytest.approx(0.445)
    assert (x2 - x1) * 20 == pytest.approx(1.0)
    assert (0.5 - y2) * 20 == pytest.approx(0.15)
    assert (0.5 - y1) * 20 == pytest.approx(1.15)


def test_never_beyond_the_vehicle():
    low = (0.4, 0.46, 0.43, 0.5)
    x1, y1, x2, _ = region("truck", low)
    assert low[0] <= x1 < x2 <= low[2]
    assert y1 >= low[1]


@pytest.mark.parametrize(
    ("class_", "box", "way", "why"),
    [
        ("car", (0.3, 0.4, 0.5, 0.5), 0.0, "seen from the side"),
        ("motorcycle", (0.4, 0.4, 0.44, 0.5), 0.02, "seen from in front"),
        ("motorcycle", (0.4, 0.4, 0.44, 0.5), 0.0, "not told from which side"),
        ("bicycle", CAR, 0.0, "class bicycle"),
        ("unknown", CAR, 0.0, "class unknown"),
    ],
)
def test_where_none_is_shown(class_, box, way, why):
    assert region(class_, box, way=way) == why


def test_a_motorcycle_shows_it_from_behind():
    assert isinstance(region("motorcycle", (0.4, 0.4, 0.44, 0.5), way=-0.02), tuple)


def test_without_calibration_nobody_knows_its_size():
    assert region("car", CAR, seen_by=camera(calibration=None)) == "no calibration"
