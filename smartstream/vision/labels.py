"""Class names of models to the classes of this engine."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from smartstream.model.classes import CLASS_CODE, VehicleClass

NOT_OURS: Final = 255
"""Code of what is no road user."""

_SAME: Final[dict[VehicleClass, tuple[str, ...]]] = {
    "motorcycle": ("motorcycle", "motorbike", "moped", "scooter", "motor"),
    "bicycle": ("bicycle", "bike", "cyclist", "e-bike", "ebike"),
    "car": ("car", "van", "suv", "taxi", "minivan", "pickup", "minibus"),
    "truck": ("truck", "lorry", "trailer", "container"),
    "bus": ("bus", "coach"),
    "pedestrian": ("pedestrian", "person", "people", "rider", "motorcyclist"),
}
_CODE: Final = {word: CLASS_CODE[ours] for ours, words in _SAME.items() for word in words}

_COCO_80: Final = {0: "person", 1: "bicycle", 2: "car", 3: "motorcycle", 5: "bus", 7: "truck"}
_COCO_91: Final = {1: "person", 2: "bicycle", 3: "car", 4: "motorcycle", 6: "bus", 8: "truck"}
"""Category numbers of the annotations themselves, as DETR-like exports keep them."""


def class_codes(count: int, names: Sequence[str], stated: str | None) -> npt.NDArray[np.uint8] | str:
    """Our code of each of a model's ``count`` classes; ``NOT_OURS`` where it is no road user.

    Args:
        count: Columns of class scores.
        names: What the site file says.
        stated: The model's own ``names``, as Ultralytics writes them: a dictionary or list in Python's notation.

    Returns:
        (count,) uint8, or what is wrong.
    """
    by_index = dict(enumerate(names)) if names else _stated(stated)
    if not by_index:
        if count not in (80, 91):
            return f"found {count} classes without names, expected `names` in [camera.detect], or COCO's 80 or 91"
        by_index = _COCO_80 if count == 80 else _COCO_91
    # A column after the last name is the background that some exports carry.
    if names and len(names) not in (count, count - 1):
        return f"found {len(names)} names, expected {count}: one for each class of the model"
    codes = np.full(count, NOT_OURS, np.uint8)
    for index, name in by_index.items():
        if 0 <= index < count:
            codes[index] = _CODE.get(name.strip().lower(), NOT_OURS)
    if (codes == NOT_OURS).all():
        return f"found no road user among the classes {', '.join(list(by_index.values())[:8])}"
    return codes


def _stated(text: str | None) -> dict[int, str]:
    try:
        value = ast.literal_eval(text or "{}")
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
        return {int(i): str(name) for i, name in pairs}
    except (ValueError, OverflowError, SyntaxError, TypeError, MemoryError, RecursionError):
        return {}
