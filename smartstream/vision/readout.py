"""From a model's outputs to detections: thresholds, our classes, one box each. Shared by every engine that runs one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from smartstream import _core
from smartstream.errors import InternalError, InvalidInputError
from smartstream.vision.detector import Detections, DetectorSettings
from smartstream.vision.labels import NOT_OURS, class_codes
from smartstream.vision.layouts import F32, Layout

_MOST: Final = 300
"""Detections of one picture at most; the surest stay."""


class Readout:
    """Reads the outputs of one model.

    Args:
        model: What messages call it.
        layout: How it is read.
        settings: Thresholds and class names.
        names: Class names that the model itself carries, in Python's notation.

    Raises:
        InvalidInputError: The model's classes cannot be told.
    """

    def __init__(self, model: str, layout: Layout, settings: DetectorSettings, names: str | None) -> None:
        self._model = model
        self._layout = layout
        self._settings = settings
        # Layouts that give a label instead of a column for each class do not say how many there are.
        count = layout.classes or len(settings.names) or 80
        codes = class_codes(count, settings.names, names)
        if isinstance(codes, str):
            raise InvalidInputError(f"model {model}: {codes}")
        self._codes = codes

    def read(self, outputs: Mapping[str, F32], size: tuple[int, int]) -> Detections:
        """Detections of one picture; what is not finite, empty or no road user is left out.

        Args:
            outputs: Of one picture, by name, without the batch's axis.
            size: Width and height of the picture.

        Raises:
            InternalError: The outputs do not have the layout's shape.
        """
        try:
            with np.errstate(invalid="ignore"):
                boxes, scores = self._layout.decode(outputs, size)
            if boxes.ndim != 2 or boxes.shape[1:] != (4,) or scores.ndim != 2 or len(scores) != len(boxes):
                raise ValueError(f"boxes {boxes.shape} and scores {scores.shape}")  # noqa: TRY301
        except (KeyError, IndexError, ValueError, TypeError) as e:
            found = ", ".join(f"{name} {list(value.shape)}" for name, value in outputs.items()) or "nothing"
            raise InternalError(
                f"model {self._model}: found outputs {found}, expected those of layout {self._layout.name} ({e})"
            ) from None
        return self._pick(boxes, scores)

    def _pick(self, boxes: F32, scores: F32) -> Detections:
        # The best of our classes decides; another object's higher score does not hide a road user.
        ours = np.flatnonzero(self._codes[: scores.shape[1]] != NOT_OURS)
        if len(ours) == 0 or len(boxes) == 0:
            return nothing()
        columns = scores[:, ours]
        with np.errstate(invalid="ignore"):
            likely = np.flatnonzero(columns.max(axis=1, initial=0) >= self._settings.min_score)
        columns = columns[likely]
        best = columns.argmax(axis=1) if len(likely) else np.zeros(0, np.intp)
        score = columns[np.arange(len(likely)), best].astype(np.float32)
        box = np.ascontiguousarray(boxes[likely], np.float32)
        code = self._codes[ours[best]]
        sound = np.isfinite(box).all(axis=1) & (score >= self._settings.min_score) & (score <= 1.0)
        sound &= (box[:, 2:] > box[:, :2]).all(axis=1)
        box, score, code = box[sound], score[sound], code[sound]
        limit = self._settings.overlap if self._layout.suppress else 1.0
        kept = _core.suppress(box, score, code, limit=limit, most=_MOST)
        return Detections(box[kept], score[kept], code[kept])


def riders_apart(settings: DetectorSettings, stated: str | None) -> bool:
    """Whether a model finds a rider and his vehicle as two, to be made one; most do.

    Args:
        settings: ``options.riders_apart`` says it.
        stated: The model's own ``riders``: ``within`` where the box of a two-wheeler includes them.

    Raises:
        InvalidInputError: The option is no truth value.
    """
    apart = settings.options.get("riders_apart", stated != "within")
    if not isinstance(apart, bool):
        raise InvalidInputError(f"detector options: found riders_apart = {apart!r}, expected true or false")
    return apart


def nothing() -> Detections:
    """No detections."""
    empty: npt.NDArray[np.float32] = np.zeros(0, np.float32)
    return Detections(empty.reshape(0, 4), empty, np.zeros(0, np.uint8))
