"""Where a vehicle's plate is in the picture: an estimate from its box and the camera's calibration.

Nothing reads the plate here. The region is the lower middle of the vehicle's front or rear, where plates are mounted;
motorcycles carry theirs at the rear only. It is given only where the box shows the vehicle from in front or from
behind: seen from the side, nobody can say where the plate would be.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from smartstream.config.calibration import ground_from_image
from smartstream.config.camera import Camera
from smartstream.evidence.desk import Sample
from smartstream.model.time import NS

Box = tuple[float, float, float, float]
_WIDTH_M: Final = {"car": 1.8, "truck": 2.3, "bus": 2.5, "motorcycle": 0.8}
_LENGTHWISE: Final = 1.6
"""A box wider than so many widths of its class shows the vehicle's side."""
_HALF_M: Final = {"motorcycle": 0.3}
_HALF_OTHERS_M: Final = 0.5
_BETWEEN_M: Final = (0.15, 1.15)
"""Heights between which plates are mounted."""
_MOVES: Final = 0.01
"""Way of the foot in the picture, in parts of its height, that tells towards from away."""


def plate_region(
    camera: Camera, class_: str, box: Box, samples: Sequence[Sample], at_ns: int, aspect: float
) -> Box | str:
    """The region, normalised; or why the picture shows none.

    Args:
        camera: The camera, with its calibration.
        class_: Class of the vehicle.
        box: Its box in the still, normalised.
        samples: Its track.
        at_ns: When the still was taken.
        aspect: Width of the picture over its height.
    """
    if camera.calibration is None:
        return "no calibration"
    if class_ not in _WIDTH_M:
        return f"class {class_}"
    width_m = _width_m(camera, box)
    if width_m is None or width_m > _LENGTHWISE * _WIDTH_M[class_]:
        return "seen from the side"
    near = [s for s in samples if abs(s.at_ns - at_ns) <= NS]
    way = near[-1].box[3] - near[0].box[3] if near else 0.0
    if class_ == "motorcycle" and way > -_MOVES:
        return "seen from in front" if way > _MOVES else "not told from which side"
    per_m = (box[2] - box[0]) / width_m
    middle, half = (box[0] + box[2]) / 2, _HALF_M.get(class_, _HALF_OTHERS_M) * per_m
    low, high = (box[3] - m * per_m * aspect for m in _BETWEEN_M)
    return max(middle - half, box[0]), max(high, box[1]), min(middle + half, box[2]), low


def _width_m(camera: Camera, box: Box) -> float | None:
    """How wide the lower edge of a box is on the ground."""
    assert camera.calibration is not None
    map_ = ground_from_image(camera.calibration.image, camera.calibration.world_m)
    if map_ is None:
        return None
    ends = np.array([[box[0], box[3], 1.0], [box[2], box[3], 1.0]]) @ map_.T
    width = float(np.linalg.norm(ends[1, :2] / ends[1, 2] - ends[0, :2] / ends[0, 2]))
    return width if np.isfinite(width) and width > 0 else None
